"""What the labels of others lack or say twice is told: a photo with a lost label would teach that it shows nothing."""

import json
from pathlib import Path
from typing import Any

import pytest

from training.photos.labels import labelled
from training.photos.manifest import ManifestError

IMAGES = [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}]
CATEGORIES = [{"id": 5, "name": "ivory"}]


def _coco(path: Path, **parts: Any) -> Path:
    content = {"images": IMAGES, "annotations": [], "categories": CATEGORIES, **parts}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_boxes_of_images_that_are_not_listed_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    boxes = [{"image_id": image, "category_id": 5} for image in (1, "2", 9)]
    found = labelled(_coco(tmp_path / "coco.json", annotations=boxes))
    assert [(row.file, row.labels) for row in found] == [("a.jpg", ["ivory"]), ("b.jpg", [])]
    assert capsys.readouterr().err == "left out, boxes whose image_id is no id of the images: 2, image_id '2' for one\n"


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"images": [*IMAGES, {"id": 1, "file_name": "c.jpg"}]}, "two images have the id 1: number them anew$"),
        ({"categories": [*CATEGORIES, {"id": 5, "name": "coral"}]}, "two categories have the id 5: number them anew$"),
        (
            {"annotations": [{"image_id": 1, "category_id": 7}]},
            "the category_id 7, which is no id of the categories$",
        ),
        ({"annotations": [{"image_id": 1}]}, "looks like: 'category_id' is missing$"),
        ({"images": [{"id": 1}]}, "looks like: 'file_name' is missing$"),
    ],
)
def test_what_coco_lacks_or_says_twice_is_named(tmp_path: Path, parts: dict[str, Any], message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        labelled(_coco(tmp_path / "coco.json", **parts))
