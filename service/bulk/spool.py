"""A temporary file for a body that does not fit into memory: no name, and readable by this process only.

The bytes are encrypted by AES-256-CTR under a key that never leaves memory, so that no photo is on the disk in clear
while an archive comes in. CTR lets any part be read alone (NIST SP 800-38A, 6.5).
"""

import os
import tempfile
from io import SEEK_CUR, SEEK_END, SEEK_SET
from pathlib import Path
from types import TracebackType

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR

from service.errors import ErrorCode, FaunalensError

_BLOCK = 16


class Spool:
    """Written from the start to the end, then read anywhere. ``most``: bytes that one read may ask for.

    The bound on a read keeps an archive's own tables, whose size it states itself, from filling the memory.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self.size = 0
        self._most = most
        self._key = os.urandom(32)
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by __exit__
        self._writer = Cipher(AES256(self._key), CTR(bytes(_BLOCK))).encryptor()
        self._at = 0

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._file.close()

    def append(self, data: bytes) -> None:
        """Add to the end; raises :class:`OSError`."""
        self._file.write(self._writer.update(data))
        self.size += len(data)

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        """Choose where the next read begins."""
        start = {SEEK_SET: 0, SEEK_CUR: self._at, SEEK_END: self.size}[whence]
        if start + offset < 0:
            raise OSError("before the beginning")
        self._at = start + offset
        return self._at

    def read(self, count: int = -1) -> bytes:
        """Up to ``count`` bytes, or all that are left; raises ``corrupt_archive`` when that is too much."""
        left = max(0, self.size - self._at)
        count = left if count is None or count < 0 else min(count, left)
        if count > self._most:
            raise FaunalensError(ErrorCode.CORRUPT_ARCHIVE, "The archive's table of contents is too large.")
        block, skip = divmod(self._at, _BLOCK)
        self._file.seek(block * _BLOCK)
        reader = Cipher(AES256(self._key), CTR(block.to_bytes(_BLOCK, "big"))).decryptor()
        data = reader.update(self._file.read(skip + count))[skip:]
        self._at += len(data)
        return data
