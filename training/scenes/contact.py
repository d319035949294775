"""The contact sheet of docs/pictures: one product and its twin of every family, without any photo."""

from __future__ import annotations

import tempfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from training.scenes import pool
from training.scenes.record import names
from training.scenes.render import Settings

PAIRS = [
    ("raw_tusk", "group", "bananas", 2),
    ("tusk_lot", "rows", "logs", 3),
    ("other_ivory", "scrimshaw_teeth", "plastic_cones", 1),
    ("ivory_bangle", "bangles", "wooden", 8),
    ("ivory_beads", "beads", "jade", 1),
    ("ivory_carving", "figure", "wood", 3),
    ("ivory_chess", "pieces", "marble", 1),
    ("ivory_seal", "seals", "jade", 4),
    ("rhino_horn", "standing", "cow_horn", 9),
    ("rhino_horn_cut", "mounted", "mounted_cattle_horn", 1),
    ("pangolin_scales", "heap", "almonds", 1),
    ("pangolin_scales_held", "bowl", "crisps_bowl", 2),
    ("pangolin_scales_close", "one_to_three", "mushrooms", 1),
    ("big_cat_teeth", "tooth_pendants", "metal", 1),
    ("big_cat_pelt", "tiger_flat", "print_cushions", 4),
    ("tortoiseshell_goods", "combs", "glasses_plastic", 1),
]
"""Product kind, its variant, its twin's variant, seed."""

CELL, CAPTION, ACROSS = 128, 14, 4
"""Pixels of one picture, pixels of the line below it, pairs in a row."""


def contact_sheet(target: Path, settings: Settings, jobs: int) -> None:
    """Render all PAIRS and write them to `target`, a PNG of 256 colours; raises what a failed render raised."""
    from tqdm import tqdm

    tasks = []
    for kind, product, twin, seed in PAIRS:
        tasks += [pool.Task(kind, seed, None, product), pool.Task(f"{kind}_twin", seed, None, twin)]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        (out / "masks").mkdir()
        for _, shown in tqdm(pool.run(tasks, out, settings, jobs), total=len(tasks), unit="picture"):
            if isinstance(shown, Exception):
                raise shown
        sheet = compose([out / names(task.kind, task.seed)[0] for task in tasks], [pair[0] for pair in PAIRS])
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"part-{target.name}")
    sheet.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(part, "PNG", optimize=True)
    part.replace(target)


def compose(pictures: list[Path], captions: list[str]) -> Image.Image:
    """Pictures in rows of ACROSS pairs (product left, twin right) with a caption below each pair."""
    rows = -(-len(captions) // ACROSS)
    sheet = Image.new("RGB", (ACROSS * (2 * CELL + 6), rows * (CELL + CAPTION)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for index, path in enumerate(pictures):
        pair, side = divmod(index, 2)
        x, y = (pair % ACROSS) * (2 * CELL + 6) + side * CELL, (pair // ACROSS) * (CELL + CAPTION)
        with Image.open(path) as picture:
            sheet.paste(picture.convert("RGB").resize((CELL, CELL), Image.Resampling.LANCZOS), (x, y))
        if side == 0:
            draw.text((x + 2, y + CELL), captions[pair].replace("_", " "), "black", font)
    return sheet
