"""Files and folders that take shape under another name, so that there is never half of one."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def drafted(out: Path) -> Iterator[Path]:
    """A path beside ``out``, free at first. What takes shape there gets its name by ``rename`` or ``replace``.

    Whatever still lies there at the end is removed. Raises :class:`OSError`.
    """
    draft = out.with_name(f".{out.name}.part")
    _remove(draft)
    try:
        yield draft
    finally:
        _remove(draft)


def _remove(draft: Path) -> None:
    if draft.is_dir():
        shutil.rmtree(draft)
    else:
        draft.unlink(missing_ok=True)
