import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageDraw

from training.cli import compose
from training.photos.dataset import SIDE
from training.photos.manifest import Photo, read_manifest
from training.synthesis import composites
from training.synthesis.composites import SOURCE, cut, mask_of, plan, write

pytestmark = pytest.mark.training


def _photo(root: Path, name: str, group: str, label: str = "", split: str = "train", seed: int = 0) -> Photo:
    if group == "listing":
        noise = np.random.default_rng(seed).integers(0, 256, (10, 12, 3)).astype(np.uint8)
        image = Image.fromarray(noise).resize((120, 100), Image.Resampling.BILINEAR)
    else:
        image = Image.new("RGB", (120, 100), (248, 248, 248))
        ImageDraw.Draw(image).ellipse((30, 20, 90, 80), fill=(220, 200, 150) if label else (40, 90, 160))
    image.save(root / f"{name}.png")
    return Photo(root / f"{name}.png", f"{name}.png", split, (label,) if label else (), group, group, name, "tests")


@pytest.fixture
def photos(tmp_path: Path) -> list[Photo]:
    return [
        *(_photo(tmp_path, f"ivory-{i}", "product", "ivory") for i in range(9)),
        _photo(tmp_path, "horn", "product", "rhino_horn"),
        *(_photo(tmp_path, f"vase-{i}", "lookalike") for i in range(3)),
        *(_photo(tmp_path, f"street-{i}", "listing", seed=i) for i in range(4)),
        _photo(tmp_path, "kept-ground", "listing", split="test", seed=9),
        _photo(tmp_path, "kept-ivory", "product", "ivory", split="test"),
    ]


def test_half_of_the_plan_shows_products_and_rare_ones_get_turns(photos: list[Photo]) -> None:
    plans = plan(photos, photos[:13], 400, (0.06, 0.8), seed=2)
    assert sum(bool(item.thing.labels) for item in plans) == 200
    assert {item.ground.file for item in plans} == {f"street-{i}.png" for i in range(4)}
    assert 20 < sum(item.thing.labels == ("rhino_horn",) for item in plans) < 80
    assert all(0.06 <= item.share <= 0.8 for item in plans)
    assert plans == plan(photos, photos[:13], 400, (0.06, 0.8), seed=2)


@pytest.mark.parametrize("missing", ["listing", "lookalike", "product"])
def test_a_plan_needs_products_others_and_grounds(photos: list[Photo], missing: str) -> None:
    left = [photo for photo in photos if photo.group != missing]
    with pytest.raises(ValueError, match="composites need"):
        plan(left, [photo for photo in left if photo.group != "listing"], 4, (0.1, 0.5), seed=1)


def test_written_composites_are_a_training_folder(photos: list[Photo], tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert write(photos, out, 6, (0.2, 0.5), seed=1, jobs=1) == 6
    made = read_manifest(out)
    assert {photo.source for photo in made} == {SOURCE}
    assert {photo.split for photo in made} == {"train"}
    assert sum(bool(photo.labels) for photo in made) == 3
    assert not any("kept" in photo.instance for photo in made)
    assert {photo.background for photo in made} <= {f"street-{i}.png" for i in range(4)}
    before = {photo.file: photo.path.read_bytes() for photo in made}
    made[0].path.unlink()
    write(photos, out, 6, (0.2, 0.5), seed=1, jobs=1)
    assert {photo.file: photo.path.read_bytes() for photo in read_manifest(out)} == before


def test_a_picture_that_is_kept_is_not_listed_as_another(photos: list[Photo], tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(photos, out, 4, (0.2, 0.5), seed=1, jobs=1)
    before = {photo.file: photo.path.read_bytes() for photo in read_manifest(out)}
    write(photos, out, 4, (0.6, 0.7), seed=1, jobs=1)
    after = {photo.file: photo.path.read_bytes() for photo in read_manifest(out)}
    assert len(after) == 4 and not set(after) & set(before)
    write(photos, out, 4, (0.2, 0.5), seed=1, jobs=1)
    assert {photo.file: photo.path.read_bytes() for photo in read_manifest(out)} == before


def test_a_rendered_mask_wins_over_the_background(photos: list[Photo]) -> None:
    street = replace(photos[-3])
    assert cut(street) is None
    mask_of(street).parent.mkdir()
    mask = Image.new("L", (120, 100))
    mask.paste(255, (20, 30, 60, 90))
    mask.save(mask_of(street))
    found = cut(street)
    assert found is not None
    assert found.size == (40, 60)


def test_a_mask_fits_a_picture_that_is_shrunk(photos: list[Photo]) -> None:
    large = replace(photos[0], path=photos[0].path.with_name("large.png"))
    Image.new("RGB", (2 * SIDE, SIDE), "navy").save(large.path)
    mask_of(large).parent.mkdir()
    mask = Image.new("L", (2 * SIDE, SIDE))
    mask.paste(255, (200, 100, 1000, 700))
    mask.save(mask_of(large))
    found = cut(large)
    assert found is not None
    assert found.size == (400, 300)


def _die(item: composites.Composite, out: Path) -> None:
    os._exit(9)


def test_a_process_that_dies_is_told_in_a_sentence(
    photos: list[Photo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(composites, "_make", _die)
    rows = ["file,label,group,split", *(f"{p.file},{'|'.join(p.labels)},{p.group},{p.split}" for p in photos)]
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    words = ["--data", str(tmp_path), "--labels", str(tmp_path / "labels.csv"), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(compose, [*words, "--count", "4", "--jobs", "1"])
    assert done.exit_code == 1
    assert "a process died" in done.output


def test_shares_in_the_wrong_order_are_named(collection: Path, tmp_path: Path) -> None:
    words = ["--data", str(collection), "--out", str(tmp_path / "out"), "--shares", "0.8", "0.06"]
    done = CliRunner().invoke(compose, words)
    assert done.exit_code == 2
    assert "--shares takes the smallest share first" in done.output
