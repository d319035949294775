"""Kinds of scenes: raw goods (tusks, teeth, horns, scales), bangles, and their twins."""

from __future__ import annotations

from training.scenes import cuts, flakes, lookalikes, lots, materials, placers, shapes, teeth, tubes, vessels
from training.scenes.dentine import radish_skin
from training.scenes.kind import Kind, pair
from training.scenes.placers import Placer


def _first() -> list[Kind]:
    """Tusks, horns, scales and bangles. Their names and order stay, and with them their pictures."""
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
        Kind("pangolin_scales", "scales", "pangolin_scales", "product", 3.0, scales, loose=True),
        Kind("pangolin_scales_twin", "scales", "none", "lookalike", 3.0, small, loose=True),
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


def _tusks() -> list[Kind]:
    """Seized tusks and other teeth."""
    whale, walrus = lots.tooth_like(teeth.whale_tooth, (1.2, 2.2)), lots.tooth_like(teeth.walrus_tusk, (3.0, 4.6))
    hippo = lots.tooth_like(teeth.hippo_tusk, (2.6, 4.2))
    drawn = [
        lots.tooth_like(teeth.whale_tooth, (1.4, 2.2), 0.9),
        lots.tooth_like(teeth.walrus_tusk, (3.0, 4.2), 0.9),
    ]
    cones = (lambda rng, length: tubes.cone(rng, length, length * rng.uniform(0.14, 0.22)), (1.2, 2.4))
    plain = (lambda rng, length: teeth.whale_tooth(rng, length), (1.2, 2.4))
    roots = (lambda rng, length: teeth.radish(rng, length, length * rng.uniform(0.09, 0.16)), (2.0, 3.6))
    return [
        *pair(
            "tusk_lot",
            "ivory",
            8.0,
            {
                "rows": lots.rows(lots.tusk, (7, 22)),
                "pile": lots.pile(lots.tusk),
                "numbered": lots.few(lots.marked_tusk, (1, 4)),
                "crossed": lots.crossed(lots.marked_tusk),
                "sections": lots.cut(lots.section, (4, 9)),
            },
            {
                "logs": lots.rows(lots.log, (7, 22)),
                "log_pile": lots.pile(lots.log),
                "pipes": lots.rows(lots.pipe, (5, 16)),
                "pipe_pile": lots.pile(lots.pipe),
                "horns": lots.rows(lots.cattle_horn, (4, 12)),
                "crossed_horns": lots.crossed(lots.cattle_horn),
                "bananas": lots.rows(lots.banana, (6, 18)),
                "log_sections": lots.cut(lots.log_section, (4, 9)),
            },
            floors=("concrete", "concrete", "tarpaulin", "soil", "grass", "stone", "paper", "tiles"),
        ),
        *pair(
            "other_ivory",
            "ivory",
            3.8,
            {
                "whale_teeth": lots.few(whale, (1, 5), 0.85),
                "walrus_tusks": lots.few(walrus, (1, 3), 0.9),
                "hippo_tusks": lots.few(hippo, (1, 3), 1.5),
                "hippo_incisors": lots.few(lots.tooth_like(teeth.hippo_incisor, (1.4, 2.6)), (1, 4), 0.8),
                "scrimshaw_teeth": lots.few(drawn[0], (1, 2), 1.0),
                "scrimshaw_tusks": lots.few(drawn[1], (1, 2), 1.0),
            },
            {
                "plastic_cones": lots.few(lots.form_of(*plain, lookalikes.resin), (1, 5), 0.85),
                "wooden_teeth": lots.few(lots.form_of(*plain, lookalikes.wood), (1, 4), 0.85),
                "ceramic_cones": lots.few(lots.form_of(*cones, lookalikes.porcelain), (1, 4), 0.9),
                "wooden_pegs": lots.few(lots.form_of(*cones, lookalikes.wood), (1, 5), 0.9),
                "roots": lots.few(lots.form_of(*roots, radish_skin), (1, 5), 0.9),
                "stones": cuts.dropped(cuts.stone, (1, 5)),
            },
        ),
    ]


def _horns_and_scales() -> list[Kind]:
    """Rhino horn cut up or mounted; pangolin scales in vessels and close up."""
    vessel = {
        "bowl": vessels.held(vessels.bowl, flakes.pangolin, (40, 99)),
        "bag": vessels.held(vessels.bag, flakes.pangolin, (60, 132)),
    }
    snacks = {
        "crisps_bowl": vessels.held(vessels.bowl, flakes.CRISPS, (25, 55)),
        "cone_scales_bowl": vessels.held(vessels.bowl, flakes.CONE_SCALES, (40, 99)),
        "mushrooms_bowl": vessels.held(vessels.bowl, flakes.MUSHROOMS, (25, 55)),
        "mushrooms_bag": vessels.held(vessels.bag, flakes.MUSHROOMS, (40, 77)),
        "bark_bag": vessels.held(vessels.bag, flakes.BARK, (50, 110)),
        "leaves_bag": vessels.held(vessels.bag, flakes.LEAVES, (40, 88)),
        "shells_bowl": vessels.held(vessels.bowl, flakes.SHELLS, (30, 66)),
    }
    batches = {
        "crisps": flakes.CRISPS,
        "cone_scales": flakes.CONE_SCALES,
        "mushrooms": flakes.MUSHROOMS,
        "bark": flakes.BARK,
        "shells": flakes.SHELLS,
        "leaves": flakes.LEAVES,
    }
    return [
        *pair(
            "rhino_horn_cut",
            "rhino_horn",
            3.4,
            {
                "pieces": cuts.dropped(cuts.horn_piece, (1, 5)),
                "slices": cuts.dropped(cuts.horn_slice, (1, 5)),
                "lumps": cuts.dropped(cuts.horn_lump, (2, 6)),
                "mounted": cuts.mounted(cuts.rhino_horn, cuts.one_or_two),
            },
            {
                "coasters": cuts.dropped(cuts.coaster, (1, 5)),
                "blocks": cuts.dropped(cuts.block, (1, 5)),
                "stones": cuts.dropped(cuts.stone, (1, 5)),
                "driftwood": lots.few(cuts.driftwood, (1, 3), 1.2),
                "mounted_cattle_horn": cuts.mounted(cuts.cattle_horn, cuts.one_or_two),
                "mounted_cone": cuts.mounted(cuts.wooden_cone, cuts.one_or_two),
            },
        ),
        *pair("pangolin_scales_held", "pangolin_scales", 3.2, {**vessel}, {**snacks}),
        *pair(
            "pangolin_scales_close",
            "pangolin_scales",
            1.4,
            {"one_to_three": vessels.scattered(flakes.pangolin, (1, 3), 0.22)},
            {name: vessels.scattered(batch, (1, 3), 0.22) for name, batch in batches.items()},
        ),
    ]


RAW = [*_first(), *_tusks(), *_horns_and_scales()]
