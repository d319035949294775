"""Where the evidence is shown, beside where the object is."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from service.detector import Detector
from service.seen import Seen
from service.settings import Settings
from training.evaluating import localisation
from training.evaluating.evaluation import Scored, score_photos
from training.photos.manifest import Photo

pytestmark = pytest.mark.training
SAMPLES = Path(__file__).parents[3] / "docs" / "samples"


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector(Settings())


def _photo(path: Path, *labels: str) -> Photo:
    return Photo(path, path.name, "test", labels, "product", "any", path.stem, "ours")


@pytest.fixture
def horn(tmp_path: Path) -> Photo:
    """A sample with a mask beside it, as scenes are rendered."""
    path = tmp_path / "horn.jpg"
    path.write_bytes((SAMPLES / "rhino-horn.jpg").read_bytes())
    with Image.open(path) as picture:
        mask = Image.new("L", picture.size)
    ImageDraw.Draw(mask).rectangle((100, 100, 260, 259), fill=255)
    (tmp_path / "masks").mkdir()
    mask.save(tmp_path / "masks" / "horn.png")
    return _photo(path, "rhino_horn")


def _twice_as_large(scored: Scored) -> Scored:
    """As if the one photo had been judged at twice its size, and only read smaller."""
    answer = scored.answers[0]
    image = answer.image.model_copy(update={"width": 2 * answer.image.width, "height": 2 * answer.image.height})
    findings = tuple(
        finding.model_copy(update={"box": finding.box.model_copy(update={k: 2 * v for k, v in finding.box})})
        for finding in answer.findings
    )
    return replace(scored, answers=[answer.model_copy(update={"image": image, "findings": findings})])


def test_peak_and_box_are_compared_with_the_mask(
    detector: Detector, horn: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored = score_photos(detector, [horn])
    answer = scored.answers[0]
    (box,) = (finding.box for finding in answer.findings if finding.category == "rhino_horn")
    row = localisation.localisation(scored, detector, 10)["rhino_horn"]
    assert (row["photos"], row["instances"], row["small_sample"]) == (1, 1, True)
    area = answer.image.width * answer.image.height
    assert row["object_share"] == pytest.approx(161 * 160 / area)
    assert row["overlap_of_whole_picture"] == pytest.approx(161 * 160 / area)
    sides = min(box.right, 261) - max(box.left, 100), min(box.bottom, 260) - max(box.top, 100)
    own = (box.right - box.left) * (box.bottom - box.top)
    shared = sides[0] * sides[1]
    assert row["overlap"]["value"] == pytest.approx(shared / (own + 161 * 160 - shared))
    assert row["half_overlap"]["value"] == float(row["overlap"]["value"] >= 0.5)
    larger = localisation.localisation(_twice_as_large(scored), detector, 10)["rhino_horn"]
    assert larger["overlap"]["value"] == pytest.approx(row["overlap"]["value"])
    see = Detector.see
    for cell, on_object in (((4, 4), 1.0), ((8, 8), 0.0)):

        def placed(self: Detector, data: bytes, cell: tuple[int, int] = cell) -> Seen:
            seen = see(self, data)
            seen.scores.maps[:] = 0
            seen.scores.maps[0, :, 12 - cell[0], 12 - cell[1]] = 1
            own = seen.scores.maps[0, self.contract.ids.index("rhino_horn")]
            own[:] = 0
            own[cell] = 1
            return seen

        monkeypatch.setattr(Detector, "see", placed)
        found = localisation.localisation(scored, detector, 10)["rhino_horn"]
        assert found["peak_on_object"]["value"] == on_object


def test_only_findings_of_what_a_photo_shows_and_known_objects_count(detector: Detector, horn: Photo) -> None:
    other = _photo(horn.path, "ivory")
    busy = _photo(SAMPLES / "pangolin-scales.jpg", "pangolin_scales")
    scored = score_photos(detector, [other, busy])
    assert scored.answers[1].findings
    assert localisation.localisation(scored, detector, 10) == {}


def test_the_middle_of_the_highest_cell_and_the_overlap_of_boxes() -> None:
    cells = np.zeros((9, 9), np.float32)
    cells[2, 7] = 1
    assert localisation._peak(cells, 90, 180) == (25, 150)
    assert localisation._overlap((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(2 / 6)
    assert localisation._overlap((0, 0, 1, 1), (2, 2, 3, 3)) == 0.0
    assert localisation._overlap((0, 0, 1, 1), (0, 2, 1, 3)) == 0.0
