import io

import numpy as np
import pytest
from PIL import Image

from service import activation
from service.activation import box, heat, overlay_png


def spot(row: int, column: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    scores = np.full((8, 8), -4.0, np.float32)
    scores[row, column] = 3.0
    return scores


def test_box_surrounds_the_peak_in_original_pixels() -> None:
    left, top, right, bottom = box(spot(1, 6), 1600, 800)
    assert 1100 < left < 1300 <= 1350 < right <= 1600
    assert 50 < top < 150 < bottom < 280


def test_box_leaves_a_second_object_out() -> None:
    scores = np.maximum(spot(1, 1), spot(6, 6) - 0.5)
    _, _, right, bottom = box(scores, 100, 100)
    assert right < 50 and bottom < 50


@pytest.mark.parametrize(("beside", "right"), [(0.45, 120), (0.15, 80)])
def test_box_holds_what_is_far_enough_on_the_way_to_the_peak(beside: float, right: int) -> None:
    scores = np.zeros((14, 14), np.float32)
    scores[4:8, 4:8], scores[4:8, 8:12] = 1.0, beside
    assert box(scores - 5, 140, 140) == pytest.approx((40, 40, right, 80), abs=5)


def test_box_holds_what_is_just_far_enough() -> None:
    scores = np.zeros((56, 56), np.float32)
    scores[11:20, 31:40] = 0.3
    scores[14, 35] = 1.0
    assert box(scores, 560, 1120) == (310, 220, 400, 400)
    assert box(scores, 102, 100) == (56, 19, 73, 36), "pixels that it touches at the left, and mostly at the right"


def test_the_way_to_the_peak_begins_at_the_lower_quartile() -> None:
    scores = np.zeros((56, 56), np.float32)
    scores[:39] = 0.4
    scores[5, 5] = 1.0
    assert box(scores, 56, 56) == (0, 0, 56, 39), "three tenths of the way; of that from the median it is none"


def test_box_of_a_flat_map_is_the_whole_picture() -> None:
    assert box(np.zeros((7, 7), np.float32), 30, 20) == (0, 0, 30, 20)


def test_box_of_a_small_picture_holds_a_pixel_at_least() -> None:
    for cell in range(18):
        scores = np.full((18, 18), -4.0, np.float32)
        scores[cell, cell] = 3.0
        for side in range(1, 20):
            left, top, right, bottom = box(scores, side, side)
            assert 0 <= left < right <= side and 0 <= top < bottom <= side


def test_overlay_colours_the_evidence_only() -> None:
    grey = Image.new("RGB", (400, 200), (90, 90, 90))
    heat = np.zeros((8, 8), np.float32)
    heat[:, 6:] = 0.9
    overlay = Image.open(io.BytesIO(overlay_png(grey, heat, 200)))
    assert overlay.format == "PNG" and overlay.size == (200, 100)
    pixels = np.asarray(overlay).astype(int)
    assert np.abs(pixels[50, 10] - 90).max() <= 2
    assert pixels[50, 190, 0] - pixels[50, 190, 2] > 60


def test_overlay_grows_and_fades_without_steps() -> None:
    grey = Image.new("RGB", (200, 200), (90, 90, 90))
    overlay = Image.open(io.BytesIO(overlay_png(grey, heat(spot(4, 4), 1.0), 200)))
    reds = np.asarray(overlay).astype(int)[112, :112, 0]
    assert reds[0] == 90 and reds[-1] > 150 and np.abs(np.diff(reds)).max() < 40


def test_overlay_leaves_a_third_of_the_picture_where_the_heat_is_highest() -> None:
    grey = Image.new("RGB", (40, 20), (90, 90, 90))
    for warm, colour, opacity in ((0.0, (0, 0, 4), 0.0), (0.25, (92, 25, 105), 0.325), (1.0, (252, 255, 164), 0.65)):
        overlay = Image.open(io.BytesIO(overlay_png(grey, np.full((8, 8), warm, np.float32), 20)))
        wanted = [opacity * one + (1 - opacity) * 90 for one in colour]
        assert np.asarray(overlay)[5, 10] == pytest.approx(wanted, abs=2), warm
    assert grey.size == (40, 20), "the picture may be used again"


@pytest.mark.parametrize("seed", range(20))
def test_connected_cells_are_those_of_a_flood(seed: int) -> None:
    rng = np.random.default_rng(seed)
    inside = rng.random((12, 9)) < rng.uniform(0.4, 0.9)
    inside[3, 4] = True
    flood, edge = {(3, 4)}, [(3, 4)]
    while edge:
        row, column = edge.pop()
        for cell in ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)):
            if 0 <= cell[0] < 12 and 0 <= cell[1] < 9 and inside[cell] and cell not in flood:
                flood.add(cell)
                edge.append(cell)
    rows, columns = activation._connected(inside, 3 * 9 + 4)
    assert set(zip(rows.tolist(), columns.tolist(), strict=True)) == flood


def test_heat_is_highest_at_the_peak_and_fades_with_the_probability() -> None:
    scores = spot(2, 3)
    scores[0, 0], scores[1, 1] = -0.5, -9.0
    found = heat(scores, 0.81)
    assert found.dtype == np.float32
    assert found[2, 3] == np.float32(0.9) and found[0, 0] == np.float32(0.45), "half of the way to the peak"
    assert found.sum() == pytest.approx(1.35), "none at the median and under it"
    assert heat(spot(2, 3), 0.0).max() == 0
    assert not heat(np.ones((5, 5), np.float32), 1.0).any()
