"""Moving and scaling the subject, as one group, so that it fills the picture of the fixed camera.

The camera never moves, because a product and its twin share it; the things are shifted on the floor and scaled.
"""

from __future__ import annotations

from typing import Any

from training.scenes.blender import module
from training.scenes.studio import COMPANION, SUBJECT


def subjects(scene: Any) -> list[Any]:
    """The objects the picture is about, and those that go with them."""
    return [item for item in scene.objects if item.pass_index == SUBJECT or COMPANION in item]


def _extent(scene: Any, things: list[Any], whole: bool) -> tuple[float, float, float, float]:
    """Left, right, bottom and top of the things in the picture, as shares of its width and height (0..1 is inside)."""
    world_to_camera_view = module("bpy_extras.object_utils").world_to_camera_view
    mathutils = module("mathutils")

    points = []
    for item in things:
        step = 23 if len(item.data.vertices) > 400 else 1
        local = item.data.vertices.values()[::step] if whole else []
        points += [item.matrix_world @ vertex.co for vertex in local] or [
            mathutils.Vector(item.matrix_world.translation)
        ]
    seen = [world_to_camera_view(scene, scene.camera, point) for point in points]
    xs, ys = (
        sorted(min(2.0, max(-1.0, value)) for value in axis) for axis in ([v.x for v in seen], [v.y for v in seen])
    )
    drop = 0 if whole else len(xs) // 20
    return xs[drop], xs[-1 - drop], ys[drop], ys[-1 - drop]


def fit(scene: Any, span: float, fill: float, whole: bool = True) -> None:
    """Centre the subject and scale it until its larger side takes `fill` (0..1) of the picture.

    span: width of the view in scene units. whole: every part must be inside; otherwise only the centres of 9 in 10.
    """
    bpy = module()
    mathutils = module("mathutils")

    things = subjects(scene)
    bpy.context.view_layer.update()
    for _ in range(12):
        left, right, low, high = _extent(scene, things, whole)
        axes = scene.camera.matrix_world.to_3x3()
        across, away = mathutils.Vector(axes.col[0]), -mathutils.Vector(axes.col[2])
        across.z = away.z = 0.0
        aspect = scene.render.resolution_y / scene.render.resolution_x
        steep = max(0.5, abs(axes.col[2].z))
        shift = across.normalized() * (0.5 - (left + right) / 2) * span * 0.8
        shift += away.normalized() * (0.5 - (low + high) / 2) * span * 0.8 * aspect / steep
        factor = min(1.3, max(0.6, fill / max(right - left, high - low, 0.05)))
        change = mathutils.Matrix.Translation(shift) @ mathutils.Matrix.Scale(factor, 4)
        for item in things:
            item.matrix_world = change @ item.matrix_world
        bpy.context.view_layer.update()
