"""Weights and their contract written whole, or not at all: a service may be reading the ones that lie there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.drafts import drafted


@contextmanager
def written_whole(folder: Path, name: str) -> Iterator[Path]:
    """A folder to write the files of the weights ``name`` to; at the end they move to ``folder``, the contract last.

    Nothing of ``folder`` is touched where that fails. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with drafted(folder / name) as draft:
        draft.mkdir()
        yield draft
        for path in sorted(draft.iterdir(), key=lambda path: path.suffix == ".json"):
            path.replace(folder / path.name)
