"""Putting a background photo into the scene: printed on the floor, or on a wall behind the subject."""

from __future__ import annotations

import math
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from service.imaging import MAX_VIEW_SIDE, Limits, view
from training.scenes.backgrounds import Background
from training.scenes.blender import module
from training.scenes.framing import subjects
from training.scenes.nodes import Graph
from training.scenes.shapes import box
from training.scenes.studio import add, mesh_of


def load(photo: Path) -> Any:
    """The photo as Blender's image, upright: Blender itself does not heed how the camera was held."""
    images = module().data.images
    picture = view(photo.read_bytes(), Limits(), MAX_VIEW_SIDE)
    if picture.header.orientation == 1:
        return images.load(str(photo.resolve()))
    with NamedTemporaryFile(suffix=".png") as file:
        picture.rgb.save(file, "PNG", compress_level=1)
        file.flush()
        image = images.load(file.name)
        image.pack()
    return image


def _material(background: Background, vector: Any, g: Graph, width: float) -> Any:
    """The photo, `width` units wide, mirrored beyond its borders; `vector` is the position on the surface in units."""
    image = load(background.photo)
    across, high = image.size
    if not across or not high:
        raise ValueError(f"{background.photo} is not a readable picture")
    texture = g.node("TexImage", image=image, extension="MIRROR")
    moved = g.node("VectorMath", operation="ADD")
    g.put(moved.inputs[0], g.scaled(vector, (1 / width, across / (width * high), 0.0)))
    moved.inputs[1].default_value = (0.5, 0.5 if background.use == "floor" else 0.0, 0.0)
    g.put(texture.inputs["Vector"], moved.outputs[0])
    colour = texture.outputs["Color"]
    return g.finish(colour, 0.6, None, Emission_Color=colour, Emission_Strength=background.glow)


def print_floor(background: Background, floor: Any, span: float) -> None:
    """Replace the material of the object `floor` by the photo, turned, centred under the subject."""
    g = Graph("printed floor")
    turned = g.node("VectorRotate", rotation_type="Z_AXIS")
    g.put(turned.inputs["Vector"], g.node("NewGeometry").outputs["Position"])
    turned.inputs["Angle"].default_value = background.turn
    floor.data.materials[0] = _material(background, turned.outputs[0], g, background.width * span * 1.3)


def stand_wall(background: Background, scene: Any, span: float) -> None:
    """A wall with the photo close behind the subject, square to the camera; it throws no shadow."""
    mathutils = module("mathutils")

    axes = scene.camera.matrix_world.to_3x3()
    away = -mathutils.Vector(axes.col[2])
    away.z = 0.0
    away.normalize()
    far = max(
        (item.matrix_world @ mathutils.Vector(corner)).dot(away)
        for item in subjects(scene)
        for corner in item.bound_box
    )
    distance = far + 0.06 * span
    g = Graph("printed wall")
    reach = distance - scene.camera.location.dot(away)
    view = max(span, reach * scene.camera.data.sensor_width / scene.camera.data.lens)
    height = span * 14
    low = g.node("VectorMath", operation="ADD")
    g.put(low.inputs[0], g.node("TexCoord").outputs["Object"])
    low.inputs[1].default_value = (0.0, height / 2, 0.0)
    material = _material(background, low.outputs[0], g, view * background.width * 0.8)
    turn = (math.pi / 2, 0.0, math.atan2(away.y, away.x) - math.pi / 2)
    place = away * (distance + 0.05 * span)
    wall = add(mesh_of(box((span * 30, height, span * 0.1)), [material]), (place.x, place.y, height / 2), turn, index=0)
    wall.visible_shadow = False
