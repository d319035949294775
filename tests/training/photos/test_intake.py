"""Photos of others: every form gives the same rows, objects stay on one side, and what is wrong is named."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from service.imaging import ENDINGS
from training.cli import train
from training.options import read
from training.photos.intake import read_photos, summary
from training.photos.manifest import COLUMNS, ManifestError, Photo, unknown_labels
from training.recipe import Recipe


def _touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(os.fsencode(name))


def _json(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def _by_file(photos: list[Photo]) -> dict[str, Photo]:
    return {photo.file: photo for photo in photos}


def test_tree_of_categories_groups_and_objects(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _touch(tmp_path, "ivory/a.JPG", "ivory/advert 7/1.png", "ivory/advert 7/2.png", "live_animal/b.webp", "none/c.jpg")
    _touch(tmp_path, "ivory/notes.txt", ".cache/ivory/d.jpg", "loose.jpg", "ivory/.hidden.jpg")
    photos = _by_file(read_photos(tmp_path))
    pair = {"ivory/advert 7/1.png", "ivory/advert 7/2.png"}
    assert set(photos) == pair | {"ivory/a.JPG", "live_animal/b.webp", "none/c.jpg"}
    assert photos["ivory/a.JPG"].labels == ("ivory",)
    assert photos["ivory/a.JPG"].group == "product"
    assert photos["ivory/advert 7/1.png"].instance == photos["ivory/advert 7/2.png"].instance == "ivory/advert 7"
    assert photos["ivory/advert 7/1.png"].split == photos["ivory/advert 7/2.png"].split
    assert (photos["live_animal/b.webp"].labels, photos["live_animal/b.webp"].group) == ((), "live_animal")
    assert (photos["none/c.jpg"].labels, photos["none/c.jpg"].group) == ((), "listing")
    assert "left out, not a picture in a category's folder: 2, ivory/notes.txt for one" in capsys.readouterr().err


def test_a_tree_has_every_file_that_a_scan_finds(tmp_path: Path) -> None:
    names = {f"ivory/photo{ending}" for ending in ENDINGS}
    _touch(tmp_path, *names)
    assert {photo.file for photo in read_photos(tmp_path)} == names


def test_splits_are_dealt_within_each_label_and_stay(tmp_path: Path) -> None:
    _touch(tmp_path, *(f"{label}/{i}.jpg" for label in ("ivory", "coral", "listing") for i in range(200)))
    photos = read_photos(tmp_path)
    for label in ("ivory", "coral", ""):
        counts = Counter(photo.split for photo in photos if "".join(photo.labels) == label)
        assert counts == {"train": 140, "val": 30, "test": 30}
    assert read_photos(tmp_path) == photos


def test_photos_of_the_same_bytes_are_one_object(tmp_path: Path) -> None:
    for number in range(40):
        _touch(tmp_path, f"ivory/{number}.jpg")
        (tmp_path / f"ivory/copy-{number}.jpg").write_bytes((tmp_path / f"ivory/{number}.jpg").read_bytes())
    _touch(tmp_path, "ivory/advert/1.jpg", "ivory/advert/2.jpg")
    (tmp_path / "ivory/advert/3.jpg").write_bytes((tmp_path / "ivory/7.jpg").read_bytes())
    photos = _by_file(read_photos(tmp_path))
    assert {photo.split for photo in photos.values()} == {"train", "val", "test"}
    for number in range(40):
        assert photos[f"ivory/{number}.jpg"].instance == photos[f"ivory/copy-{number}.jpg"].instance
    assert len({photos[f"ivory/{name}.jpg"].instance for name in ("advert/1", "advert/2", "advert/3", "7")}) == 1
    table = tmp_path / "labels.csv"
    table.write_text("file,label,split\nivory/1.jpg,ivory,test\nivory/copy-1.jpg,ivory,\nivory/2.jpg,ivory,train\n")
    assert [photo.split for photo in read_photos(tmp_path, table)] == ["test", "test", "train"]


def test_copies_that_the_labels_put_on_two_sides_or_label_apart_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "abcd":
        (tmp_path / f"{name}.jpg").write_bytes(b"same" if name != "d" else b"else")
    table = tmp_path / "labels.csv"
    table.write_text("file,label,split\na.jpg,ivory,train\nb.jpg,ivory,test\nc.jpg,,train\nd.jpg,,test\n")
    assert len({photo.instance for photo in read(tmp_path, table)}) == 4
    told = capsys.readouterr().err
    assert "1 photos have the same bytes as one on another side of the split" in told
    assert "a.jpg (train) and b.jpg (test) for one" in told
    assert "1 photos have the same bytes as one with another label: a.jpg (train) and c.jpg (train) for one" in told


def test_copies_in_further_folders_are_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, extra = tmp_path / "data", tmp_path / "extra"
    header = "file,split,label,group,kind,instance,source\n"
    for folder, rows in (
        (data, ("a.jpg,train,ivory,product,ivory,,", "b.jpg,test,ivory,product,ivory,,")),
        (extra, ("c.jpg,train,none,listing,listing,,", "d.jpg,val,none,listing,listing,,")),
    ):
        _touch(folder, "manifest.csv")
        (folder / "manifest.csv").write_text(header + "\n".join(rows))
        for row in rows:
            (folder / row[:5]).write_bytes(b"same")
    assert [photo.file for photo in read(data, None, (extra,))] == ["a.jpg", "b.jpg", "c.jpg"]
    told = capsys.readouterr().err
    assert f"left out of {extra}, not of train: 1, d.jpg for one" in told
    assert told.count("on another side of the split") == told.count("with another label") == 1
    assert "a.jpg (train) and c.jpg (train) for one" in told


def test_what_was_made_on_a_photo_of_test_is_left_out_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was one of train then: photos that are added may change the sides of others."""
    data, extra = tmp_path / "data", tmp_path / "extra"
    _touch(data, "listing/a.jpg", "listing/b.jpg", "listing/c.jpg", "labels.csv")
    (data / "labels.csv").write_text(
        "file,label,split\nlisting/a.jpg,,train\nlisting/b.jpg,,test\nlisting/c.jpg,,val\n"
    )
    _touch(extra, "manifest.csv")
    rows = [f"{made},train,none,lookalike,vase,,,{ground}" for made, ground in (
        ("1.jpg", "listing/a.jpg"), ("2.jpg", "listing/b.jpg"), ("3.jpg", "b.jpg"), ("4.jpg", ""), ("5.jpg", "c.jpg")
    )]  # fmt: skip
    (extra / "manifest.csv").write_text("\n".join([f"{','.join(COLUMNS)},background", *rows]))
    found = read(data, data / "labels.csv", (extra,))
    assert [photo.file for photo in found] == ["listing/a.jpg", "listing/b.jpg", "listing/c.jpg", "1.jpg", "4.jpg"]
    assert f"left out of {extra}, made on val or test photos: 3, 2.jpg for one" in capsys.readouterr().err


