"""Photos of the store as files of a folder, each once, named by its SHA-256."""

import hashlib
from pathlib import Path

from service.errors import ErrorCode, FaunalensError
from service.store.cases import Case
from service.store.photos import Photos

_SUFFIXES = {
    "JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "AVIF": ".avif", "BMP": ".bmp", "TIFF": ".tif",
}  # fmt: skip


class MissingPhotoError(Exception):
    """A photo that was not kept, or cannot be opened any more; the message says why."""


class ChangedPhotoError(Exception):
    """A photo in the store is not the one that was judged."""


def suffix(format_name: str) -> str:
    """The ending of a file of the format ``format_name``, see :data:`service.imaging.FORMATS`."""
    return _SUFFIXES.get(format_name, ".bin")


def original(case: Case, photos: Photos) -> bytes:
    """The photo as it came in.

    Raises :class:`MissingPhotoError`, :class:`ChangedPhotoError`, and ``store_unavailable`` when it is there and cannot
    be read: the store is away, or it is sealed by another key.
    """
    if case.sha256 is None:
        raise MissingPhotoError("it could not be judged, so it was not kept")
    if not case.photo:
        raise MissingPhotoError("its retention has ended, or none was set")
    try:
        data = photos.read(case.batch_id, case.position)
    except FaunalensError as error:
        if error.code is ErrorCode.STORE_UNAVAILABLE:
            raise
        raise MissingPhotoError(error.message) from error
    if hashlib.sha256(data).hexdigest() != case.sha256:
        raise ChangedPhotoError(f"photo {case.id} in the store is not the one that was judged")
    return data


def write(case: Case, photos: Photos, root: Path) -> str | None:
    """Put the photo under ``root``; returns its path there, None when there is none to write.

    Raises :class:`OSError` and ``store_unavailable``.
    """
    try:
        data = original(case, photos)
    except (MissingPhotoError, ChangedPhotoError):
        return None
    path = f"photos/{case.sha256}{suffix(case.record['image']['format'])}"
    place = root / path
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    place.write_bytes(data)
    return path
