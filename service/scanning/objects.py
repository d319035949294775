"""Pictures in object stores, ``s3://bucket/prefix`` and ``gs://bucket/prefix``, read as a stream, never on disk.

An address that ends in ``/``, or names no object, is a prefix: everything below it whose name ends like a picture's is
read, in the store's order. Credentials come from the environment only, where obstore looks for them, and its own
messages, which quote what a store said, are not passed on.
"""

import contextlib
import datetime
import io
import os
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, TYPE_CHECKING, Any

from service.errors import ErrorCode, FaunalensError, StartError, how_to_get
from service.outbound.locations import refuse
from service.scanning.archives import Opener
from service.scanning.entries import Entry, LeftOut, unreadable

if TYPE_CHECKING:
    from obstore.store import ObjectStore, RetryConfig

SCHEMES = ("s3://", "gs://")
"""Of addresses that pictures are read from; az:// can be opened too."""
# objects fetched at once: a store answers in some 50 ms, a core needs a picture every 25
_AHEAD = 8
_BLOCK = 1_048_576
_PATIENCE: "RetryConfig" = {"max_retries": 4, "retry_timeout": datetime.timedelta(seconds=30)}
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_STATUS = re.compile(r"status code: (\d{3})")
_ODD_NAME = "an object's name has an empty part, '.' or '..'"
_REASONS = {
    "FileNotFoundError": "there is no such object",
    "PermissionDeniedError": "the store refuses access",
    "UnauthenticatedError": "the store refuses access",
    # where it is listed, and where it is asked for
    "InvalidPathError": _ODD_NAME,
    "ValueError": _ODD_NAME,
}


class _BrokenError(OSError):
    """What a store said, in words of our own."""

    def __init__(self, error: Exception) -> None:
        status = _STATUS.search(str(error))
        reason = f"the store answers with status {status[1]}" if status else "the store cannot be reached or used"
        super().__init__(_REASONS.get(type(error).__name__, reason))


def is_address(file: str) -> bool:
    """Whether ``file`` lies in an object store."""
    return file.startswith(SCHEMES)


def unread_scheme(file: str) -> str | None:
    """Why ``file`` cannot be meant: it begins with a scheme that is not read, and no file is called so. Else None."""
    scheme = _SCHEME.match(file)
    if scheme is None or is_address(file) or os.path.exists(file):
        return None
    return f"{scheme[0]} is not read; give files, folders, or {' or '.join(SCHEMES)} addresses"


def read(address: str, buckets: "Mapping[str, ObjectStore]", max_bytes: int) -> bytes:
    """One object of one of ``buckets``, by their names (``s3://bucket``).

    Raises ``url_not_allowed``, ``url_unreachable`` and ``too_many_bytes``.
    """
    import obstore

    bucket, key = _parts(address)
    if bucket not in buckets or not key or key.endswith("/"):
        refuse("host")
    try:
        with _safe():
            found = obstore.get(buckets[bucket], key)
            data = bytes(found.bytes()) if found.meta["size"] <= max_bytes else None
    except _BrokenError as error:
        message = "The picture could not be fetched."
        raise FaunalensError(ErrorCode.URL_UNREACHABLE, message, {"reason": str(error)}) from error
    if data is None:
        message = f"There are more than {max_bytes} bytes."
        raise FaunalensError(ErrorCode.TOO_MANY_BYTES, message, {"max_bytes": max_bytes})
    return data


def entries(
    address: str, wanted: Callable[[str], bool], max_bytes: int, archive: Opener | None, left_out: LeftOut
) -> Iterator[Entry]:
    """The pictures at ``address``, as far as ``wanted`` by name, each cut one byte above ``max_bytes``.

    ``archive``: what reads the object if it is an archive; ``left_out`` counts what is no picture.
    A listing that breaks off, or finds no object, gives one entry under the address with the reason. Raises
    :class:`StartError` without the extra ``objects``, and for an address that is none.
    """
    store, top, key = _open(address)
    try:
        size = _size(store, key) if key and not key.endswith("/") else None
        if size is None:
            # asked for again by --resume, because its listing may have broken off
            yield from _below(store, top, key, wanted, max_bytes, left_out)
        elif not wanted(address):
            pass
        elif archive is not None:
            yield from archive(address, _file(store, key))
        else:
            yield _fetch(store, key, size, address, max_bytes)
    except _BrokenError as error:
        yield Entry(address, unreadable(error))


