"""Kinds of scenes: worked ivory, big cat teeth, claws and skins, tortoiseshell, and their twins."""

from __future__ import annotations

from random import Random
from typing import Any

from training.scenes import (
    carvings,
    coats,
    dentine,
    fancy,
    hides,
    jewels,
    lookalikes,
    materials,
    shapes,
    stones,
    teeth,
)
from training.scenes.kind import Kind, pair


def _carvings() -> list[Kind]:
    """Worked ivory, and the same forms in other materials."""
    looks = stones.WORKED
    return [
        *pair(
            "ivory_beads",
            "ivory",
            2.6,
            {"beads": jewels.beads(materials.worked_ivory)},
            {name: jewels.beads(look) for name, look in looks.items()},
        ),
        *pair(
            "ivory_seal",
            "ivory",
            1.6,
            {"seals": jewels.seals(materials.worked_ivory)},
            {name: jewels.seals(look) for name, look in looks.items()},
        ),
        *pair(
            "ivory_chess",
            "ivory",
            3.4,
            {"pieces": jewels.chess(materials.worked_ivory)},
            {name: jewels.chess(look) for name, look in looks.items()},
        ),
        *pair(
            "ivory_carving",
            "ivory",
            2.6,
            {form: jewels.carving(materials.worked_ivory, form) for form in carvings.FORMS},
            {name: jewels.carving(look) for name, look in looks.items()},
        ),
    ]


def _cats_and_shell() -> list[Kind]:
    """Big cat teeth, claws and skins; tortoiseshell."""

    def canine(rng: Random) -> shapes.Shape:
        return teeth.canine(rng, rng.uniform(0.75, 1.1))

    def claw(rng: Random) -> shapes.Shape:
        return teeth.claw(rng, rng.uniform(0.55, 0.85))

    def either(rng: Random) -> shapes.Shape:
        return rng.choice([canine, claw])(rng)

    looks = stones.WORKED
    patterns = {"tiger": coats.tiger, "leopard": coats.leopard, "jaguar": coats.jaguar}
    wild = {name: coats.fur(pattern) for name, pattern in patterns.items()}

    def whole(rng: Random) -> shapes.Shape:
        return hides.pelt(rng, rng.uniform(17, 24), rng.random() < 0.75)

    def headless(rng: Random) -> shapes.Shape:
        return hides.pelt(rng, rng.uniform(16, 22), rng.random() < 0.6, rng.random() < 0.5)

    def cow(rng: Random) -> shapes.Shape:
        return hides.pelt(rng, rng.uniform(17, 22), False, False, 1.6)

    def rug(rng: Random) -> shapes.Shape:
        return hides.sheet(rng, rng.uniform(6, 10), rng.uniform(9, 14), rng.choice([0.0, 0.8, 0.5]))

    prints = [coats.printed(pattern) for pattern in patterns.values()]

    def cloth(rng: Random) -> Any:
        return rng.choice(prints)(rng)

    return [
        *pair(
            "big_cat_teeth",
            "big_cat_parts",
            1.8,
            {
                "tooth_pendants": jewels.pendants(canine, [dentine.tooth, materials.ivory_section], (1, 3)),
                "claw_pendants": jewels.pendants(claw, [dentine.claw_keratin, lookalikes.dark_hollow], (1, 3)),
                "teeth": jewels.loose(canine, [dentine.tooth, materials.ivory_section], (1, 6)),
                "claws": jewels.loose(claw, [dentine.claw_keratin, lookalikes.dark_hollow], (2, 10)),
            },
            {
                **{name: jewels.pendants(either, [look], (1, 3)) for name, look in looks.items()},
                "lumps": jewels.loose(lambda rng: carvings.netsuke(rng, rng.uniform(0.3, 0.5)), [stones.jade], (1, 5)),
            },
        ),
        *pair(
            "tortoiseshell_goods",
            "tortoiseshell",
            2.6,
            {name: fancy.laid(make, fancy.tortoiseshell, many, gap) for name, (make, many, gap) in fancy.GOODS.items()},
            {
                f"{name}_{material}": fancy.laid(make, look, many, gap)
                for name, (make, many, gap) in fancy.GOODS.items()
                for material, look in fancy.PLAIN.items()
            },
        ),
        *pair(
            "big_cat_pelt",
            "big_cat_skin",
            18.0,
            {
                **{f"{name}_flat": hides.laid(whole, fur) for name, fur in wild.items()},
                **{f"{name}_draped": hides.laid(headless, fur, hides.draped) for name, fur in wild.items()},
                **{f"{name}_folded": hides.laid(headless, fur, hides.folded) for name, fur in wild.items()},
            },
            {
                "print_cushions": hides.cushions(cloth),
                "print_garments": hides.stacked(cloth),
                "print_blanket": hides.laid(rug, cloth, hides.folded),
                "cow_hide": hides.laid(cow, coats.fur(coats.cattle)),
                "cow_hide_draped": hides.laid(cow, coats.fur(coats.cattle), hides.draped),
                "plain_rug": hides.laid(rug, coats.fur(coats.plain, 1.0, 2.5)),
                "sheepskin": hides.laid(cow, coats.fur(coats.plain, 1.0, 3.0)),
                "plain_garments": hides.stacked(coats.printed(coats.plain)),
            },
            floors=("table", "tiles", "stone", "cloth", "paper", "concrete", "grass"),
        ),
    ]


WORKED = [*_carvings(), *_cats_and_shell()]
