"""The dozen sample pictures of docs/samples, each fixed by kind, variant, seed and floor."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from training.scenes.kinds import KINDS
from training.scenes.render import Settings
from training.scenes.scene import make


@dataclass(frozen=True)
class Sample:
    """file: name without ending. kind, variant, seed, floor: see scene.make. description: what is shown."""

    file: str
    kind: str
    variant: str
    seed: int
    floor: str
    description: str


SAMPLES = [
    Sample("tusks", "raw_tusk", "group", 2, "stone", "raw tusks laid out on concrete"),
    Sample("tusk-single", "raw_tusk", "single", 1, "cloth", "one raw tusk on cloth"),
    Sample("pangolin-scales", "pangolin_scales", "heap", 1, "table", "a heap of pangolin scales on a table"),
    Sample("rhino-horn", "rhino_horn", "standing", 9, "stone", "rhino horn standing on its base"),
    Sample("ivory-bangles", "ivory_bangle", "bangles", 8, "cloth", "ivory bangles on cloth"),
    Sample("bananas", "raw_tusk_twin", "bananas", 4, "table", "bananas"),
    Sample("candles", "raw_tusk_twin", "candles", 9, "table", "candles"),
    Sample("almonds", "pangolin_scales_twin", "almonds", 1, "table", "a heap of almonds"),
    Sample("wood-chips", "pangolin_scales_twin", "wood_chips", 2, "stone", "wood chips"),
    Sample("leaves", "pangolin_scales_twin", "leaves", 3, "tiles", "dry leaves"),
    Sample("wooden-bangles", "ivory_bangle_twin", "wooden", 8, "cloth", "wooden bangles on cloth"),
    Sample("cow-horn", "rhino_horn_twin", "cow_horn", 8, "table", "cattle horn"),
]


def sheet(folder: Path, settings: Settings) -> None:
    """Render the samples that `folder` lacks and write its samples.csv (file, label, group, description)."""
    folder.mkdir(parents=True, exist_ok=True)
    for sample in SAMPLES:
        target = folder / f"{sample.file}.jpg"
        if not target.exists():
            make(KINDS[sample.kind], sample.seed, target, settings, None, sample.variant, sample.floor)
            print(f"wrote {target}", flush=True)
    with (folder / "samples.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["file", "label", "group", "description"])
        for sample in SAMPLES:
            kind = KINDS[sample.kind]
            writer.writerow([f"{sample.file}.jpg", kind.label, kind.group, sample.description])
