"""Rendering a finished scene: the photo (JPEG) and the mask of its subject (8-bit PNG), on the CPU with Cycles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.scenes.blender import module
from training.scenes.jpeg import without_comments
from training.scenes.nodes import Graph
from training.scenes.png import without_texts

_ENDS = {".jpg": b"\xff\xd9", ".png": b"IEND\xae\x42\x60\x82"}
"""The last bytes of a whole file."""


@dataclass(frozen=True)
class Settings:
    """width and height in pixels, samples per pixel, threads of the renderer, JPEG quality 0 to 100."""

    width: int = 320
    height: int = 320
    samples: int = 24
    threads: int = 1
    quality: int = 90


def _prepare(scene: Any, settings: Settings, samples: int, denoise: bool) -> None:
    """Size, samples, threads and light bounces of the next render."""
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.samples, scene.cycles.seed, scene.cycles.use_denoising = samples, 0, denoise
    scene.cycles.max_bounces, scene.cycles.diffuse_bounces, scene.cycles.use_adaptive_sampling = 4, 2, False
    scene.render.resolution_x, scene.render.resolution_y = settings.width, settings.height
    scene.render.resolution_percentage = 100
    scene.render.threads_mode, scene.render.threads = "FIXED", settings.threads


def _write(scene: Any, path: Path) -> None:
    """Render to a temporary neighbour first, so that an interrupted run leaves no half file under the final name.

    Raises OSError where the file is not whole: Blender says so on standard error only.
    """
    bpy = module()

    part = path.with_name(f"part-{path.name}")
    scene.render.filepath = str(part)
    bpy.ops.render.render(write_still=True)
    data = part.read_bytes()
    if not data.endswith(_ENDS[path.suffix]):
        part.unlink()
        raise OSError(f"{path} cannot be written whole")
    part.write_bytes(without_comments(data) if path.suffix == ".jpg" else without_texts(data))
    part.replace(path)


def photo(scene: Any, path: Path, settings: Settings) -> None:
    """Render the scene as a JPEG."""
    _prepare(scene, settings, settings.samples, True)
    scene.render.image_settings.file_format = "JPEG"
    scene.render.image_settings.quality = settings.quality
    _write(scene, path)


def mask(scene: Any, path: Path, settings: Settings) -> None:
    """Render white where the subject is seen and black elsewhere. Spoils the scene for photos: call it last.

    Every material is replaced by one that glows with the object's index (1 on subjects, 0 on floor and props).
    """
    _prepare(scene, settings, 1, False)
    g = Graph("mask")
    g.finish((0.0, 0.0, 0.0), 1.0, Specular_IOR_Level=0.0)
    g.put(g.bsdf.inputs["Emission Color"], (1.0, 1.0, 1.0))
    g.put(g.bsdf.inputs["Emission Strength"], g.node("ObjectInfo").outputs["Object Index"])
    scene.view_layers[0].material_override = g.material
    scene.cycles.max_bounces = 0
    scene.world.node_tree.nodes["Background"].inputs[1].default_value = 0.0
    scene.camera.data.dof.use_dof = False
    scene.view_settings.look = "None"
    scene.view_settings.view_transform = "Raw"
    scene.render.dither_intensity = 0.0
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode, scene.render.image_settings.color_depth = "BW", "8"
    for lamp in [item for item in scene.objects if item.type == "LIGHT"]:
        lamp.hide_render = True
    _write(scene, path)
