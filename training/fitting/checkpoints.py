"""Checkpoint files: whole or not there, of one run at a time, and named where they are none."""

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from training.recipe import RecipeError

_LOCK = ".lock"


def write(state: Mapping[str, object], path: Path) -> None:
    """Write ``state`` beside ``path``, then move it there; raises OSError where it cannot be written."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        torch.save(dict(state), partial)
    except (OSError, RuntimeError) as error:
        partial.unlink(missing_ok=True)
        raise OSError(f"{path} cannot be written: {error}") from error
    partial.replace(path)


def read(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """The state kept in ``path``; raises :class:`RecipeError` when the file is no checkpoint."""
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # a file of another kind ends torch's reader anywhere
        raise RecipeError(f"{path} is no checkpoint of a run") from error
    if not isinstance(state, dict) or not {"recipe", "average"} <= state.keys():
        raise RecipeError(f"{path} is no checkpoint of a run")
    return state


@contextmanager
def kept(folder: Path) -> Iterator[None]:
    """Keep ``folder`` for the run of this process; raises :class:`RecipeError` while another process has it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("a") as stream:
        try:
            # not flock: processes that read photos would inherit that one, and outlive a killed run by seconds
            fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RecipeError(f"another run is under way in {folder}: choose another --out") from error
        yield
