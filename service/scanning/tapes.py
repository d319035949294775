"""A tar, read from its start to its end within bounds on what ``tarfile`` believes and keeps.

``tarfile`` follows a negative size back to a header that it has read, without end; it keeps headers that belong to
others, and maps of sparse files, however long they are; and such a map may lie about where its file ends, so that a
packed tar is unpacked anew for the next one. So this one goes forwards only, and reads no more than some bytes between
two members. ``tarfile`` also takes a damaged header, or the end of the file, for the end of the tar; both are errors
here. And it leaves what follows the end unread: of a packed tar that is where a checksum tells whether it is whole.
"""

import tarfile
from typing import IO, cast

# names, attributes, maps; those of real archives have some hundred bytes
_MOST_HEADER = 1_048_576
# zeros up to the end of a record, which no tape drive has larger
_MOST_AFTER = 16_777_216
_CHUNK = 65_536
_END = bytes(tarfile.BLOCKSIZE)


class _Tape:
    """A stream that is read forwards. ``left``: bytes that may be read now; None: any number; ``last``: those that were
    read last."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.left: int | None = None
        self.last = b""
        self._stream = stream
        self._at = 0

    def read(self, count: int = -1) -> bytes:
        """Raises :class:`tarfile.ReadError` when that is more than is left."""
        if self.left is not None:
            if not 0 <= count <= self.left:
                raise tarfile.ReadError("a header is too long")
            self.left -= count
        self.last = self._stream.read(count)
        self._at += len(self.last)
        return self.last

    def seek(self, offset: int) -> int:
        """Read up to ``offset``, as far as there is so much; raises :class:`tarfile.ReadError` when that is behind."""
        if offset < self._at:
            raise tarfile.ReadError("a header leads back")
        while data := self._stream.read(min(_CHUNK, offset - self._at)):
            self._at += len(data)
        return self._at

    def finish(self) -> None:
        """Read what follows the end of the tar, within a bound; raises what the stream finds wrong there."""
        end = self._at + _MOST_AFTER
        while self._at < end and (data := self._stream.read(_CHUNK)):
            self._at += len(data)

    def seekable(self) -> bool:
        """In one direction."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._at


class Tape(tarfile.TarFile):
    """The tar in ``stream``, for one look at each member in turn; raises :class:`tarfile.TarError`."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.tape = _Tape(stream)
        super().__init__(fileobj=cast(IO[bytes], self.tape), mode="r")

    def next(self) -> tarfile.TarInfo | None:
        """The next header; those before it are forgotten, with what they said of all that follow."""
        self.members: list[tarfile.TarInfo] = []
        self.pax_headers = {}
        self.tape.left = _MOST_HEADER
        info = super().next()
        self.tape.left = None
        if info is None:
            if self.tape.last != _END:
                raise tarfile.ReadError("a header is damaged" if any(self.tape.last) else "unexpected end of data")
            self.tape.finish()
        elif info.size < 0:
            raise tarfile.ReadError("a size is negative")
        return info


def up_to(stream: IO[bytes], most: int) -> bytes:
    """At most ``most`` bytes, a piece at a time: ``tarfile`` copies all that it has for each piece of a sparse file."""
    data = bytearray()
    while chunk := stream.read(min(_CHUNK, most - len(data))):
        data += chunk
    return bytes(data)
