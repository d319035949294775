"""The loop closes: what moderators decided is a folder that ``faunalens train`` takes as it is."""

import csv
import dataclasses
import io
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from service.cli import main
from service.detector import Detector
from service.exports import training_set
from service.store.batches import Batches, Entry, NewBatch
from service.store.claims import Claims
from service.store.kinds import Kind
from service.store.outcomes import Outcome
from tests.filled import Filled
from tests.training.test_walk import _recipe
from training.photos.manifest import read_manifest


def export(out: Path) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["decisions", "export", "training", "--out", str(out)])
    return done.exit_code, done.output


def more(filled: Filled, detector: Detector, pictures: list[tuple[str, bytes]], source: str = "uploads") -> None:
    """A further batch: pictures with their listings, each with a finding."""
    new = NewBatch("", "sensitive", source=source)
    for position, (_, data) in enumerate(pictures):
        filled.photos.write(new.id, position, data)
    Batches(filled.database).add(new, [Entry(f"{n}.png", name, photo=True) for n, (name, _) in enumerate(pictures)])
    claims, low = Claims(filled.database, 60), detector.policy("sensitive")
    everything = dict.fromkeys(low.thresholds, (0.0, 0.9))
    policy = dataclasses.replace(low, name="all", thresholds=everything)
    while claimed := claims.take():
        answer = detector.answer(filled.photos.read(new.id, claimed.position), new.id, policy)
        claims.finish(claimed, Outcome(answer, keep=3600))
        filled.ids[f"{claimed.listing_id}/{claimed.position}"] = claimed.id


def noise(seed: int) -> bytes:
    small = np.random.default_rng(seed).integers(0, 256, (6, 6, 3)).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(small).resize((80, 80), Image.Resampling.BILINEAR).save(stream, "PNG")
    return stream.getvalue()


def test_confirmed_and_rejected_become_rows(filled: Filled, detector: Detector, tmp_path: Path) -> None:
    same = noise(1)
    more(filled, detector, [("L-1", noise(0)), ("L-8", same), ("L-9", same), ("L-9", noise(2))])
    filled.decide("tusk-single.jpg", "ann", Kind.CONFIRM, "ivory")
    filled.decide("tusks.jpg", "ann", Kind.REJECT)
    filled.decide("ivory-bangles.jpg", "ann", Kind.UNSURE)
    filled.decide("L-1/0", "ann", Kind.CONFIRM, "coral")
    filled.decide("L-8/1", "ann", Kind.CONFIRM, "shell")
    filled.decide("L-9/2", "bob", Kind.REJECT)
    filled.decide("L-9/3", "bob", Kind.CONFIRM, "ivory")
    code, output = export(tmp_path / "set")
    assert (code, output) == (0, f"5 photos in {tmp_path / 'set'}; 1 were decided more than once: the latest counts\n")
    photos = {photo.labels or photo.group: photo for photo in read_manifest(tmp_path / "set")}
    with (tmp_path / "set" / "manifest.csv").open(newline="") as stream:
        rows = {(row["listing_id"], row["label"]): row for row in csv.DictReader(stream)}
    assert set(rows) == {("L-1", "ivory"), ("L-2", "none"), ("L-1", "coral"), ("L-9", "none"), ("L-9", "ivory")}
    assert rows["L-2", "none"]["group"] == rows["L-9", "none"]["group"] == "lookalike"
    assert rows["L-1", "ivory"]["instance"] == rows["L-1", "coral"]["instance"] != rows["L-2", "none"]["instance"]
    assert rows["L-9", "none"]["instance"] == rows["L-9", "ivory"]["instance"]
    assert {row["source"] for row in rows.values()} == {"uploads"}
    assert all(photo.path.is_file() for photo in photos.values())


def test_what_a_seller_or_a_client_named_is_no_formula(filled: Filled, detector: Detector, tmp_path: Path) -> None:
    more(filled, detector, [("=HYPERLINK(1)", noise(0))], source="@SUM(1)")
    filled.decide("=HYPERLINK(1)/0", "ann", Kind.CONFIRM, "ivory")
    assert export(tmp_path / "set")[0] == 0
    with (tmp_path / "set" / "manifest.csv").open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert (row["listing_id"], row["source"]) == ("'=HYPERLINK(1)", "'@SUM(1)")


