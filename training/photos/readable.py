"""Photos that cannot be read, told all at once before the work that needs them begins."""

import unicodedata
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from service.imaging import Limits, decode
from service.runtime.cores import available_cores
from training.photos.manifest import ManifestError, named

LIMITS = Limits()
"""What a photo to train on may cost: as much as the service takes unless told otherwise."""
_SIDE = 128
_NAMED = 20


def check_there(photos: Sequence[Path], where: Path, root: Path) -> None:
    """Raise :class:`ManifestError` where photos that are named in ``where``, from ``root`` on, are no files."""
    missing = [path for path in photos if not path.is_file()]
    if missing:
        others = f", nor are {len(missing) - 1} others" if len(missing) > 1 else ""
        advice = _spelt_otherwise(missing[0]) or f"; names count from {root} on"
        raise ManifestError(f"{missing[0]} is named in {where} but is not there{others}{advice}")


def _spelt_otherwise(path: Path) -> str:
    """What to say where the folder has that name in capitals, with an ending, or with another system's accents, say."""
    with suppress(OSError):
        for other in path.parent.iterdir():
            if _plainly(path.name) in (_plainly(other.name), _plainly(other.stem)):
                return f"; the folder has {other.name!a}, not {path.name!a}"
    return ""


def _plainly(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold().strip()


def check_readable(photos: Sequence[Path], limits: Limits) -> None:
    """Decode every photo, small; raises as :func:`refuse` does where some cannot be read or decoded."""

    def fault(path: Path) -> ManifestError | None:
        try:
            with named(path):
                decode(path.read_bytes(), limits, _SIDE)
        except ManifestError as error:
            return error
        return None

    # as in copies.py: the rendered scenes import this module without it
    from tqdm import tqdm

    with ThreadPoolExecutor(available_cores()) as pool:
        found = list(tqdm(pool.map(fault, photos), "reading", total=len(photos), unit="photo", mininterval=2))
    refuse([error for error in found if error])


def refuse(faults: Sequence[ManifestError]) -> None:
    """Raise :class:`ManifestError` with a line for each of ``faults``, 20 at most, if there are any."""
    if faults:
        raise ManifestError("\n".join(listed([str(fault) for fault in faults])))


def listed(faults: Sequence[str]) -> list[str]:
    """The first 20 of ``faults``, and how many more there are."""
    more = [f"and {len(faults) - _NAMED} more"] if len(faults) > _NAMED else []
    return [*faults[:_NAMED], *more]
