"""Rendering many scenes: background choice, worker pool, resume and manifest, with a stand-in for the renderer."""

import csv
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import ExifTags, Image

import training.scenes.__main__ as command
from tests.conftest import ROOT
from training.photos.intake import read_photos
from training.photos.manifest import read_manifest
from training.scenes import contact, pool, printed
from training.scenes.backgrounds import BackgroundError, choose, find_photos
from training.scenes.kinds import KINDS
from training.scenes.record import COLUMNS, Record, names
from training.scenes.render import Settings

SETTINGS = Settings(32, 32, 1)
ALL = list(KINDS.values())


def draw(task: pool.Task, out: Path, settings: Settings) -> str:
    """Stands in for the renderer: writes the files a render writes; one seed fails, one kills its process."""
    if task.seed == 13:
        raise RuntimeError("out of paint")
    if task.seed == 14:
        os._exit(9)
    if task.seed == 15:
        raise OSError("the disk is full")
    for name in names(task.kind, task.seed):
        (out / name).write_text(f"{task} {settings.width}")
    return "drawn"


def _wanted(count: int, first: int = 7, photos: list[Path] | None = None) -> list[pool.Task]:
    photos = photos or []
    return list(islice(command.tasks(ALL, first, photos, photos[0].parent if photos else Path()), count))


def _touch(out: Path, *tasks: pool.Task) -> None:
    (out / "masks").mkdir(exist_ok=True)
    for task in tasks:
        for name in names(task.kind, task.seed):
            (out / name).touch()


def test_kinds_take_turns_and_rounds_have_their_seed() -> None:
    wanted = _wanted(len(ALL) + 1)
    assert [task.kind for task in wanted[: len(ALL)]] == list(KINDS)
    assert {task.seed for task in wanted[: len(ALL)]} == {7}
    assert (wanted[-1].kind, wanted[-1].seed) == (ALL[0].name, 8)


def test_workers_make_what_is_missing_and_the_manifest_lists_it_all(tmp_path: Path) -> None:
    wanted = _wanted(5)
    _touch(tmp_path, wanted[1])
    assert command.render_all(wanted, tmp_path, SETTINGS, 2, draw) == 0
    assert (tmp_path / names(wanted[1].kind, 7)[0]).read_text() == ""
    assert "32" in (tmp_path / names(wanted[0].kind, 7)[0]).read_text()
    assert sorted(photo.kind for photo in read_manifest(tmp_path)) == sorted(task.kind for task in wanted)
    assert not list(tmp_path.glob("part-*"))


def test_workers_are_replaced_and_the_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "PER_WORKER", 2)
    wanted = _wanted(5)
    assert command.render_all(wanted, tmp_path, SETTINGS, 1, draw) == 0
    assert len(read_manifest(tmp_path)) == 5


def test_a_failing_picture_is_counted_and_the_others_are_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = [pool.Task("raw_tusk", seed) for seed in (11, 13, 12)]
    assert command.render_all(wanted, tmp_path, SETTINGS, 1, draw) == 1
    assert "raw_tusk-13: RuntimeError: out of paint" in capsys.readouterr().err
    assert len(read_manifest(tmp_path)) == 2


def test_a_picture_that_kills_its_worker_is_named_and_the_others_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pool, "PER_WORKER", 4)
    wanted = [pool.Task("raw_tusk", seed) for seed in (1, 2, 14, 3, 4, 5, 6)]
    assert command.render_all(wanted, tmp_path, SETTINGS, 1, draw) == 1
    assert len(read_manifest(tmp_path)) == 6
    told = capsys.readouterr().err
    assert "raw_tusk-14: BrokenProcessPool: " in told
    assert told.count("BrokenProcessPool") == 1


def test_a_full_disk_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="the disk is full"):
        command.render_all([pool.Task("raw_tusk", seed) for seed in (15, 1, 2, 3)], tmp_path, SETTINGS, 1, draw)


