"""A training command that cannot go on says why in a sentence; nobody has to read a traceback."""

import json
import re
import shutil
from pathlib import Path

import click
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from training.cli import compose, export, quantize, train
from training.command import TrainingCommand
from training.measuring import evaluate, thresholds

CAPACITY = ("--photos-per-day", "10", "--review-capacity", "5")


def _message(command: click.Command, *words: str) -> str:
    done = CliRunner().invoke(command, words)
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    return done.output


def _tiny(folder: Path, weights: Path, epochs: int, more: str = "") -> str:
    """Path of a recipe that trains in seconds; ``more``: further lines of it."""
    path = folder / "tiny.toml"
    path.write_text(
        f'trunk = "mobilenetv2_035"\ntrunk_weights = "{weights}"\nsize = 64\nepochs = {epochs}\n{more}'
        '[categories]\nivory = "core"\n'
    )
    return str(path)


@pytest.fixture
def tree(tmp_path: Path, collection: Path) -> Path:
    """One photo of ivory, and files that are not what they should be."""
    picture = next(collection.glob("*.jpg")).read_bytes()
    (tmp_path / "photos" / "ivory").mkdir(parents=True)
    (tmp_path / "photos" / "ivory" / "a.jpg").write_bytes(picture)
    (tmp_path / "wrong.toml").write_text('name = "w"\nsizes = 3\n')
    (tmp_path / "broken.toml").write_text("name = \n")
    (tmp_path / "merged.toml").write_text('merge = { tusk = "ivroy" }\n[categories]\nivory = "core"\n')
    (tmp_path / "wrong.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize(
    ("file", "reason"), [("wrong.toml", "sizes"), ("broken.toml", "Invalid value"), ("merged.toml", "ivroy")]
)
def test_a_recipe_that_cannot_be_used(tree: Path, file: str, reason: str) -> None:
    words = ("--data", str(tree / "photos"), "--out", str(tree / "out"), "--recipe", str(tree / file))
    message = _message(train, *words)
    assert "cannot be used" in message
    assert reason in message


