"""What is put on the stage: each function gives a placer, which builds the subject of one variant of a scene."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random
from typing import Any

from training.scenes import lookalikes, materials, shapes, tubes
from training.scenes.blender import module
from training.scenes.settle import settle
from training.scenes.studio import add, mesh_of

Placer = Callable[[Any, Random], None]
"""Puts the subject of a picture into an empty stage (Blender scene, random generator)."""


def scatter(rng: Random, count: int, spread: float, step: float) -> list[tuple[float, float, float]]:
    """Places to drop from: a Gaussian cloud of width `spread`, each `step` higher than the one before."""
    return [(rng.gauss(0, spread), rng.gauss(0, spread), 0.15 + step * i) for i in range(count)]


def tumble(rng: Random) -> tuple[float, float, float]:
    """Any orientation."""
    return (rng.uniform(0, 2 * math.pi), rng.uniform(0, 2 * math.pi), rng.uniform(0, 2 * math.pi))


def heap(scene: Any, rng: Random, meshes: list[Any], count: int, spread: float, step: float) -> None:
    """Drop `count` copies of `meshes` into one heap."""
    things = [
        add(rng.choice(meshes), place, tumble(rng), rng.uniform(0.75, 1.15))
        for place in scatter(rng, count, spread, step)
    ]
    settle(scene, things, 60 + count // 4)


def row(scene: Any, rng: Random, meshes: list[Any], gap: float, lie: float, frames: int = 45) -> None:
    """Lay long things roughly side by side, `gap` units apart, dropped from `lie` units, and let them settle."""
    heading, flip = rng.uniform(0, 2 * math.pi), rng.random() < 0.5
    things = []
    for i, mesh in enumerate(meshes):
        off = (i - (len(meshes) - 1) / 2) * gap
        turn = heading + rng.gauss(0, 0.16) + (math.pi if flip and i % 2 else 0.0)
        place = (
            -math.sin(heading) * off + rng.gauss(0, 0.08),
            math.cos(heading) * off + rng.gauss(0, 0.08),
            lie * (0.8 + 0.3 * i),
        )
        things.append(add(mesh, place, (rng.gauss(0, 0.1), rng.gauss(0, 0.03), turn)))
    settle(scene, things, frames + 8 * len(meshes), "MESH", 0.85)


def tusks(count: tuple[int, int]) -> Placer:
    """Raw tusks side by side, as many as the range `count` (from, to) allows."""

    def place(scene: Any, rng: Random) -> None:
        number = rng.randint(*count)
        meshes = []
        for _ in range(number):
            length = rng.uniform(3.6, 5.0)
            shape = tubes.tusk(
                rng, length, length * rng.uniform(0.055, 0.085), rng.uniform(0.5, 1.3), rng.random() < 0.6
            )
            meshes.append(
                mesh_of(shape, [materials.raw_ivory(rng, rng.uniform(0.35, 1.0)), materials.ivory_section(rng)])
            )
        row(scene, rng, meshes, 0.92, 0.5)

    return place


def tusk_pieces(scene: Any, rng: Random) -> None:
    """Two to five sawn sections of tusk."""
    meshes = []
    for _ in range(rng.randint(2, 5)):
        shape = tubes.tusk_piece(rng, rng.uniform(0.7, 1.8), rng.uniform(0.3, 0.5))
        meshes.append(mesh_of(shape, [materials.raw_ivory(rng, rng.uniform(0.3, 0.9)), materials.ivory_section(rng)]))
    heap(scene, rng, meshes, len(meshes), 0.9, 0.7)


def bananas(scene: Any, rng: Random) -> None:
    """Two to five bananas of one ripeness."""
    peel = lookalikes.banana_peel(rng)
    meshes = [
        mesh_of(tubes.banana(rng, rng.uniform(3.6, 4.4), rng.uniform(0.26, 0.32)), [peel])
        for _ in range(rng.randint(2, 5))
    ]
    row(scene, rng, meshes, 0.7, 0.5)


def candles(scene: Any, rng: Random) -> None:
    """Two to six candles of one wax."""
    wax, taper = lookalikes.candle_wax(rng), rng.choice([0.05, 0.45])
    meshes = [
        mesh_of(tubes.candle(rng, rng.uniform(3.2, 4.4), rng.uniform(0.2, 0.34), taper), [wax])
        for _ in range(rng.randint(2, 6))
    ]
    row(scene, rng, meshes, 0.75, 0.4)


def branches(scene: Any, rng: Random) -> None:
    """One to four peeled branches."""
    meshes = []
    for _ in range(rng.randint(1, 4)):
        shape = tubes.branch(rng, rng.uniform(3.4, 4.8), rng.uniform(0.2, 0.32), rng.uniform(0.3, 1.1))
        meshes.append(mesh_of(shape, [lookalikes.wood(rng, rng.choice([None, (0.55, 0.45, 0.3)]))]))
    row(scene, rng, meshes, 0.75, 0.5)


def stand(scene: Any, rng: Random, meshes: list[Any], gap: float) -> list[Any]:
    """Stand horns or cones, whose base faces -x, upright side by side; returns the objects."""
    made_all = []
    for i, mesh in enumerate(meshes):
        spot = ((i - (len(meshes) - 1) / 2) * gap, rng.gauss(0, 0.15), 0.0)
        made = add(mesh, spot, (0.0, 0.0, 0.0))
        made.rotation_mode = "QUATERNION"
        made.rotation_quaternion = _upright(mesh, rng.uniform(0, 2 * math.pi))
        low = min((made.rotation_quaternion @ vertex.co).z for vertex in mesh.vertices)
        made.location.z = -low - 0.01
        made_all.append(made)
    return made_all


def _upright(mesh: Any, spin: float) -> Any:
    """Rotation that puts the base (faces of slot 1) on the floor, then spins about the vertical by `spin` radians."""
    mathutils = module("mathutils")
    inward = mathutils.Vector((0.0, 0.0, 0.0))
    for polygon in mesh.polygons:
        if polygon.material_index == 1:
            inward -= polygon.normal * polygon.area
    vertical = mathutils.Vector((0.0, 0.0, 1.0))
    return mathutils.Quaternion(vertical, spin) @ inward.rotation_difference(vertical)


def horns(count: tuple[int, int], standing: bool) -> Placer:
    """Rhino horns, `count` from and to, standing on their base or lying."""

    def place(scene: Any, rng: Random) -> None:
        meshes = []
        for _ in range(rng.randint(*count)):
            length = rng.uniform(2.4, 3.6)
            shape = tubes.rhino_horn(rng, length, length * rng.uniform(0.18, 0.27), rng.uniform(0.5, 1.2))
            meshes.append(mesh_of(shape, [materials.rhino_keratin(rng), materials.horn_base(rng)]))
        if standing:
            stand(scene, rng, meshes, 1.9)
        else:
            row(scene, rng, meshes, 1.6, 0.8)

    return place


def cow_horns(scene: Any, rng: Random) -> None:
    """One to three cattle horns, lying."""
    meshes = []
    for _ in range(rng.randint(1, 3)):
        length = rng.uniform(3.2, 4.4)
        shape = tubes.cow_horn(rng, length, length * rng.uniform(0.065, 0.09), rng.uniform(0.7, 1.9))
        meshes.append(mesh_of(shape, [lookalikes.cattle_horn(rng), lookalikes.dark_hollow(rng)]))
    row(scene, rng, meshes, 1.2, 0.6)


def wooden_cones(scene: Any, rng: Random) -> None:
    """One or two turned wooden cones, standing."""
    meshes = [
        mesh_of(
            tubes.cone(rng, rng.uniform(2.2, 3.4), rng.uniform(0.45, 0.75)),
            [lookalikes.wood(rng, None, rng.random())] * 2,
        )
        for _ in range(rng.randint(1, 2))
    ]
    stand(scene, rng, meshes, 1.7)


def scales(count: tuple[int, int], spread: float) -> Placer:
    """Loose pangolin scales, `count` from and to, dropped over a cloud `spread` units wide."""

    def place(scene: Any, rng: Random) -> None:
        pair = [materials.pangolin_keratin(rng), materials.pangolin_keratin(rng, under=True)]
        meshes = [mesh_of(shapes.pangolin_scale(rng, rng.uniform(0.4, 0.62)), pair) for _ in range(10)]
        heap(scene, rng, meshes, rng.randint(*count), spread, 0.02)

    return place


def small(
    make: Callable[[Random, float], shapes.Shape],
    material: Callable[[Random], Any],
    size: tuple[float, float],
    count: tuple[int, int],
) -> Placer:
    """A heap of small look-alikes: `size` is their length in units, from and to."""

    def place(scene: Any, rng: Random) -> None:
        looks = [material(rng) for _ in range(2)]
        meshes = [mesh_of(make(rng, rng.uniform(*size)), [rng.choice(looks)]) for _ in range(10)]
        number = rng.randint(*count)
        heap(scene, rng, meshes, number, 0.25 + 0.0035 * number, 0.02)

    return place


def bangles(material: Callable[[Random], Any], own: bool) -> Placer:
    """Bangles dropped in a loose group; `own` gives every one its own material."""

    def place(scene: Any, rng: Random) -> None:
        shared = material(rng)
        number = rng.randint(1, 5)
        meshes = []
        for _ in range(number):
            shape = shapes.bangle(rng, rng.uniform(0.34, 0.4), rng.uniform(0.12, 0.35), rng.uniform(0.09, 0.16))
            meshes.append(mesh_of(shape, [material(rng) if own else shared]))
        for i, mesh in enumerate(meshes):
            angle = 2 * math.pi * i / number
            reach = 0.0 if number == 1 else 0.52
            add(
                mesh,
                (reach * math.cos(angle), reach * math.sin(angle), 0.3 + 0.25 * i),
                (rng.gauss(0, 0.25), rng.gauss(0, 0.25), rng.uniform(0, 6)),
            )
        settle(scene, [item for item in scene.objects if item.pass_index == 1], 60)

    return place
