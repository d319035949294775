"""Photos of the store as files of a folder, each once, named by its SHA-256."""

import hashlib
from pathlib import Path

from service.errors import ErrorCode, FaunalensError
from service.store.cases import Case
from service.store.photos import Photos

_SUFFIXES = {
    "JPEG": ".jpg", "MPO": ".jpg", "PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "AVIF": ".avif", "BMP": ".bmp",
    "TIFF": ".tif",
}  # fmt: skip


def suffix(format_name: str) -> str:
    """The ending of a file of Pillow's format ``format_name``."""
    return _SUFFIXES.get(format_name, ".bin")


def bytes_of(case: Case, photos: Photos) -> bytes | None:
    """The photo as it came in; None when it is not kept, cannot be opened, or is not the one that was judged.

    Raises ``store_unavailable`` when it is there and cannot be read: it is away, or sealed by another key.
    """
    if not case.photo or case.sha256 is None:
        return None
    try:
        data = photos.read(case.batch_id, case.position)
    except FaunalensError as error:
        if error.code is ErrorCode.STORE_UNAVAILABLE:
            raise
        return None
    return data if hashlib.sha256(data).hexdigest() == case.sha256 else None


def write(case: Case, photos: Photos, root: Path) -> str | None:
    """Put the photo under ``root``; returns its path there, None when there is none to write.

    Raises :class:`OSError` and ``store_unavailable``.
    """
    data = bytes_of(case, photos)
    if data is None:
        return None
    path = f"photos/{case.sha256}{suffix(case.record['image']['format'])}"
    place = root / path
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    place.write_bytes(data)
    return path
