"""Checkpoint files: whole or not there, and named where they are none."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from training.recipe import RecipeError


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