def test_a_manifest_comes_first(collection: Path, photos: list[Photo]) -> None:
    assert read_photos(collection) == photos


def test_csv_with_what_it_knows(tmp_path: Path) -> None:
    """A manifest beside it does not count then."""
    _touch(tmp_path, "a.jpg", "b.jpg", "c.jpg", "d.jpg", "manifest.csv")
    table = tmp_path / "labels.csv"
    table.write_text(
        "file,label,split,group\na.jpg,Ivory|rhino horn,test,\nb.jpg,none,train,lookalike\nc.jpg,,,\nd.jpg\n"
    )
    photos = _by_file(read_photos(tmp_path, table))
    assert (photos["a.jpg"].labels, photos["a.jpg"].split) == (("ivory", "rhino_horn"), "test")
    assert (photos["b.jpg"].group, photos["b.jpg"].split) == ("lookalike", "train")
    assert photos["c.jpg"].group == photos["d.jpg"].group == "listing"


def test_csv_with_a_mark_lines_in_a_field_and_folders_of_windows(tmp_path: Path) -> None:
    _touch(tmp_path, "new/a, 1.jpg", "b.jpg")
    table = tmp_path / "labels.csv"
    table.write_text('label,note,file\nivory,"two\nlines","new\\a, 1.jpg"\nnone,,b.jpg\n', encoding="utf-8-sig")
    photos = _by_file(read_photos(tmp_path, table))
    assert photos["new/a, 1.jpg"].labels == ("ivory",)
    assert set(photos) == {"new/a, 1.jpg", "b.jpg"}