@pytest.mark.parametrize(
    ("more", "words", "reason"),
    [
        ("", ("--trunk", "nonsense"), "Unknown model"),
        ("", ("--trunk", "torchvision:nonsense"), "Unknown model"),
        ("", ("--trunk-weights", "nowhere.pt"), "No such file"),
        ("", ("--trunk", "resnet10t"), "the trunk resnet10t cannot be used"),
        ('[kernel]\nlevels = { "stages.9" = 1.0 }\n', (), r"mobilenetv2_035 has no stages\.9: change"),
        ("", ("--size", "8"), "greater than or equal to 32"),
        ("", ("--size", "1025"), "less than or equal to 1024"),
        ("[kernel]\nsize = 16\n", (), "the kernel's size is 0, or 32 and more"),
        ("", ("--seed", "-1"), "greater than or equal to 0"),
        ("[kernel]\nfolds = 1\n", (), "folds is 0, or 2 and more"),
        ("group_shares = { listings = 1.0 }\n", (), "what is no group: listings"),
        ("kind_weight = -0.5\n", (), "kind_weight: Input should be greater than or equal to 0"),
    ],
)
def test_a_trunk_or_value_that_cannot_be_used(
    more: str, words: tuple[str, ...], reason: str, collection: Path, tmp_path: Path, trunk_weights: Path
) -> None:
    recipe = _tiny(tmp_path, trunk_weights, 0, more)
    assert re.search(
        reason, _message(train, "--data", str(collection), "--out", str(tmp_path), "--recipe", recipe, *words)
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_no_cuda_device(collection: Path, tmp_path: Path, trunk_weights: Path) -> None:
    words = ("--data", str(collection), "--out", str(tmp_path), "--recipe", _tiny(tmp_path, trunk_weights, 0))
    assert "there is no CUDA device" in _message(train, *words, "--device", "cuda")


def test_photos_that_all_show_the_category(tree: Path, collection: Path, trunk_weights: Path) -> None:
    common = ("--data", str(tree / "photos"), "--out", str(tree / "out"))
    (tree / "photos" / "manifest.csv").write_text(
        "file,split,label,group,kind,instance,source\nivory/a.jpg,val,ivory,product,,,\n"
    )
    assert "every photo of val shows ivory: no threshold" in _message(thresholds, *common, *CAPACITY)
    words = ("--data", str(collection), "--recipe", _tiny(tree, trunk_weights, 0), "--out", str(tree / "run"))
    assert CliRunner().invoke(train, words).exit_code == 0
    picture = ("--picture", str(tree / "photos" / "ivory" / "a.jpg"))
    checkpoint = ("--checkpoint", str(tree / "run" / "checkpoint.pt"))
    assert "every photo of val shows ivory" in _message(export, *common, *checkpoint, *picture)


@pytest.mark.parametrize(("more", "where"), [("", "val"), ("[kernel]\nfolds = 2\n", "full weight in train and val")])
def test_what_export_could_not_calibrate_on_is_not_trained_on(
    more: str, where: str, collection: Path, tmp_path: Path, trunk_weights: Path
) -> None:
    """Nobody should train for hours to hear it then. The only photos without a product are rendered."""
    photos, extra = tmp_path / "photos", tmp_path / "extra"
    header = "file,split,label,group,kind,instance,source\n"
    for folder, name, rows in (
        (photos, "ivory-product", ("t.jpg,train,ivory,product,,,", "v.jpg,val,ivory,product,,,")),
        (extra, "none-listing", ("n.jpg,train,,listing,,,made", "m.jpg,train,,listing,,,made")),
    ):
        folder.mkdir()
        (folder / "manifest.csv").write_text(header + "\n".join(rows))
        for number, row in enumerate(rows):
            shutil.copy(collection / f"train-{name}-{number}.jpg", folder / row[:5])
    weights = f"{more}weights = {{ made = 0.5 }}\n" if more else ""
    recipe = _tiny(tmp_path, trunk_weights, 0, weights)
    words = ("--data", str(photos), "--extra", str(extra), "--recipe", recipe, "--out", str(tmp_path / "out"))
    assert f"every photo of {where} shows ivory: no threshold" in _message(train, *words)
    assert not (tmp_path / "out").exists()
    (extra / "manifest.csv").write_text(f"{header}n.jpg,train,,listing,,,\nm.jpg,train,,listing,,,")
    if more:
        done = CliRunner().invoke(train, words)
        assert done.exit_code == 0, done.output


def test_a_source_that_no_photo_is_of_is_named(collection: Path, tmp_path: Path, trunk_weights: Path) -> None:
    """A slip of the pen trained with the source that was to be left out, and measured on no product at all."""
    common = ("--data", str(collection), "--out", str(tmp_path / "out"))
    expected = "no photo is of source 'source-9'; there are source-0, source-1, source-2"
    recipe = _tiny(tmp_path, trunk_weights, 0)
    assert expected in _message(train, *common, "--recipe", recipe, "--leave-out-source", "source-9")
    assert expected in _message(evaluate, *common, "--positives-from", "source-9")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_told_before_photos_are_judged(
    collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("training.evaluating.evaluation.score_photos", "training.synthesis.composites.ProcessPoolExecutor"):
        monkeypatch.setattr(name, lambda *_: pytest.fail("the work began"))
    (tmp_path / "file").touch()
    common = ("--data", str(collection), "--out", str(tmp_path / "file" / "out"))
    for command, more in ((evaluate, ()), (thresholds, CAPACITY), (compose, ())):
        assert "Not a directory" in _message(command, *common, *more)


def test_a_run_of_another_recipe(collection: Path, tmp_path: Path, trunk_weights: Path) -> None:
    recipe = _tiny(tmp_path, trunk_weights, epochs=0)
    words = ("--data", str(collection), "--recipe", recipe, "--out", str(tmp_path / "out"), "--workers", "0")
    assert CliRunner().invoke(train, words).exit_code == 0
    assert "made with another recipe" in _message(train, *words, "--seed", "9")


def test_a_model_policy_or_checkpoint_that_cannot_be_used(tree: Path) -> None:
    common = ("--data", str(tree / "photos"), "--out", str(tree / "out"))
    wrong = str(tree / "wrong.json")
    assert "is not valid" in _message(evaluate, *common, "--model", wrong)
    assert "no policy 'nope'" in _message(evaluate, *common, "--split", "train", "--policy", "nope")
    picture = ("--picture", str(tree / "photos" / "ivory" / "a.jpg"))
    torch.save({"conv_stem.weight": torch.zeros(1)}, tree / "trunk.pt")
    for path in (wrong, str(tree / "photos"), str(tree / "trunk.pt")):
        assert "is no checkpoint" in _message(export, *common, "--checkpoint", path, *picture)


def test_a_folder_that_cannot_be_written(collection: Path, tmp_path: Path, trunk_weights: Path) -> None:
    recipe = _tiny(tmp_path, trunk_weights, epochs=0)
    words = ("--data", str(collection), "--recipe", recipe, "--out", f"{recipe}/out")
    assert "Not a directory" in _message(train, *words)


def test_a_split_without_photos(tree: Path) -> None:
    common = ("--data", str(tree / "photos"), "--out", str(tree / "out"))
    assert "no photos in test" in _message(evaluate, *common, "--split", "test")
    assert "no photos in test" in _message(thresholds, *common, "--split", "test", *CAPACITY)


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_photo_that_breaks_off_is_named(workers: str, collection: Path, tmp_path: Path, trunk_weights: Path) -> None:
    photos = tmp_path / "photos"
    shutil.copytree(collection, photos)
    for path in photos.glob("train-*.jpg"):
        path.write_bytes(path.read_bytes()[:900])
    recipe = _tiny(tmp_path, trunk_weights, epochs=1, more='epoch_size = 4\nbatch = 4\nprecision = "fp32"\n')
    words = ("--data", str(photos), "--out", str(tmp_path / "out"), "--workers", workers)
    message = _message(train, *words, "--recipe", recipe)
    assert re.search(r"^Error: .*/train-\S+\.jpg cannot be used: .+$", message, re.MULTILINE)
    assert "Traceback" not in message
    common = ("--data", str(photos), "--out", str(tmp_path / "report"), "--split", "train")
    assert ".jpg cannot be used: " in _message(evaluate, *common)


def test_a_picture_that_is_none(collection: Path, tmp_path: Path, trunk_weights: Path) -> None:
    recipe = _tiny(tmp_path, trunk_weights, epochs=0)
    common = ("--data", str(collection), "--out", str(tmp_path / "run"))
    assert CliRunner().invoke(train, [*common, "--recipe", recipe]).exit_code == 0
    checkpoint = ("--checkpoint", str(tmp_path / "run" / "checkpoint.pt"))
    words = (*checkpoint, "--data", str(collection), "--picture", recipe)
    assert "tiny.toml cannot be used: The file is not one of" in _message(export, *words, "--out", str(tmp_path / "w"))
    Image.effect_noise((400, 400), 99).convert("RGB").save(tmp_path / "torn.png")
    first, *others = (tmp_path / "torn.png").read_bytes().split(b"IDAT")
    (tmp_path / "torn.png").write_bytes(first + b"IDAT" + bytes(4).join(others))
    words = (*checkpoint, "--data", str(collection), "--picture", str(tmp_path / "torn.png"))
    assert "torn.png cannot be used: " in _message(export, *words, "--out", str(tmp_path / "w"))
    assert not (tmp_path / "w").exists(), "it was read first"


def test_weights_are_written_whole_or_not_at_all(collection: Path, tmp_path: Path, trunk_weights: Path) -> None:
    """A service may be serving the ones that lie there: they must stay what their contract says."""
    photos, weights = tmp_path / "photos", tmp_path / "weights"
    shutil.copytree(collection, photos)
    recipe = _tiny(tmp_path, trunk_weights, epochs=0)
    common = ("--data", str(photos))
    assert CliRunner().invoke(train, [*common, "--recipe", recipe, "--out", str(tmp_path / "run")]).exit_code == 0
    picture = str(photos / "train-none-listing-0.jpg")
    words = (*common, "--checkpoint", str(tmp_path / "run" / "checkpoint.pt"), "--picture", picture)
    exporting = (*words, "--name", "mine", "--out", str(weights))
    quantizing = (*common, "--model", str(weights / "mine.json"), "--out", str(weights))
    for command, given in ((export, exporting), (quantize, quantizing)):
        done = CliRunner().invoke(command, given)
        assert done.exit_code == 0, done.output
    before = {path.name: path.read_bytes() for path in weights.iterdir()}
    assert {name.partition(".")[2] for name in before} == {"json", "onnx", "selftest.png"} and len(before) == 6
    for name in ("val-ivory-product-0.jpg", "val-none-listing-1.jpg", "train-none-listing-1.jpg"):
        (photos / name).write_bytes(b"no picture")
    expected = {"val-ivory-product-0.jpg", "val-none-listing-1.jpg"}
    for command, given, named in (
        (export, exporting, expected), (quantize, quantizing, {*expected, "train-none-listing-1.jpg"}),
    ):  # fmt: skip
        message = _message(command, *given)
        assert set(re.findall(r"([\w-]+\.jpg) cannot be used: ", message)) == named, "all of them"
    shutil.rmtree(photos)
    shutil.copytree(collection, photos)
    manifest = photos / "manifest.csv"
    lines = manifest.read_text().splitlines()
    manifest.write_text("\n".join(line for line in lines if ",val," not in line or ",ivory," in line))
    for command, given in ((export, exporting), (quantize, quantizing)):
        assert "every photo of val shows ivory" in _message(command, *given)
    manifest.write_text("\n".join(line for line in lines if ",val," not in line))
    for command, given in ((export, exporting), (quantize, quantizing)):
        assert "there are no photos in val to calibrate on" in _message(command, *given)
    assert {path.name: path.read_bytes() for path in weights.iterdir()} == before


def test_further_photos_are_given_to_export_too(collection: Path, tmp_path: Path, trunk_weights: Path) -> None:
    extra = tmp_path / "extra"
    extra.mkdir()
    row = "train-ivory-product-0.jpg"
    shutil.copy(collection / row, extra / "more.jpg")
    (extra / "manifest.csv").write_text(
        "file,split,label,group,kind,instance,source\nmore.jpg,train,ivory,product,ivory,,ours\n"
    )
    recipe = _tiny(tmp_path, trunk_weights, epochs=0, more="[kernel]\nfolds = 2\n")
    common = ("--data", str(collection), "--out", str(tmp_path / "out"))
    done = CliRunner().invoke(train, [*common, "--extra", str(extra), "--recipe", recipe])
    assert done.exit_code == 0, done.output
    words = (*common, "--checkpoint", str(tmp_path / "out" / "final.pt"), "--picture", str(collection / row))
    assert "more.jpg for one: name the --data and --extra of train" in _message(export, *words)
    done = CliRunner().invoke(export, [*words, "--extra", str(extra)])
    assert done.exit_code == 0, done.output
    shutil.copy(collection / row, extra / row)
    (extra / "manifest.csv").write_text(
        f"file,split,label,group,kind,instance,source\n{row},train,ivory,product,ivory,,ours\n"
    )
    assert "is listed twice" in _message(train, *common, "--extra", str(extra), "--recipe", recipe)


def test_a_missing_library_names_the_extra() -> None:
    @click.command(cls=TrainingCommand)
    def lacking() -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    assert "torch is not installed" in _message(lacking)
    assert "pip install '.[training]'" in _message(lacking)


def test_a_module_of_ours_that_is_missing_is_a_fault() -> None:
    @click.command(cls=TrainingCommand)
    def broken() -> None:
        raise ModuleNotFoundError("No module named 'training.gone'", name="training.gone")

    with pytest.raises(ModuleNotFoundError):
        CliRunner().invoke(broken, catch_exceptions=False)


@pytest.mark.parametrize("form", ["csv", "label studio", "coco"])
def test_train_takes_the_labels_of_others(form: str, collection: Path, tmp_path: Path, trunk_weights: Path) -> None:
    files = sorted(path.name for path in collection.glob("*.jpg"))
    labels = ["Ivory" if "ivory" in name else "" for name in files]
    if form == "csv":
        text = "file,label\n" + "".join(f"{name},{label}\n" for name, label in zip(files, labels, strict=True))
    elif form == "label studio":
        text = json.dumps([
            {"data": {"image": f"/data/upload/{name}"}, "annotations": [
                {"result": [{"type": "choices", "value": {"choices": [label]}}] if label else []}
            ]} for name, label in zip(files, labels, strict=True)
        ])  # fmt: skip
    else:
        boxes = [{"image_id": n, "category_id": 1, "bbox": [1, 1, 9, 9]} for n, label in enumerate(labels) if label]
        images = [{"id": number, "file_name": name} for number, name in enumerate(files)]
        text = json.dumps({"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "Ivory"}]})
    given = tmp_path / ("labels.csv" if form == "csv" else "labels.json")
    given.write_text(text)
    recipe = _tiny(tmp_path, trunk_weights, epochs=1, more='epoch_size = 8\nbatch = 4\nprecision = "fp32"\n')
    words = ("--data", str(collection), "--labels", str(given), "--recipe", recipe, "--workers", "0")
    done = CliRunner().invoke(train, [*words, "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert f"{len(files)} photos: ivory {sum(map(bool, labels))}, listing {labels.count('')}, " in done.output
    assert (tmp_path / "out" / "checkpoint.pt").is_file()


def test_quantize_takes_the_model_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path / "faunalens.toml"
    settings.write_text(f'model = "{tmp_path / "mine.json"}"\n')
    monkeypatch.setenv("FAUNALENS_CONFIG", str(settings))
    assert f"no model contract at {tmp_path / 'mine.json'}" in _message(quantize, "--out", str(tmp_path / "out"))
