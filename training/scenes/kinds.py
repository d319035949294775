"""The table of scene kinds: what is put on the stage, its label, and the harmless twin of every product."""

from __future__ import annotations

from dataclasses import dataclass

from training.scenes import lookalikes, materials, placers, shapes
from training.scenes.placers import Placer


@dataclass(frozen=True)
class Kind:
    """One kind of scene.

    family: shared by a product and its twin; with the seed it fixes camera, light and floor. label: class of the
    product, or `none`. group: `product` or `lookalike`. span: width of the view in units. variants: what can be shown.
    """

    name: str
    family: str
    label: str
    group: str
    span: float
    variants: dict[str, Placer]


def _kinds() -> list[Kind]:
    tusks: dict[str, Placer] = {
        "single": placers.tusks((1, 1)),
        "pair": placers.tusks((2, 2)),
        "group": placers.tusks((3, 6)),
        "pieces": placers.tusk_pieces,
    }
    horns: dict[str, Placer] = {"standing": placers.horns((1, 2), True), "lying": placers.horns((1, 3), False)}
    scales: dict[str, Placer] = {
        "heap": placers.scales((90, 150), 0.5),
        "loose": placers.scales((30, 60), 0.6),
        "few": placers.scales((5, 12), 0.5),
    }
    small: dict[str, Placer] = {
        "almonds": placers.small(shapes.almond, lookalikes.almond_skin, (0.28, 0.4), (60, 150)),
        "wood_chips": placers.small(shapes.wood_chip, lookalikes.wood, (0.3, 0.6), (60, 120)),
        "leaves": placers.small(shapes.leaf, lookalikes.dry_leaf, (0.5, 0.8), (40, 90)),
    }
    rings: dict[str, Placer] = {
        "plastic": placers.bangles(lookalikes.resin, True),
        "wooden": placers.bangles(lookalikes.wood, True),
        "porcelain": placers.bangles(lookalikes.porcelain, False),
    }
    return [
        Kind("raw_tusk", "tusk", "ivory", "product", 5.2, tusks),
        Kind(
            "raw_tusk_twin",
            "tusk",
            "none",
            "lookalike",
            5.2,
            {"bananas": placers.bananas, "candles": placers.candles, "branches": placers.branches},
        ),
        Kind("rhino_horn", "horn", "rhino_horn", "product", 4.4, horns),
        Kind(
            "rhino_horn_twin",
            "horn",
            "none",
            "lookalike",
            4.4,
            {"cow_horn": placers.cow_horns, "wooden_cone": placers.wooden_cones},
        ),
        Kind("pangolin_scales", "scales", "pangolin_scales", "product", 3.0, scales),
        Kind("pangolin_scales_twin", "scales", "none", "lookalike", 3.0, small),
        Kind(
            "ivory_bangle",
            "bangle",
            "ivory",
            "product",
            2.2,
            {"bangles": placers.bangles(materials.worked_ivory, True)},
        ),
        Kind("ivory_bangle_twin", "bangle", "none", "lookalike", 2.2, rings),
    ]


KINDS = {kind.name: kind for kind in _kinds()}