def test_the_command_says_that_nothing_can_be_written_and_which_backgrounds_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "installed", lambda: True)
    monkeypatch.setattr(pool, "render", lambda *_: pytest.fail("rendering began"))
    (tmp_path / "file").touch()
    assert command.main([str(tmp_path / "file")]) == 1
    assert "file" in capsys.readouterr().err
    for name in ("a", "b"):
        Image.new("RGB", (60, 60), "navy").save(tmp_path / f"{name}.webp")
        (tmp_path / f"{name}.webp").write_bytes((tmp_path / f"{name}.webp").read_bytes()[:-9])
    assert command.main([str(tmp_path / "out"), "--count", "64", "--backgrounds", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert all(f"{tmp_path / name} cannot be used: " in told for name in ("a.webp", "b.webp"))


def test_the_manifest_lists_every_kind_with_its_mask_only(tmp_path: Path) -> None:
    _touch(tmp_path, *_wanted(len(ALL)))
    (tmp_path / "raw_tusk-8.jpg").touch()
    (tmp_path / "unknown-8.jpg").touch()
    Record(tmp_path).save()
    photos = read_manifest(tmp_path)
    assert sorted(photo.kind for photo in photos) == sorted(KINDS)
    assert len({photo.instance for photo in photos}) == len(KINDS) // 2


def test_a_later_run_keeps_the_named_backgrounds(tmp_path: Path) -> None:
    photo = tmp_path / "listing" / "kitchen.jpg"
    seed = next(seed for seed in range(50) if choose([photo], tmp_path, "tusk", seed))
    _touch(tmp_path, pool.Task("raw_tusk", seed))
    Record(tmp_path).add(KINDS["raw_tusk"], seed, choose([photo], tmp_path, "tusk", seed))
    Record(tmp_path).save()
    with (tmp_path / "manifest.csv").open(newline="") as stream:
        (line,) = csv.DictReader(stream)
    assert list(line) == COLUMNS
    assert line["background"] == "listing/kitchen.jpg"
    assert line["licence"] != "Apache-2.0"


def test_a_picture_finished_before_the_run_was_killed_names_its_background(tmp_path: Path) -> None:
    photo = tmp_path / "listing" / "kitchen.jpg"
    background = next(found for seed in range(50) if (found := choose([photo], tmp_path, "tusk", seed)))
    wanted = [pool.Task("raw_tusk", 1, background), pool.Task("raw_tusk", 2, background)]
    _touch(tmp_path, *wanted)
    Record(tmp_path).add(KINDS["raw_tusk"], 2)
    (tmp_path / "manifest.csv").write_text(
        "\n".join(line for line in (tmp_path / "manifest.csv").read_text().splitlines() if "raw_tusk-1" not in line)
    )
    assert command.render_all(wanted, tmp_path, SETTINGS, 1, draw) == 0
    with (tmp_path / "manifest.csv").open(newline="") as stream:
        lines = {line["file"]: line for line in csv.DictReader(stream)}
    assert lines["raw_tusk-1.jpg"]["background"] == "listing/kitchen.jpg"
    assert lines["raw_tusk-2.jpg"]["background"] == "", "it was listed, made without one"


@pytest.mark.parametrize(
    "words", ["--count 0", "--count -3", "--size 0", "--samples 0", "--jobs -1", "--threads 0", "--seed x"]
)
def test_numbers_that_cannot_be_meant_are_refused(
    tmp_path: Path, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        command.main([str(tmp_path / "out"), *words.split()])
    assert stopped.value.code == 2
    assert f"argument {words.split()[0]}: " in capsys.readouterr().err


def test_about_half_of_the_scenes_get_a_photo_and_twins_share_it(tmp_path: Path) -> None:
    photos = [tmp_path / f"{number}.jpg" for number in range(9)]
    wanted = _wanted(len(ALL) * 20, 0, photos)
    with_photo = [task for task in wanted if task.background]
    assert 0.4 < len(with_photo) / len(wanted) < 0.6
    assert {task.background.use for task in with_photo if task.background} == {"floor", "wall"}
    backgrounds = {(task.kind, task.seed): task.background for task in wanted}
    assert all(
        backgrounds[f"{kind}_twin", s] == b for (kind, s), b in backgrounds.items() if not kind.endswith("_twin")
    )
    assert wanted == _wanted(len(ALL) * 20, 0, photos)


def test_without_photos_no_scene_has_a_background() -> None:
    assert [task for task in _wanted(40) if task.background] == []


def test_a_manifest_limits_backgrounds_to_train_listings(tmp_path: Path) -> None:
    rows = [("a.jpg", "train", "none", "listing"), ("b.jpg", "test", "none", "listing")]
    rows += [("c.jpg", "train", "ivory", "product"), ("d.jpg", "train", "none", "lookalike")]
    with (tmp_path / "manifest.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["file", "split", "label", "group", "kind", "instance", "source"])
        writer.writerows([*row, "", row[0], "us"] for row in rows)
    assert find_photos(tmp_path) == [tmp_path / "a.jpg"]


@pytest.mark.parametrize("name", ["listing", "none", "Listing"])
def test_a_folder_for_each_category_limits_backgrounds_to_train_listings(name: str, tmp_path: Path) -> None:
    """Without a manifest, too: a product behind a twin would be learnt as none, and test is not to be seen."""
    for folder in ("ivory", "lookalike", name):
        (tmp_path / folder).mkdir()
        for number in range(20):
            (tmp_path / folder / f"{number}.jpg").write_text(f"{folder} {number}")
    found = find_photos(tmp_path)
    listed = {photo.path: photo for photo in read_photos(tmp_path)}
    assert len(found) == 14
    assert {(listed[path].split, listed[path].group) for path in found} == {("train", "listing")}


def test_a_plain_folder_gives_all_its_pictures(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.PNG", "deep/a.webp", "notes.txt"):
        (tmp_path / name).touch()
    assert find_photos(tmp_path) == [tmp_path / "b.PNG", tmp_path / "deep" / "a.webp"]


def test_a_photo_of_a_phone_held_upright_stands_upright(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[tuple[str, tuple[int, int]]] = []

    def load(name: str) -> SimpleNamespace:
        with Image.open(name) as picture:
            loaded.append((name, picture.size))
        return SimpleNamespace(pack=lambda: None)

    monkeypatch.setattr(
        printed, "module", lambda: SimpleNamespace(data=SimpleNamespace(images=SimpleNamespace(load=load)))
    )
    for orientation in (1, 6):
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        Image.new("RGB", (90, 60)).save(tmp_path / f"{orientation}.jpg", exif=exif)
        printed.load(tmp_path / f"{orientation}.jpg")
    (as_it_is, wide), (_, high) = loaded
    assert (as_it_is, wide, high) == (str(tmp_path / "1.jpg"), (90, 60), (60, 90))


def test_a_folder_without_photos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackgroundError, match="no background photos"):
        find_photos(tmp_path)


def test_without_the_extra_it_says_what_is_missing(tmp_path: Path) -> None:
    lacking = "import runpy, sys; sys.modules['tqdm'] = sys.modules['bpy'] = None; "
    call = f"{lacking}sys.argv[1:] = [{str(tmp_path)!r}]; runpy.run_module('training.scenes', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", call], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.startswith("rendering needs Blender's module: ")


def test_an_unknown_kind_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        command.main([str(tmp_path), "--kinds", "raw_tusk,unicorn"])
    assert stop.value.code == 2
    assert "unicorn" in capsys.readouterr().err


def test_the_contact_sheet_shows_every_product_and_known_variants() -> None:
    assert sorted(pair[0] for pair in contact.PAIRS) == sorted(kind.name for kind in ALL if kind.group == "product")
    for kind, product, twin, _ in contact.PAIRS:
        assert product in KINDS[kind].variants
        assert twin in KINDS[f"{kind}_twin"].variants


def test_the_contact_sheet_puts_twins_side_by_side(tmp_path: Path) -> None:
    colours = [(200, 0, 0), (0, 0, 200)] * 5
    paths = [tmp_path / f"{number}.png" for number in range(10)]
    for path, colour in zip(paths, colours, strict=True):
        Image.new("RGB", (40, 40), colour).save(path)
    sheet = contact.compose(paths, ["a", "b", "c", "d", "e"])
    assert sheet.height == 2 * (contact.CELL + contact.CAPTION)
    assert sheet.getpixel((5, 5)) == (200, 0, 0)
    assert sheet.getpixel((contact.CELL + 5, 5)) == (0, 0, 200)
    assert sheet.getpixel((5, contact.CELL + contact.CAPTION + 5)) == (200, 0, 0)
    assert sheet.getpixel((sheet.width // 2, sheet.height - 30)) == (255, 255, 255)