def test_label_studio_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _touch(tmp_path, "1/a b.jpg", "c.jpg", "d.jpg", "e.jpg", "f.jpg", "g.jpg", "i.jpg")
    boxes = {
        "type": "rectanglelabels",
        "value": {"rectanglelabels": ["Ivory"], "x": 1, "y": 1, "width": 9, "height": 9},
    }
    chosen = {"type": "choices", "value": {"choices": ["lookalike"]}}
    relation = {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right"}
    tasks = [
        {"data": {"image": "/data/upload/1/a%20b.jpg"}, "annotations": [{"result": [boxes, boxes, relation]}]},
        {"data": {"image": "/data/local-files/?d=c.jpg"}, "annotations": [{"result": [chosen]}]},
        {"data": {"image": "d.jpg"}, "annotations": [{"was_cancelled": True, "result": [boxes]}]},
        {"image": "/data/upload/e.jpg",
         "label": [{"rectanglelabels": ["Coral"]}, {"brushlabels": ["Shell"]}, {"labels": ["Ivory"]}]},
        {"image": "/data/upload/f.jpg", "label": [{"polygonlabels": ["Shell"]}], "choice": "Coral"},
        {"image": "/data/upload/f.jpg", "choice": {"choices": ["Ivory"]}},
        {"data": {"image": "g.jpg"}, "annotations": [{"result": []}]},
        {"data": {"image": "h.jpg"}, "annotations": []},
        {"image": "g.jpg", "choice": [None, 7]},
        {"data": {"image": "i.jpg"}, "annotations": [{"was_cancelled": True, "result": [boxes]}, {"result": [chosen]}]},
    ]  # fmt: skip
    photos = _by_file(read_photos(tmp_path, _json(tmp_path / "export.json", tasks)))
    assert photos["1/a b.jpg"].labels == ("ivory",)
    assert photos["c.jpg"].group == "lookalike"
    assert photos["g.jpg"].labels == ("7",)
    assert "left out, not annotated: 2, d.jpg for one" in capsys.readouterr().err
    assert photos["e.jpg"].labels == ("coral", "shell", "ivory")
    assert set(photos["f.jpg"].labels) == {"shell", "coral", "ivory"}
    assert (photos["i.jpg"].labels, photos["i.jpg"].group) == ((), "lookalike"), "what was cancelled does not count"
    assert len(photos) == 6
    assert all(photo.instance == photo.file for photo in photos.values()), "each is an object of its own"


def test_choices_within_choices_of_label_studio(tmp_path: Path) -> None:
    """All names on the way count; within a group the group alone, whatever the photo shows of it."""
    _touch(tmp_path, *"abcdef")
    listing, lookalike = ["Nothing", "none", "Phone"], ["Wildlife", "Lookalike"]
    tasks = [
        _chosen("a", {"taxonomy": [["Wildlife", "Ivory", "Bangle"], ["Coral"]]}),
        _chosen("b", {"taxonomy": [listing]}),
        _chosen("c", {"choices": [lookalike]}),
        {"image": "d", "taxonomy": [{"taxonomy": [["Wildlife", "Ivory"]]}]},
        {"image": "e", "taxonomy": [["Shell"], listing]},
        {"image": "f", "choice": {"choices": [lookalike, ["Rhino horn"]]}},
    ]
    photos = _by_file(read_photos(tmp_path, _json(tmp_path / "export.json", tasks)))
    assert photos["a"].labels == ("wildlife", "ivory", "bangle", "coral")
    assert (photos["b"].labels, photos["b"].group) == ((), "listing")
    assert photos["d"].labels == ("wildlife", "ivory")
    assert photos["e"].labels == ("shell",)
    assert (photos["c"].labels, photos["c"].group) == ((), "lookalike")
    assert photos["f"].labels == ("rhino_horn",)


def _chosen(image: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"data": {"image": image}, "annotations": [{"result": [{"value": value}]}]}


def test_coco_boxes(tmp_path: Path) -> None:
    _touch(tmp_path, "a.jpg", "b.jpg")
    ivory, coral = {"image_id": 1, "category_id": 5}, {"image_id": 1, "category_id": 6}
    coco = {
        "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}],
        "categories": [{"id": 5, "name": "ivory"}, {"id": 6, "name": "coral"}],
        "annotations": [coral, ivory, ivory],
    }  # fmt: skip
    photos = _by_file(read_photos(tmp_path, _json(tmp_path / "coco.json", coco)))
    assert set(photos["a.jpg"].labels) == {"ivory", "coral"}
    assert photos["b.jpg"].group == "listing"


def test_names_that_are_no_utf_8_or_have_a_backslash(tmp_path: Path) -> None:
    (tmp_path / "ivory").mkdir()
    names = {os.fsdecode(b"ivory/b\xfcste.jpg"), "ivory/a\\b.jpg", 'ivory/50% "new", 1\n.jpg'}
    _touch(tmp_path, *names)
    photos = read_photos(tmp_path)
    assert {photo.file for photo in photos} == names
    assert read_photos(tmp_path) == photos


def test_folders_that_are_links_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _touch(tmp_path, "elsewhere/a.jpg", "photos/listing/b.jpg")
    (tmp_path / "photos" / "ivory").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "photos" / "listing" / "c.jpg").symlink_to(tmp_path / "elsewhere" / "a.jpg")
    assert set(_by_file(read_photos(tmp_path / "photos"))) == {"listing/b.jpg", "listing/c.jpg"}
    assert "left out, a link to a folder, or to nothing: 1, ivory for one" in capsys.readouterr().err


