import io
import struct

import numpy as np
import pytest
from PIL import ImageCms

from service.decoding.profiles import BrokenProfileError, Floats, Matrix, columns_of, for_engine, negligible

WHITE = (0.3127, 0.329)
RGB = columns_of((*WHITE, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06))
P3 = columns_of((*WHITE, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06))
ADOBE = columns_of((*WHITE, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06))
PROPHOTO = columns_of((0.3457, 0.3585, 0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001))
LEVELS = np.linspace(0, 1, 1_024)
SRGB: Floats = np.where(LEVELS <= 0.04045, LEVELS / 12.92, ((LEVELS + 0.055) / 1.055) ** 2.4)


def matrix_profile(columns: Floats, curve: Floats) -> bytes:
    """A profile with one curve for all."""
    return Matrix(columns, np.stack([curve] * 3)).profile()


NEGATIVE = matrix_profile(RGB, SRGB[::-1])


def built(tags: list[tuple[bytes, bytes]], kind: bytes = b"RGB ") -> bytes:
    """A profile of these tags, with the primaries of sRGB."""
    made = matrix_profile(RGB, SRGB)
    places = ((b"rXYZ", 216), (b"gXYZ", 236), (b"bXYZ", 256), (b"wtpt", 276))
    tags = [*tags, *((name, made[start : start + 20]) for name, start in places)]
    start, directory, body = 132 + 12 * len(tags), b"", b""
    for name, content in tags:
        directory += struct.pack(">4sII", name, start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    size = struct.pack(">I", start + len(body))
    return size + made[4:16] + kind + made[20:128] + struct.pack(">I", len(tags)) + directory + body


def with_curve(curve: bytes, kind: bytes = b"RGB ") -> bytes:
    """One curve for all, or for grey."""
    return built([(name, curve) for name in ((b"rTRC", b"gTRC", b"bTRC") if kind == b"RGB " else (b"kTRC",))], kind)


def parametric(kind: int, *values: float) -> bytes:
    return b"para\0\0\0\0" + struct.pack(f">HH{len(values)}i", kind, 0, *(round(value * 65_536) for value in values))


def table(values: Floats) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">I", len(values)) + np.rint(values * 65_535).astype(">u2").tobytes()


@pytest.mark.parametrize(
    ("columns", "curve", "near"),
    [
        (RGB, SRGB, True), (RGB, LEVELS**2.2, True), (RGB, LEVELS**1.8, True), (P3, SRGB, True),
        (ADOBE, LEVELS**2.2, True), (PROPHOTO, LEVELS**1.8, False), (RGB, LEVELS, False), (RGB, LEVELS**5, False),
        (RGB, SRGB[::-1], False), (RGB[:, ::-1], SRGB, False), (np.zeros((3, 3)), SRGB, False),
    ],
    ids=("sRGB", "2.2", "1.8", "Display P3", "Adobe RGB", "ProPhoto", "linear", "dark", "negative", "swapped", "black"),
)  # fmt: skip
def test_what_phones_and_cameras_write_is_near(columns: Floats, curve: Floats, near: bool) -> None:
    assert negligible(matrix_profile(columns, curve)) is near


def test_a_curve_that_is_odd_between_the_colours_that_are_tried_is_not_near() -> None:
    odd = SRGB.copy()
    odd[100:180] = SRGB[700:780]
    assert not negligible(matrix_profile(RGB, odd))


def read(profile: bytes) -> str:
    try:
        return "near" if for_engine(profile) is None else "far"
    except BrokenProfileError:
        return "broken"


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        (parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045), "near"), (parametric(0, 2.2), "near"),
        (parametric(1, 2.2, 1, 0), "near"), (parametric(2, 2.2, 1, 0, 0), "near"), (parametric(0, 1.0), "far"),
        (parametric(4, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045, 0, 0), "near"),
        (parametric(1, 5, 1, 0), "far"),
        (parametric(2, 2.2, 1, 0, 0.2), "far"), (parametric(4, 2.2, 1, 0, 1, 0.2, 0.2, 0.2), "far"),
        (parametric(0, -1.0), "broken"), (parametric(1, 2.2, -1, 1), "broken"), (parametric(3, 2.2, 1), "broken"),
        (parametric(5, 2.2, 1, 0, 0, 0, 0, 0), "broken"), (b"curv\0\0\0\0\0\0\0\0", "far"),
        (b"curv\0\0\0\0\0\0\0\1\2\x33", "near"), (table(SRGB), "near"), (table(SRGB[::-1]), "far"),
        (table(SRGB)[:40], "broken"), (b"what is this", "broken"), (b"", "broken"),
    ],
)  # fmt: skip
def test_curves_are_read(curve: bytes, expected: str) -> None:
    assert read(with_curve(curve)) == read(with_curve(curve, b"GRAY")) == expected
    assert negligible(with_curve(curve)) is (expected != "far")


