"""The one door to Blender: its modules have no type stubs and are optional, so they come in by name, as `Any`."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any


def module(name: str = "bpy") -> Any:
    """Blender's Python module `name` (bpy, mathutils, bpy_extras.object_utils); ImportError without the extra."""
    return importlib.import_module(name)


def installed() -> bool:
    """Whether `bpy` can be imported. It is not: its import changes sys.path, which worker processes inherit."""
    return importlib.util.find_spec("bpy") is not None
