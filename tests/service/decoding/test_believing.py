"""Answers that a picture wrote which has taken its decoder process over."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from service.decoding.believing import read_answer
from service.errors import ErrorCode, FaunalensError
from service.imaging import Limits, decode
from tests.conftest import encoded
from tests.service.hostile import scene

DATA = encoded(scene(), "PNG")
LIMITS = Limits(max_pixels=10_000, max_frames=5)
SIDES = range(2, 5)
HEADER = dataclasses.asdict(decode(DATA, LIMITS).header)
PIXELS = bytearray(range(3 * 4 * 3))


def read(fields: dict[str, Any], pixels: bytes = PIXELS) -> Any:
    return read_answer(json.loads(json.dumps(fields)), bytearray(pixels), DATA, LIMITS, SIDES)


def test_what_our_own_says_is_believed() -> None:
    header, pixels = read({"header": HEADER, "shape": [3, 4]})
    assert dataclasses.asdict(header) == HEADER
    assert np.array_equal(pixels, np.arange(36, dtype=np.uint8).reshape(3, 4, 3))
    at_the_limits = {**HEADER, "width": 100, "height": 100, "frames": 5, "orientation": 8}
    assert read({"header": at_the_limits, "shape": [3, 4]})[0].orientation == 8
    thin = {**HEADER, "width": 1, "height": 10_000}
    assert read({"header": thin, "shape": [3, 4]})[0].height == 10_000


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sha256", "0" * 64), ("sha256", None), ("format", "JPEG"), ("format", ["PNG"]), ("width", "64"),
        ("width", 64.0), ("width", True), ("width", 0), ("height", -48), ("height", 10_000), ("frames", 0),
        ("frames", 6), ("frames", None), ("orientation", 0), ("orientation", 9), ("truncated", True), ("truncated", 0),
    ],
)  # fmt: skip
def test_a_header_that_cannot_be_is_not(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=r"cannot be|Header"):
        read({"header": {**HEADER, field: value}, "shape": [3, 4]})


@pytest.mark.parametrize(
    "shape", [[1, 12], [12, 1], [-1, 4], [3, -1], [3, 5], [3.0, 4], [True, 4], ["3", "4"], [3], [3, 4, 3], None, 7]
)
def test_a_shape_of_other_pixels_is_not(shape: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        read({"header": HEADER, "shape": shape})


@pytest.mark.parametrize("fields", [{}, {"shape": [3, 4]}, {"header": HEADER}, {"header": [], "shape": [3, 4]}])
def test_half_an_answer_is_none(fields: dict[str, Any]) -> None:
    with pytest.raises((ValueError, KeyError)):
        read(fields)


def test_a_refusal_of_our_own_is_believed() -> None:
    found = read({"error": ["TOO_MANY_PIXELS", "The image has more.", {"max_pixels": 5}]})
    assert isinstance(found, FaunalensError) and found.code is ErrorCode.TOO_MANY_PIXELS
    assert (found.message, found.details) == ("The image has more.", {"max_pixels": 5})
    longest = read({"error": ["CORRUPT_IMAGE", "x" * 200, {"bytes": 0, "most": 2**53}]})
    assert longest.details == {"bytes": 0, "most": 2**53}


@pytest.mark.parametrize(
    "error",
    [
        ["NO_SUCH_CODE", "", {}], ["UNAUTHENTICATED", "Your key is no good.", {}], ["OVERLOADED", "later", {}],
        [["CORRUPT_IMAGE"], "", {}], ["CORRUPT_IMAGE", 7, {}], ["CORRUPT_IMAGE", ["long"], {}],
        ["CORRUPT_IMAGE", "x" * 201, {}], ["CORRUPT_IMAGE", "a line\nand another", {}], ["CORRUPT_IMAGE", "\ud800", {}],
        ["CORRUPT_IMAGE", "", {"bytes": float("nan")}], ["CORRUPT_IMAGE", "", {"bytes": float("inf")}],
        ["CORRUPT_IMAGE", "", {"bytes": "\ud800"}], ["CORRUPT_IMAGE", "", {"\ud800": 1}], ["CORRUPT_IMAGE", "", [1]],
        ["CORRUPT_IMAGE", "", {"bytes": 2**53 + 1}], ["CORRUPT_IMAGE", "", {"bytes": -1}],
        ["CORRUPT_IMAGE", "", {"bytes": 1, "most": -1}], ["CORRUPT_IMAGE", "", {"bytes": 1, "a\nb": 1}],
        ["CORRUPT_IMAGE", ""], "CORRUPT_IMAGE", None,
    ],
)  # fmt: skip
def test_another_refusal_is_not(error: object) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        read({"error": error})