def test_addresses_of_label_studio_are_decoded_once(tmp_path: Path) -> None:
    """A name with a per cent sign stays what it is."""
    _touch(tmp_path, "d/50%41.jpg", "1/60%41.jpg")
    round_ = {"value": {"ellipselabels": ["Ivory"]}}
    point = {"value": {"keypointlabels": ["Coral"]}}
    tasks = [
        {"data": {"image": "/data/local-files/?d=d/50%2541.jpg"}, "annotations": [{"result": [round_]}]},
        {"data": {"image": "/data/upload/1/60%2541.jpg"}, "annotations": [{"result": [point]}]},
    ]
    photos = _by_file(read_photos(tmp_path, _json(tmp_path / "export.json", tasks)))
    assert photos["d/50%41.jpg"].labels == ("ivory",)
    assert photos["1/60%41.jpg"].labels == ("coral",)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("l.csv", "", r"lacks the columns \['file', 'label'\]"),
        ("l.csv", "name,label\na.jpg,ivory\n", r"lacks the columns \['file'\]"),
        ("l.csv", "file;label\na.jpg;ivory\n", r"separated by commas, it has \['file;label'\]"),
        ("l.csv", f"file,label\na.jpg,{'x' * 140_000}\n", "cannot be read: field larger"),
        ("manifest.csv", f"{','.join(COLUMNS)}\n{'x' * 140_000}\n", "cannot be read: field larger"),
        (
            "l.csv",
            "file,label\nmissing.jpg,ivory\n",
            r"missing.jpg is named in .* is not there; names count from /\S+ on$",
        ),
        ("l.csv", "file,label\na.jpg,\nb.jpg,\nc.jpg,\nd.jpg,\n", "b.jpg .* is not there, nor are 2 others"),
        ("l.csv", "file,label\na.jpg,ivory\na.jpg,coral\n", "a.jpg is listed twice"),
        ("l.csv", "file,label,split\na.jpg,ivory,holdout\n", "a.jpg: split 'holdout' is none of train, val, test"),
        ("l.csv", "file,label,group\na.jpg,none,look-alike\n", "a.jpg: group 'look-alike' is none of product, listing"),
        ("l.csv", "file,label,group\na.jpg,,product\n", "group 'product' does not fit label 'none'"),
        ("l.csv", "file,label,group\na.jpg,ivory,listing\n", "group 'listing' does not fit label 'ivory'"),
        ("l.csv", "label,file\nivory,a.jpg\nivory\n", "l.csv, row 3: the column file is empty"),
        ("l.csv", "file,label\na.jpg,ivory,coral\n", "l.csv, row 2: 'coral' is in no column; what has a comma"),
        ("manifest.csv", f"{','.join(COLUMNS)}\na.jpg,train,,listing,,,,,x\n", "manifest.csv, row 2: 'x' is in no"),
        ("l.csv", "file,label\na.jpg,\n./a.jpg,\n", "a.jpg is listed twice"),
        ("l.csv", "file,label\nA.JPG,ivory\n", "is not there; the folder has 'a.jpg', not 'A.JPG'$"),
        ("l.csv", "file,label\na.jpg ,ivory\n", "is not there; the folder has 'a.jpg', not 'a.jpg '$"),
        ("l.csv", "file,label\na,ivory\n", "is not there; the folder has 'a.jpg', not 'a'$"),
        ("l.csv", "file,label\ne\u0301.jpg,ivory\n", r"not there; the folder has '\\xe9.jpg', not 'e\\u0301.jpg'$"),
        (
            "l.csv",
            "file,label,split,instance\na.jpg,,train,i\nb.jpg,,test,i\n",
            r"instance i is on two sides of a split: a.jpg \(train\) and b.jpg \(test\)",
        ),
        ("l.csv", "file,label\n", "no photos in"),
        ("l.json", "{", "cannot be read"),
        ("l.txt", "file,label\na.jpg,ivory\n", r"cannot be read as JSON \(the name of a table must end in .csv\)"),
        ("l.json", "[" * 100_000, "cannot be read"),
        ("l.json", '[{"image": "http://[bad/a.jpg"}]', "not the JSON"),
        ("l.json", '{"a": 1}', "neither a Label Studio export nor COCO"),
        (
            "l.json",
            '[{"data": {"picture": "a.jpg"}}]',
            "looks like: a task's photo must be called image, one has picture",
        ),
        ("l.json", '{"images": [], "annotations": [{"image_id": 1}], "categories": []}', "not the JSON"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    _touch(tmp_path, "a.jpg", "\xe9.jpg")
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(ManifestError, match=message):
        read_photos(tmp_path, tmp_path / name if name != "manifest.csv" else None)


def test_a_table_of_another_encoding_is_named(tmp_path: Path) -> None:
    for encoding in ("latin-1", "utf-16"):
        (tmp_path / "l.csv").write_text("file,label\n\xe9.jpg,ivory\n", encoding)
        with pytest.raises(ManifestError, match=r"l\.csv is not UTF-8, save it as that: "):
            read_photos(tmp_path, tmp_path / "l.csv")


def test_empty_cells_and_lines_after_the_last_column_are_nothing(tmp_path: Path) -> None:
    _touch(tmp_path, "a.jpg", "b.jpg")
    (tmp_path / "l.csv").write_text("file,label\n\n./a.jpg,ivory,,\n\nb.jpg,,\n")
    assert [photo.file for photo in read_photos(tmp_path, tmp_path / "l.csv")] == ["a.jpg", "b.jpg"]


def test_no_folder_and_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="no folder at"):
        read_photos(tmp_path / "nowhere")
    with pytest.raises(ManifestError, match="no photos in"):
        read_photos(tmp_path)


