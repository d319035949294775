"""The stage of a scene: empty file, floor, light, camera and props; adding meshes; rendering the photo and its mask."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np

from training.scenes.blender import module
from training.scenes.floors import FLOORS
from training.scenes.grounds import GROUNDS
from training.scenes.lookalikes import resin, wood
from training.scenes.materials import tint
from training.scenes.nodes import Graph
from training.scenes.shapes import Shape, box

SUBJECT = 1
"""Object index of what the picture is about; floor and props keep 0."""

FLOOR = "floor"
"""Custom property of what everything lies on. Names stay as they are: Blender derives chance from them."""

COMPANION = "companion"
"""Custom property of a bowl, bag, cord or mount: not the subject, but moved and scaled with it."""


def empty_scene() -> Any:
    """Forget everything of the previous scene and return a fresh one."""
    bpy = module()

    bpy.ops.wm.read_factory_settings(use_empty=True)
    return bpy.context.scene


def mesh_of(shape: Shape, materials: list[Any]) -> Any:
    """Blender mesh data of `shape`, with its `grain` and `along` attributes; shared by several objects if wanted."""
    bpy = module()

    mesh = bpy.data.meshes.new("shape")
    mesh.from_pydata(shape.verts.tolist(), [], shape.faces)
    for material in materials:
        mesh.materials.append(material)
    top = len(materials) - 1
    if shape.slots:
        mesh.polygons.foreach_set("material_index", [min(slot, top) for slot in shape.slots])
    mesh.polygons.foreach_set("use_smooth", [shape.smooth] * len(mesh.polygons))
    mesh.attributes.new("grain", "FLOAT_VECTOR", "POINT").data.foreach_set(
        "vector", shape.grain.astype(np.float32).ravel()
    )
    mesh.attributes.new("along", "FLOAT", "POINT").data.foreach_set("value", shape.along.astype(np.float32).ravel())
    mesh.update()
    return mesh


def add(
    mesh: Any,
    place: tuple[float, float, float],
    turn: tuple[float, float, float],
    size: float = 1.0,
    index: int = SUBJECT,
) -> Any:
    """Put `mesh` into the scene at `place` (units), turned by Euler angles `turn` (radians), scaled by `size`."""
    bpy = module()

    made = bpy.data.objects.new("thing", mesh)
    bpy.context.collection.objects.link(made)
    made.location, made.rotation_euler, made.scale = place, turn, (size, size, size)
    made.pass_index = index
    return made


def _floor(rng: Random, floor: str | None) -> None:
    """A large plane at height 0 with one of the floor or ground materials."""
    material = (FLOORS | GROUNDS)[floor or rng.choice(list(FLOORS))](rng)
    plane = box((80.0, 80.0, 1.0))
    place = (rng.uniform(-3, 3), rng.uniform(-3, 3), -0.5)
    add(mesh_of(plane, [material]), place, (0.0, 0.0, rng.uniform(0, 2 * math.pi)), index=0)[FLOOR] = True


def _light(scene: Any, rng: Random, span: float) -> None:
    """One of three lights, key plus sky: window (large, to one side), lamp (small, warm) or flash by the camera."""
    bpy = module()

    mood = rng.choice(["window", "window", "lamp", "flash"])
    size, power, warm = {"window": (1.4, 1.0, 0.0), "lamp": (0.25, 0.9, 0.22), "flash": (0.12, 0.7, -0.03)}[mood]
    angle, height = rng.uniform(0, 2 * math.pi), rng.uniform(0.8, 1.5)
    if mood == "flash":
        angle, height = -math.pi / 2 + rng.uniform(-0.2, 0.2), 1.3
    place = (span * 1.2 * math.cos(angle), span * 1.2 * math.sin(angle), span * height)
    data = bpy.data.lights.new("key", "AREA")
    data.energy, data.size = 33.0 * power * span * span * rng.uniform(0.8, 1.25), size * span
    data.color = (1.0, 1.0 - warm * 0.6, 1.0 - warm * 1.6 if warm > 0 else 1.0)
    key = bpy.data.objects.new("key", data)
    bpy.context.collection.objects.link(key)
    key.location = place
    key.rotation_euler = _facing(place, (0.0, 0.0, 0.0))
    world = bpy.data.worlds.new("sky")
    scene.world = world
    world.use_nodes = True
    background = world.node_tree.nodes["Background"]
    background.inputs[0].default_value = (*tint(rng, (0.9, 0.93, 1.0), 0.1), 1.0)
    background.inputs[1].default_value = rng.uniform(0.25, 0.6)


def _facing(place: tuple[float, float, float], target: tuple[float, float, float]) -> Any:
    """Euler angles that point a camera or light at `place` towards `target`."""
    mathutils = module("mathutils")
    return (mathutils.Vector(target) - mathutils.Vector(place)).to_track_quat("-Z", "Y").to_euler()


def _camera(scene: Any, rng: Random, span: float, fixed: float | None) -> None:
    """A hand-held camera in front of the things, looking down; `span` is the width to be seen, in units.

    `fixed` is the angle below the horizon in degrees (default: by chance).
    """
    bpy = module()

    data = bpy.data.cameras.new("camera")
    data.lens = rng.uniform(34, 60)
    camera = bpy.data.objects.new("camera", data)
    bpy.context.collection.objects.link(camera)
    distance = span * data.lens / 36 * rng.uniform(1.05, 1.3)
    tilt, angle = math.radians(rng.uniform(32, 72)), -math.pi / 2 + rng.uniform(-0.35, 0.35)
    tilt = tilt if fixed is None else math.radians(fixed)
    flat = distance * math.cos(tilt)
    place = (flat * math.cos(angle), flat * math.sin(angle), distance * math.sin(tilt))
    camera.location = place
    camera.rotation_euler = _facing(
        place, (rng.uniform(-0.05, 0.05) * span, rng.uniform(-0.05, 0.05) * span, 0.07 * span)
    )
    camera.rotation_euler.rotate_axis("Z", rng.gauss(0, 0.04))
    data.dof.use_dof, data.dof.focus_distance, data.dof.aperture_fstop = True, distance, rng.uniform(0.5, 2.0)
    scene.camera = camera


def _ruler(rng: Random, span: float) -> None:
    """A ruler of about half the picture's width, with tick marks, in front of the things."""
    g = Graph("ruler")
    parts = g.node("SeparateXYZ")
    g.put(parts.inputs[0], g.position())
    tick = g.span(
        g.math("ABSOLUTE", g.math("SINE", g.math("MULTIPLY", parts.outputs[0], 100.0 / span))), 0.10, 0.2, 1.0, 0.0
    )
    edge = g.span(parts.outputs[1], 0.004 * span, 0.006 * span)
    colour = g.mix(
        g.math("MULTIPLY", tick, edge), tint(rng, rng.choice([(0.8, 0.8, 0.78), (0.75, 0.55, 0.1)])), (0.02, 0.02, 0.02)
    )
    shape = box((span * 0.5, span * 0.045, span * 0.006))
    turn = (0.0, 0.0, rng.uniform(-0.15, 0.15))
    add(
        mesh_of(shape, [g.finish(colour, 0.4)]),
        (rng.uniform(-0.15, 0.15) * span, -0.385 * span, 0.003 * span),
        turn,
        index=0,
    )