def test_of_two_tags_of_one_name_the_first_counts() -> None:
    good, negative = table(SRGB), table(SRGB[::-1])
    tags = [(b"rTRC", good), (b"gTRC", good), (b"bTRC", good)]
    assert negligible(built([*tags, (b"rTRC", negative)])) and not negligible(built([(b"rTRC", negative), *tags]))


CURVES = {
    "below": parametric(1, 5, 1, -0.2), "raised": parametric(2, 5, 1, 0, 0.1), "line": parametric(3, 5, 1, 0, 0.1, 0.2),
    "both": parametric(4, 5, 1, 0, 0.1, 0.2, 0.05, 0.1), "falling": parametric(1, 2.2, -1, 1),
    "of no kind": parametric(5, 5, 1, 0, 0.1, 0.2, 0.05, 0.1), "identity": b"curv\0\0\0\0\0\0\0\0",
}  # fmt: skip


def changed(at: int, value: bytes, profile: bytes = NEGATIVE) -> bytes:
    return profile[:at] + value + profile[at + len(value) :]


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        (NEGATIVE, "far"), (NEGATIVE + b"more", "far"), (NEGATIVE + bytes(65_536), "far"),
        (changed(12, b"link"), "far"), (changed(8, b"\4"), "far"), (changed(20, b"Lab "), "far"),
        (changed(8, b"\5"), "broken"), (changed(16, b"CMYK"), "broken"), (changed(20, b"XYZ?"), "broken"),
        (changed(36, b"none"), "broken"), (changed(68, b"\0\1"), "broken"), (changed(128, b"\xff"), "broken"),
        (changed(0, (len(NEGATIVE) + 1).to_bytes(4)), "broken"), (changed(0, (200).to_bytes(4)), "broken"),
        (changed(136, (100).to_bytes(4)), "broken"), (changed(136, (0xFFFFFF).to_bytes(4)), "broken"),
        (changed(132, b"none"), "broken"), (changed(132, b"A2B2"), "broken"), (b"", "broken"),
        (b"no profile" * 90, "broken"),
    ],
)  # fmt: skip
def test_what_browsers_ignore_is_broken(profile: bytes, expected: str) -> None:
    assert read(profile) == expected
    assert negligible(profile) is (expected != "far")


def test_no_profile_that_is_cut_off_raises_anything_else() -> None:
    assert {read(NEGATIVE[:length]) for length in range(len(NEGATIVE))} == {"broken"}


def test_of_tables_the_engine_is_given_the_one_that_browsers_take() -> None:
    for tags in ([(b"A2B1", b"mft1 one")], [(b"A2B1", b"mft1 two"), (b"A2B0", b"mft1 one"), (b"D2B0", b"mpet")]):
        given = for_engine(changed(12, b"link", built([*tags, (b"rTRC", table(SRGB))])))
        assert given is not None and given[12:16] == b"mntr" and given.endswith(b"mft1 one")
        assert len(given) == struct.unpack_from(">I", given)[0]
        assert [given[at : at + 4] for at in (132, 144)] == [b"A2B0", b"wtpt"]


def test_a_made_profile_is_read_by_others() -> None:
    profile = matrix_profile(P3, SRGB)
    opened = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile
    assert opened.xcolor_space == "RGB " and opened.red_primary is not None
    assert opened.red_primary[1][:2] == pytest.approx((0.68, 0.32), abs=0.005)
    assert struct.unpack_from(">I", profile)[0] == len(profile)


def test_primaries_that_span_nothing_raise() -> None:
    with pytest.raises((ValueError, ZeroDivisionError)):
        columns_of((*WHITE, 0.64, 0.33, 0.64, 0.33, 0.15, 0.06))
    with pytest.raises((ValueError, ZeroDivisionError)):
        columns_of((0.0,) * 8)
