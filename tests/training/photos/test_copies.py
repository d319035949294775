"""Photos that are there twice, to the byte or nearly."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from service.fingerprint import mirrored
from training.photos import copies as module
from training.photos.copies import near, same_bytes, told
from training.photos.manifest import ManifestError, Photo


def test_files_of_the_same_bytes_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = [b"one", b"two", b"one", b"three", b"two", b"one", b"alone"]
    paths = [tmp_path / str(number) for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    assert same_bytes([*paths, tmp_path / "missing"]) == [[0, 2, 5], [1, 4]]
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path} was read"))
    assert same_bytes([paths[0], paths[3]]) == [], "each has a size of its own"


def test_near_copies_of_train_are_told(photos: list[Photo], tmp_path: Path) -> None:
    assert near(photos) == []
    first = next(photo for photo in photos if photo.split == "train")
    with Image.open(first.path) as picture:
        ImageOps.mirror(picture.resize((90, 70))).save(tmp_path / "copy.jpg", quality=70)
        picture.convert("L").point(lambda value: 255 - value).save(tmp_path / "other.jpg")
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(tmp_path / "black.jpg")
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    held = [
        replace(first, path=tmp_path / name, file=name, split="test")
        for name in ("copy.jpg", "other.jpg", "black.jpg", "broken.jpg", "missing.jpg")
    ]
    expected = (
        f"1 photos of val or test look nearly like one of train: copy.jpg (test) and {first.file} (train) for one"
    )
    unread, alike = near([*photos, *held])
    assert alike == expected
    assert unread.startswith("2 photos of test cannot be read, mend or remove them before you train")
    for name in ("broken.jpg", "missing.jpg"):
        assert f"{tmp_path / name} cannot be used: " in unread
    assert near(held) == [unread] and near([]) == []


def test_photos_to_train_on_that_cannot_be_used_are_named_at_once(photos: list[Photo], tmp_path: Path) -> None:
    """Not one after the other, hours apart, as training comes to them."""
    used = [photo for photo in photos if photo.split != "test"]
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    broken = [replace(photo, path=tmp_path / "broken.jpg") for photo in used]
    with pytest.raises(ManifestError) as refused:
        near([*photos, replace(broken[0], path=tmp_path / "gone.jpg"), broken[1]])
    one, other = str(refused.value).splitlines()
    assert one.startswith(f"{tmp_path / 'gone.jpg'} cannot be used: ")
    assert other.startswith(f"{tmp_path / 'broken.jpg'} cannot be used: ")
    with pytest.raises(ManifestError, match=rf"\nand {len(broken) - 20} more$"):
        near(broken)


def test_two_bits_are_near_and_three_are_not_on_val_as_on_test(
    photos: list[Photo], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = photos[0]
    rows = {
        "a": ("train", 0),
        "b": ("val", 0b11),
        "c": ("val", 0b111),
        "d": ("test", mirrored(0b1)),
        "e": ("train", 0b1),
    }
    monkeypatch.setattr(module, "_hash", lambda photo: rows[photo.file][1])
    found = near([replace(first, file=name, split=split) for name, (split, _) in rows.items()])
    assert found == ["3 photos of val or test look nearly like one of train: b (val) and e (train) for one"]
    del rows["e"]
    found = near([replace(first, file=name, split=split) for name, (split, _) in rows.items()])
    assert found == ["2 photos of val or test look nearly like one of train: b (val) and a (train) for one"]


def test_labels_in_another_order_are_the_same(photos: list[Photo], tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"same")
    (tmp_path / "b.jpg").write_bytes(b"same")
    one, other = (
        replace(photos[0], path=tmp_path / name, file=name, labels=labels)
        for name, labels in (("a.jpg", ("ivory", "coral")), ("b.jpg", ("coral", "ivory")))
    )
    assert told([one, other]) == []
    assert told([one, replace(other, labels=("coral",))]) == [
        "1 photos have the same bytes as one with another label: a.jpg (train) and b.jpg (train) for one"
    ]