def test_the_split_of_an_instance_stays_when_the_set_grows(filled: Filled, detector: Detector, tmp_path: Path) -> None:
    more(filled, detector, [(f"L-{n}", noise(n)) for n in range(40, 70)])
    names = [f"L-{n}/{n - 40}" for n in range(40, 70)]
    for name in names[:15]:
        filled.decide(name, "ann", Kind.CONFIRM, "ivory")
    export(tmp_path / "small")
    done = CliRunner().invoke(main, ["train", "--data", str(tmp_path / "small"), "--out", str(tmp_path / "run")])
    assert done.exit_code == 1 and "there are no photos without a product in train" in done.output
    for name in names[15:]:
        filled.decide(name, "ann", Kind.REJECT)
    export(tmp_path / "large")
    small, large = ({p.file: p.split for p in read_manifest(tmp_path / name)} for name in ("small", "large"))
    assert len(small) == 15 and len(large) == 30
    assert {file: large[file] for file in small} == small and set(large.values()) == {"train", "val", "test"}


def test_it_trains(filled: Filled, detector: Detector, tmp_path: Path, trunk_weights: Path) -> None:
    more(filled, detector, [(f"L-{n}", noise(n)) for n in range(100, 140)])
    for n in range(100, 140):
        kind, category = (Kind.CONFIRM, "ivory") if n % 2 else (Kind.REJECT, None)
        filled.decide(f"L-{n}/{n - 100}", "ann", kind, category)
    assert export(tmp_path / "set")[0] == 0
    _recipe(tmp_path / "tiny.toml", trunk_weights)
    words = ["train", "--data", str(tmp_path / "set"), "--recipe", str(tmp_path / "tiny.toml"), "--workers", "0"]
    done = CliRunner().invoke(main, [*words, "--out", str(tmp_path / "run")])
    assert done.exit_code == 0, done.output
    assert "40 photos: ivory 20, lookalike 20" in done.output and (tmp_path / "run" / "final.pt").is_file()


def test_photos_that_are_gone_are_told(filled: Filled, tmp_path: Path) -> None:
    assert export(tmp_path / "none")[0] == 1
    filled.decide("tusk-single.jpg", "ann", Kind.CONFIRM, "ivory")
    batch = next(iter(filled.photos.place.root.iterdir())).name
    filled.photos.delete(batch, 0)
    code, output = export(tmp_path / "set")
    assert code == 4 and "1 photos are not in the store" in output and "nothing to write" in output
    assert "photos in" not in output, "there is no folder"
    assert list(tmp_path.glob("*set*")) == list(tmp_path.glob("none*")) == []


@pytest.mark.parametrize("gone", [0, 1])
def test_the_latest_decision_counts_whichever_copy_is_kept(
    filled: Filled, detector: Detector, tmp_path: Path, gone: int
) -> None:
    more(filled, detector, [("L-8", noise(1)), ("L-9", noise(1))])
    filled.decide("L-8/0", "ann", Kind.CONFIRM, "shell")
    filled.decide("L-9/1", "bob", Kind.REJECT)
    (batch,) = (folder.name for folder in filled.photos.place.root.iterdir() if len(list(folder.iterdir())) == 2)
    filled.photos.delete(batch, gone)
    code, output = export(tmp_path / "set")
    assert code == 0, output
    (photo,) = read_manifest(tmp_path / "set")
    assert photo.labels == () and photo.path.is_file()


def test_the_latest_decision_is_that_of_the_log_whatever_the_clocks_said(
    filled: Filled, detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more(filled, detector, [("L-8", noise(1)), ("L-9", noise(1))])
    filled.decide("L-8/0", "ann", Kind.CONFIRM, "shell")
    monkeypatch.setattr("service.store.decisions.now", lambda: time.time() - 10)
    filled.decide("L-9/1", "bob", Kind.REJECT)
    assert export(tmp_path / "set")[0] == 0
    assert read_manifest(tmp_path / "set")[0].labels == ()


def test_what_broke_off_leaves_nothing(filled: Filled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", str(tmp_path))

    filled.decide("tusk-single.jpg", "ann", Kind.CONFIRM, "ivory")
    monkeypatch.setattr(training_set, "_write_manifest", full)
    assert export(tmp_path / "set")[0] == 3
    assert list(tmp_path.glob("*set*")) == []