def test_sides_of_a_split_are_no_categories(tmp_path: Path) -> None:
    """A folder for each side, and in it one for each category, as ImageNet has them: nothing of it was used."""
    _touch(tmp_path, "Train/ivory/a.jpg", "Train/listing/b.jpg", "valid/ivory/c.jpg")
    with pytest.raises(ManifestError, match=r"^Train, valid in /.* are sides of a split, not categories: put "):
        read_photos(tmp_path)


def test_unknown_labels_and_summary(tmp_path: Path, recipe: Recipe) -> None:
    _touch(tmp_path, "ivory/a.jpg", "ivroy/b.jpg", "listing/c.jpg")
    photos = read_photos(tmp_path)
    assert unknown_labels(photos, recipe) == ["ivroy"]
    assert unknown_labels(photos, recipe.model_copy(update={"merge": {"ivroy": "ivory"}})) == []
    assert summary(photos).startswith("3 photos: ")
    assert "ivory 1" in summary(photos) and "train 3" in summary(photos)


def test_command_says_what_is_wrong_without_a_traceback(tmp_path: Path) -> None:
    done = CliRunner().invoke(train, ["--data", str(tmp_path / "nowhere"), "--out", str(tmp_path / "out")])
    assert done.exit_code == 1
    assert "Error: no folder at" in done.output