def _clutter(rng: Random, span: float) -> None:
    """A few plain blocks near the back edge: a box, a phone, a piece of wood."""
    looks: list[Callable[[Random], Any]] = [resin, wood]
    for side in rng.sample([-1, 1], rng.choice([1, 2])):
        size = (span * rng.uniform(0.12, 0.3), span * rng.uniform(0.08, 0.16), span * rng.uniform(0.01, 0.1))
        material = rng.choice(looks)(rng)
        place = (side * span * rng.uniform(0.3, 0.5), span * rng.uniform(0.55, 0.75), size[2] / 2)
        add(mesh_of(box(size), [material]), place, (0.0, 0.0, rng.uniform(0, 3)), index=0)


def stage(rng: Random, span: float, size: tuple[int, int], floor: str | None = None, tilt: float | None = None) -> Any:
    """An empty stage for things about `span` units wide, for a picture of `size` pixels (width, height).

    `floor` names one of floors.FLOORS or grounds.GROUNDS (default: one of FLOORS by chance); `tilt` is the camera's
    angle below the horizon in degrees (default: 32 to 72 by chance).
    """
    scene = empty_scene()
    scene.render.resolution_x, scene.render.resolution_y = size
    _floor(rng, floor)
    _light(scene, rng, span)
    _camera(scene, rng, span, tilt)
    if rng.random() < 0.3:
        _ruler(rng, span)
    if rng.random() < 0.35:
        _clutter(rng, span)
    scene.view_settings.view_transform = rng.choice(["AgX", "AgX", "Standard"])
    if scene.view_settings.view_transform == "AgX":
        scene.view_settings.look = rng.choice(["AgX - Medium High Contrast", "AgX - High Contrast"])
    return scene
