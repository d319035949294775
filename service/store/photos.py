"""Photos that wait for judgement or are kept for review, in a folder or an object store; sealed when a key is given.

What is kept is a mark and the bytes, sealed by AES-256-GCM with a random nonce and bound to its batch and position, so
that photos cannot be exchanged. A digest of the key tells which one it was. Names are ours; a client's name is never a
path.
"""

import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from service.errors import ErrorCode, FaunalensError
from service.settings import Settings
from service.store.places import Folder, Place, open_place

_PLAIN, _SEALED = b"FLP0", b"FLP2"
_DIGEST, _NONCE = 8, 12


class Photos:
    """Photos at a place, or in a folder, which is made. ``key``: 32 bytes, or None: not sealed."""

    def __init__(self, place: Place | Path, key: bytes | None) -> None:
        self.place: Place = Folder(place) if isinstance(place, Path) else place
        self._seal = AESGCM(key) if key else None
        self._mark = _SEALED + hashlib.blake2b(key or b"", digest_size=_DIGEST).digest()

    def write(self, batch_id: str, position: int, data: bytes) -> None:
        """Keep a photo; raises ``store_unavailable``."""
        if self._seal:
            nonce = os.urandom(_NONCE)
            data = self._mark + nonce + self._seal.encrypt(nonce, data, _bound(batch_id, position))
        else:
            data = _PLAIN + data
        try:
            self.place.put(batch_id, _name(position), data)
        except OSError as error:
            raise FaunalensError(ErrorCode.STORE_UNAVAILABLE, "The photos cannot be stored now.") from error

    def read(self, batch_id: str, position: int) -> bytes:
        """The photo; raises ``photo_unavailable`` when it is gone or was changed, and ``store_unavailable`` when it
        cannot be read for now or was sealed by another key, which may come back."""
        try:
            data = self.place.get(batch_id, _name(position))
        except FileNotFoundError as error:
            raise _unavailable() from error
        except OSError as error:
            raise FaunalensError(ErrorCode.STORE_UNAVAILABLE, "The photos cannot be read now.") from error
        if data.startswith(_PLAIN):
            return data[len(_PLAIN) :]
        start = len(self._mark) + _NONCE
        if not data.startswith(_SEALED) or len(data) < start:
            raise _unavailable()
        if self._seal is None or not data.startswith(self._mark):
            why = "The photo was sealed by a key that is not FAUNALENS_PHOTO_KEY."
            raise FaunalensError(ErrorCode.STORE_UNAVAILABLE, why)
        try:
            return self._seal.decrypt(data[len(self._mark) : start], data[start:], _bound(batch_id, position))
        except InvalidTag as error:
            raise _unavailable() from error

    def delete(self, batch_id: str, *positions: int) -> None:
        """Remove photos; one that is gone is fine. Raises :class:`OSError`."""
        self.place.remove(batch_id, [_name(position) for position in positions])

    def delete_batch(self, batch_id: str) -> None:
        """Remove all photos of a batch; raises :class:`OSError`."""
        self.place.remove_batch(batch_id)

    def older_than(self, seconds: float) -> list[str]:
        """Batches that were last added to longer ago; raises :class:`OSError`."""
        return self.place.older_than(seconds)


def open_photos(settings: Settings) -> Photos:
    """The photos of the store that the settings name; raises :class:`StartError` and :class:`OSError`."""
    return Photos(open_place(settings.photos, settings.store / "photos"), settings.photo_bytes)


def _name(position: int) -> str:
    return f"{position:07d}"


def _bound(batch_id: str, position: int) -> bytes:
    return f"{batch_id}/{position}".encode()


def _unavailable() -> FaunalensError:
    return FaunalensError(ErrorCode.PHOTO_UNAVAILABLE, "The photo is not in the store any more, or cannot be opened.")