def _open(address: str) -> "tuple[ObjectStore, str, str]":
    """The store, the part of the address up to the bucket's slash, and the key."""
    top, key = _parts(address)
    return open_bucket(top), f"{top}/", key


def _parts(address: str) -> tuple[str, str]:
    """The bucket as ``s3://bucket``, and the key, of which stores are asked without a slash at its beginning."""
    scheme, _, rest = address.partition("://")
    bucket, _, key = rest.partition("/")
    return f"{scheme}://{bucket}", key.removeprefix("/")


def open_bucket(top: str) -> "ObjectStore":
    """The bucket at ``s3://bucket``, ``gs://bucket`` or ``az://container``; raises :class:`StartError`."""
    scheme, _, bucket = top.partition("://")
    if not bucket or "@" in bucket:
        raise StartError(f"an address is {scheme}://bucket/prefix; credentials belong in the environment")
    try:
        from obstore.store import AzureStore, GCSStore, S3Store
    except ModuleNotFoundError as error:
        raise StartError(f"{scheme}:// needs the extra objects: {how_to_get('objects')}") from error
    kind = S3Store if scheme == "s3" else GCSStore if scheme == "gs" else AzureStore
    try:
        return kind.from_url(top, retry_config=_PATIENCE)
    except Exception as error:
        # its message may quote the variable that it could not read
        raise StartError(f"{top} cannot be opened: look at the store's variables in the environment") from error


@contextlib.contextmanager
def _safe() -> Iterator[None]:
    """Obstore's errors, some of which are Python's own, as :class:`_BrokenError`."""
    try:
        yield
    except Exception as error:
        raise _BrokenError(error) from None


def _size(store: "ObjectStore", key: str) -> int | None:
    """Bytes of the object ``key``; None when there is none, so that it may be a prefix."""
    import obstore

    with _safe():
        try:
            return obstore.head(store, key)["size"]
        except FileNotFoundError:
            return None


def _below(
    store: "ObjectStore", top: str, prefix: str, wanted: Callable[[str], bool], max_bytes: int, left_out: LeftOut
) -> Iterator[Entry]:
    broken: _BrokenError | None = None
    coming: deque[Future[Entry]] = deque()
    empty = True
    with ThreadPoolExecutor(_AHEAD, thread_name_prefix="objects") as pool:
        try:
            try:
                for key, size in _listed(store, prefix):
                    empty = False
                    if left_out.takes(key[len(prefix) :]) and wanted(top + key):
                        coming.append(pool.submit(_fetch, store, key, size, top + key, max_bytes))
                    if len(coming) >= _AHEAD:
                        yield coming.popleft().result()
            except _BrokenError as error:
                broken = error
            while coming:
                yield coming.popleft().result()
        finally:
            for future in coming:
                future.cancel()
    if broken is None and empty:
        broken = _BrokenError(FileNotFoundError())
    if broken:
        raise broken


def _listed(store: "ObjectStore", prefix: str) -> Iterator[tuple[str, int]]:
    import obstore

    with _safe():
        for page in obstore.list(store, prefix or None):
            for found in page:
                yield found["path"], found["size"]


def _fetch(store: "ObjectStore", key: str, size: int, name: str, max_bytes: int) -> Entry:
    import obstore

    if not size:
        return Entry(name, b"")
    try:
        with _safe():
            return Entry(name, bytes(obstore.get_range(store, key, start=0, length=min(size, max_bytes + 1))))
    except _BrokenError as error:
        return Entry(name, unreadable(error))


def _file(store: "ObjectStore", key: str) -> IO[bytes]:
    return io.BufferedReader(_Object(store, key), _BLOCK)


class _Object(io.RawIOBase):
    """An object as a file that can be read from anywhere: a zip's list of entries is at its end."""

    def __init__(self, store: "ObjectStore", key: str) -> None:
        import obstore

        super().__init__()
        with _safe():
            self._reader = obstore.open_reader(store, key, buffer_size=_BLOCK)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with _safe():
            data = self._reader.read(len(buffer))
        buffer[: len(data)] = memoryview(data)
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        with _safe():
            return self._reader.seek(offset, whence)

    def tell(self) -> int:
        return self._reader.tell()
