"""Reading and checking the manifest."""

from pathlib import Path

import pytest

from training.photos.manifest import (
    ManifestError,
    Photo,
    apply_recipe,
    label_counts,
    lacking,
    read_exclusions,
    read_manifest,
    select,
)
from training.recipe import Recipe

HEADER = "file,split,label,group,kind,instance,source"
GOOD = (
    "a.jpg,train,ivory|coral,product,tusk,i1,s",
    "b.jpg,val,none,listing,phone,i2,s",
    "c.jpg,test,,lookalike,x,i3,s",
)


def _write(root: Path, *rows: str, header: str = HEADER) -> Path:
    (root / "manifest.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return root


def _recipe(**changes: object) -> Recipe:
    return Recipe.model_validate({"categories": {"ivory": "core", "coral": "core"}, **changes})


def test_reads_rows(tmp_path: Path) -> None:
    photos = read_manifest(_write(tmp_path, *GOOD))
    assert photos[0] == Photo(tmp_path / "a.jpg", "a.jpg", "train", ("ivory", "coral"), "product", "tusk", "i1", "s")
    assert [photo.labels for photo in photos[1:]] == [(), ()]
    assert [photo.file for photo in select(photos, "val")] == ["b.jpg"]


def test_a_backslash_is_a_slash_unless_it_is_in_a_name(tmp_path: Path) -> None:
    (tmp_path / "own\\b.jpg").touch()
    photos = read_manifest(_write(tmp_path, "photos\\a.jpg,val,,listing,,,s", "own\\b.jpg,val,,listing,,,s"))
    assert [photo.file for photo in photos] == ["photos/a.jpg", "own\\b.jpg"]
    assert photos[0].path == tmp_path / "photos" / "a.jpg" and photos[0].instance == "photos/a.jpg"


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"no manifest at .*manifest\.csv"):
        read_manifest(tmp_path)


def test_a_mark_at_the_start_and_no_instance(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text(f"{HEADER}\na.jpg,train,,listing,,,\nb.jpg,val,,listing,,,\n", "utf-8-sig")
    assert [photo.instance for photo in read_manifest(tmp_path)] == ["a.jpg", "b.jpg"]


def test_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text(f"{HEADER}\né.jpg,train,,listing,,,\n", "latin-1")
    with pytest.raises(ManifestError, match="is not UTF-8"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("column", HEADER.split(","))
def test_missing_column_is_named(tmp_path: Path, column: str) -> None:
    header = ",".join(name for name in HEADER.split(",") if name != column)
    with pytest.raises(ManifestError, match=rf"lacks the columns \['{column}'\]"):
        read_manifest(_write(tmp_path, header=header))


def test_empty_file_lacks_its_columns(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").touch()
    with pytest.raises(ManifestError, match="lacks the columns"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("d.jpg,holdout,none,listing,k,i4,s", "row 5: split 'holdout'"),
        ("d.jpg,train,none,people,k,i4,s", "manifest.csv, row 5: group 'people' is none of product, listing"),
        ("d.jpg,train,ivory,listing,k,i4,s", "row 5: group 'listing' does not fit label 'ivory'"),
        ("d.jpg,train,none,product,k,i4,s", "row 5: group 'product' does not fit label 'none'"),
        ("a.jpg,train,ivory,product,k,i4,s", r"a\.jpg is listed twice"),
        ("d.jpg,test,ivory,product,k,i1,s", "instance i1 is on two sides"),
        ("d.jpg,train", "row 5: group '' is none of"),
    ],
)
def test_bad_row_is_refused(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        read_manifest(_write(tmp_path, *GOOD, row))


def test_one_instance_may_have_several_photos_on_one_side(tmp_path: Path) -> None:
    assert len(read_manifest(_write(tmp_path, *GOOD, "d.jpg,train,ivory,product,k,i1,s"))) == 4


def test_exclusions_leave_photos_out(tmp_path: Path) -> None:
    path = tmp_path / "exclusions.csv"
    path.write_text("file,why\nb.jpg,shows a tusk\n", encoding="utf-8")
    assert read_exclusions(path) == {"b.jpg": "shows a tusk"}
    assert [photo.file for photo in read_manifest(_write(tmp_path, *GOOD), path)] == ["a.jpg", "c.jpg"]


def test_recipe_merges_categories(tmp_path: Path) -> None:
    photos = read_manifest(_write(tmp_path, *GOOD))
    merged = apply_recipe(photos, _recipe(merge={"coral": "ivory"}))
    assert [photo.labels for photo in merged] == [("ivory",), (), ()]
    assert merged[0].file == "a.jpg"


def test_recipe_drops_unknown_labels_and_photos_left_without(tmp_path: Path) -> None:
    photos = read_manifest(_write(tmp_path, *GOOD, "d.jpg,train,shell,product,k,i4,s"))
    kept = apply_recipe(photos, _recipe(categories={"coral": "core"}))
    assert [(photo.file, photo.labels) for photo in kept] == [("a.jpg", ("coral",)), ("b.jpg", ()), ("c.jpg", ())]


@pytest.mark.parametrize(
    ("without", "named"),
    [("a.jpg", "products in train"), ("b.jpg", "photos in val"), ("d.jpg", "photos without a product in train")],
)
def test_what_is_lacking_to_train_is_named(tmp_path: Path, without: str, named: str) -> None:
    photos = read_manifest(_write(tmp_path, *GOOD, "d.jpg,train,,listing,x,i4,s"))
    assert lacking(photos) is None
    assert (lacking([photo for photo in photos if photo.file != without]) or "").startswith(f"there are no {named}:")


def test_counts_labels_and_groups(tmp_path: Path) -> None:
    counts = label_counts(read_manifest(_write(tmp_path, *GOOD)))
    assert list(counts.items()) == [("coral", 1), ("ivory", 1), ("listing", 1), ("lookalike", 1)]


def test_shipped_exclusions_give_reasons() -> None:
    path = Path(__file__).parents[3] / "training" / "exclusions.csv"
    assert all(why.strip() for why in read_exclusions(path).values())
