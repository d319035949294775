"""Letting things fall into a natural heap with Blender's rigid bodies, then freezing them where they lie."""

from __future__ import annotations

from typing import Any

from training.scenes.blender import module

COARSE = "coarse"
"""Name of the modifier that thins the mesh the physics sees; it is removed before rendering."""


def _body(item: Any, kind: str, form: str, damping: float = 0.4) -> None:
    """Make `item` a rigid body; `kind` ACTIVE or PASSIVE, `form` its collision shape."""
    bpy = module()

    bpy.context.view_layer.objects.active = item
    if kind == "ACTIVE":
        item.modifiers.new(COARSE, "DECIMATE").ratio = min(1.0, 400 / len(item.data.polygons))
    bpy.ops.rigidbody.object_add(type=kind)
    body = item.rigid_body
    body.collision_shape, body.friction, body.restitution = form, 0.8, 0.02
    body.mesh_source = "FINAL"
    body.use_margin, body.collision_margin = True, 0.004
    body.linear_damping, body.angular_damping = damping / 2, damping


def settle(scene: Any, things: list[Any], frames: int = 70, form: str = "CONVEX_HULL", damping: float = 0.4) -> None:
    """Drop `things` onto the rest of the scene for `frames` steps of 1/24 s and keep their final poses.

    `form` is CONVEX_HULL for compact things and MESH for strongly curved ones; `damping` (0..1) brakes rolling.
    """
    bpy = module()

    others = [item for item in scene.objects if item.type == "MESH" and item not in things]
    bpy.ops.rigidbody.world_add()
    world = scene.rigidbody_world
    world.substeps_per_frame, world.solver_iterations = 7, 12
    scene.gravity = (0.0, 0.0, -30.0)
    for item in others:
        _body(item, "PASSIVE", "BOX")
    for item in things:
        _body(item, "ACTIVE", form, damping)
    world.point_cache.frame_end = frames
    for frame in range(1, frames + 1):
        scene.frame_set(frame)
    graph = bpy.context.evaluated_depsgraph_get()
    poses = [item.evaluated_get(graph).matrix_world.copy() for item in things]
    bpy.ops.rigidbody.world_remove()
    for item, pose in zip(things, poses, strict=True):
        item.modifiers.remove(item.modifiers[COARSE])
        item.matrix_world = pose
