import struct

import numpy as np
import pytest
from PIL import Image

from service.errors import ErrorCode, FaunalensError
from service.imaging import Limits, decode
from tests.conftest import encoded

NAMES = {"bits": 258, "photometric": 262, "samples": 277, "planes": 284, "extra": 338, "format": 339}


def tiff(width: int, strips: list[bytes], order: str = "<", **tags: int) -> bytes:
    """An uncompressed TIFF one pixel high, a strip for each plane; ``tags``: those of ``NAMES``."""
    values = {256: [width], 257: [1], 259: [1], 278: [1], 279: [len(strip) for strip in strips]}
    values |= {NAMES[name]: [value] for name, value in tags.items()}
    arrays = 8 + 2 + 12 * (len(values) + 1) + 4
    data = arrays + 8 * len(strips)
    values[273] = [data + sum(map(len, strips[:number])) for number in range(len(strips))]
    fields, outside = b"", b""
    for tag, listed in sorted(values.items()):
        packed = struct.pack(f"{order}{len(listed)}I", *listed)
        if len(listed) > 1:
            packed, outside = struct.pack(f"{order}I", arrays + len(outside)), outside + packed
        fields += struct.pack(f"{order}HHI", tag, 4, len(listed)) + packed
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(values))
    return (start + fields + bytes(4) + outside).ljust(data, b"\0") + b"".join(strips)


def greys(data: bytes) -> list[int]:
    pixels = np.asarray(decode(data, Limits()).rgb)
    assert (pixels == pixels[..., :1]).all()
    return [int(value) for value in pixels[0, :, 0]]


def grey(values: list[int], bits: int, kind: str, **tags: int) -> bytes:
    strip = struct.pack(f"<{len(values)}{kind}", *values)
    return tiff(len(values), [strip], bits=bits, samples=1, **{"photometric": 1, **tags})


def test_white_as_zero_in_16_bits() -> None:
    assert greys(grey([0, 0x4000, 0xFFFF], 16, "H", photometric=0)) == [255, 191, 0]
    assert greys(grey([0, 0x4000, 0xFFFF], 16, "H")) == [0, 64, 255]


def test_twelve_bits() -> None:
    packed = bytes([0x00, 0x08, 0x00, 0xFF, 0xF0, 0x10])
    assert greys(tiff(4, [packed], bits=12, samples=1, photometric=1)) == [0, 128, 255, 1]


def test_thirty_two_bits_without_sign_fill_their_range() -> None:
    values = [0, 0x40000000, 0x80000000, 0xFFFFFFFF]
    assert greys(grey(values, 32, "I")) == greys(grey(values, 32, "I", format=1)) == [0, 64, 128, 255]


@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bits_with_sign_fill_their_range(order: str) -> None:
    for values, expected in (([0, 0x2000, 0x7FFF], [0, 64, 255]), ([-0x8000, 0, 0x7FFF], [0, 128, 255])):
        strip = struct.pack(f"{order}3h", *values)
        assert greys(tiff(3, [strip], order, bits=16, samples=1, photometric=1, format=2)) == expected


def test_eight_bits_with_sign_fill_their_range() -> None:
    for values, expected in (([0, 64, 127], [0, 128, 254]), ([-128, 0, 127], [0, 128, 255])):
        assert greys(grey(values, 8, "b", format=2)) == expected
    assert greys(grey([0, 64, 255], 8, "B", format=1)) == greys(grey([0, 64, 255], 8, "B")) == [0, 64, 255]


def test_with_sign_they_are_sixteen() -> None:
    assert greys(grey([-5, 0x4000, 0xFFFF, 0x7FFFFFFF], 32, "i", format=2)) == [0, 64, 255, 255]


@pytest.mark.parametrize(("top", "expected"), [(1.0, [0, 63, 255]), (255.0, [0, 63, 255]), (300.0, [0, 75, 255])])
def test_floating_point_is_one_range_or_the_other(top: float, expected: list[int]) -> None:
    values = np.array([[-0.5, top / 4, top]], np.float32)
    assert greys(encoded(Image.fromarray(values), "TIFF")) == expected


def test_what_is_no_number_is_black() -> None:
    values = np.array([[np.nan, 0.5, np.inf]], np.float32)
    assert greys(encoded(Image.fromarray(values), "TIFF")) == [0, 0, 255]


@pytest.mark.parametrize("order", ["<", ">"])
def test_planes_of_16_bits_have_their_colours(order: str) -> None:
    planes = [struct.pack(f"{order}3H", *row) for row in ([0xFF00, 0, 0x8000], [0, 0xFF00, 0x4000], [0, 0, 0x2000])]
    data = tiff(3, planes, order, bits=16, photometric=2, samples=3, planes=2)
    assert np.asarray(decode(data, Limits()).rgb)[0].tolist() == [[255, 0, 0], [0, 255, 0], [128, 64, 32]]
    opaque = tiff(3, [*planes, b"\xff" * 6], order, bits=16, photometric=2, samples=4, planes=2, extra=2)
    assert np.asarray(decode(opaque, Limits()).rgb)[0].tolist() == [[255, 0, 0], [0, 255, 0], [128, 64, 32]]


def test_planes_that_cannot_be_read_are_refused() -> None:
    planes = [b"\x00\xff" * 3] * 4
    with pytest.raises(FaunalensError) as caught:
        decode(tiff(3, planes, bits=16, photometric=5, samples=4, planes=2), Limits())
    assert caught.value.code is ErrorCode.CORRUPT_IMAGE


def test_planes_of_8_bits_are_read_as_before() -> None:
    data = tiff(2, [b"\xff\x00", b"\x00\xff", b"\x07\x08"], bits=8, photometric=2, samples=3, planes=2)
    assert np.asarray(decode(data, Limits()).rgb)[0].tolist() == [[255, 0, 7], [0, 255, 8]]
