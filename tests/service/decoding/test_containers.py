import struct

import pytest
from PIL import ImageOps

from service.decoding.containers import breaks_off, each_png_chunk, gif_frames, jpeg_profile, png_chunks
from service.errors import ErrorCode, FaunalensError
from service.imaging import Limits, decode
from tests.conftest import encoded
from tests.service.hostile import PNG, chunk, grey_tiff, scene, tiff


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF"])
def test_every_cut_is_seen(kind: str) -> None:
    whole = encoded(scene(), kind)
    assert not breaks_off(whole, kind) and not breaks_off(whole + b"more", kind)
    assert all(breaks_off(whole[:length], kind) for length in range(len(whole) // 2, len(whole) - 12, 7))


def test_a_tiff_without_its_directory_breaks_off() -> None:
    whole = encoded(scene(), "TIFF", compression="tiff_lzw")
    assert not breaks_off(whole, "TIFF") and breaks_off(whole[: len(whole) // 2], "TIFF")


def test_formats_without_lengths_do_not_tell() -> None:
    assert not breaks_off(b"", "JPEG")


def test_a_tiff_cut_in_its_directory_breaks_off() -> None:
    whole = tiff(grey_tiff(10, 10, offset=8, counts=100, rows=10))
    assert not breaks_off(whole[:-4], "TIFF") and breaks_off(whole[:-5], "TIFF")


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_large_tiff_cut_in_its_directory_breaks_off(order: str) -> None:
    start = b"II+\0" if order == "<" else b"MM\0+"
    whole = start + struct.pack(f"{order}HHQ", 8, 0, 16) + struct.pack(f"{order}Q", 2) + bytes(40)
    assert not breaks_off(whole, "TIFF") and breaks_off(whole[:-1], "TIFF") and breaks_off(whole[:20], "TIFF")


def test_a_large_tiff_that_pillow_cannot_read_is_not_said_to_break_off() -> None:
    whole = b"MM\0+" + struct.pack(">HHQ", 8, 0, 16) + struct.pack(">Q", 2) + bytes(40)
    with pytest.raises(FaunalensError) as caught:
        decode(whole, Limits())
    assert caught.value.code is ErrorCode.CORRUPT_IMAGE


def test_a_large_tiff_whose_directory_lies_beyond_all_addresses_breaks_off() -> None:
    with pytest.raises(FaunalensError) as caught:
        decode(b"II+\0" + struct.pack("<HHQ", 8, 0, 2**63) + bytes(40), Limits())
    assert caught.value.code is ErrorCode.TRUNCATED_IMAGE


@pytest.mark.parametrize(
    ("rest", "broken"),
    [
        (struct.pack(">I4s", 8, b"free"), False),
        (struct.pack(">I4s", 9, b"free"), True),
        (struct.pack(">I4sQ", 1, b"mdat", 16), False),
        (struct.pack(">I4sQ", 1, b"mdat", 17), True),
        (struct.pack(">I4s", 0, b"mdat"), False),
        (struct.pack(">I4s", 7, b"mdat"), False),
    ],
)
def test_lengths_of_an_avif(rest: bytes, broken: bool) -> None:
    assert breaks_off(struct.pack(">I4s4sI", 16, b"ftyp", b"avif", 0) + rest, "AVIF") is broken


def test_a_png_whose_chunk_has_no_name_is_damaged_not_cut() -> None:
    data = PNG + chunk(b"IHDR", bytes(13))
    assert breaks_off(data, "PNG") and not breaks_off(data + b"\0\0\0\x04\1\2\3\4", "PNG")


def test_frames_of_a_gif_with_tables_of_colours_and_comments() -> None:
    frames = [scene(), ImageOps.invert(scene()), ImageOps.mirror(scene())]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], comment=b"x" * 600)
    assert gif_frames(data, 100) == gif_frames(data + data[data.index(b"\x2c") :], 100) == 3, "up to its end"
    assert [gif_frames(data, most) for most in (0, 1, 2)] == [1, 2, 3]
    counted = [gif_frames(data[:length], 100) for length in range(len(data))]
    assert counted == sorted(counted) and set(counted) == {0, 1, 2, 3}


def test_what_a_png_says_before_its_pixels() -> None:
    whole = encoded(scene(), "PNG")
    said = chunk(b"gAMA", b"one") + chunk(b"tEXt", b"two") + chunk(b"gAMA", b"three") + chunk(b"sRGB", b"four")
    data = whole[:33] + said + whole[33:-12] + chunk(b"cHRM", b"five") + whole[-12:]
    assert png_chunks(data) == {b"gAMA": b"one", b"sRGB": b"four"}
    assert [png_chunks(data[:length]) for length in (0, 20, 33)] == [{}, {}, {}]


def test_chunks_of_a_png_are_read_up_to_its_end_and_pixels_are_not_copied() -> None:
    pixels = chunk(b"IDAT", b"one") + chunk(b"fdAT", b"two") + chunk(b"tEXt", b"said")
    data = PNG + pixels + chunk(b"IEND", b"") + chunk(b"gAMA", b"after")
    assert list(each_png_chunk(data)) == [(b"IDAT", b""), (b"fdAT", b""), (b"tEXt", b"said")]


def part(number: int, count: int, content: bytes) -> bytes:
    return b"\xff\xe2" + (16 + len(content)).to_bytes(2) + b"ICC_PROFILE\0" + bytes((number, count)) + content


@pytest.mark.parametrize(
    ("between", "profile"),
    [
        (b"", b""), (part(1, 1, b"a"), b"a"), (part(2, 2, b"b") + part(1, 2, b"a"), b"ab"), (part(1, 2, b"a"), b""),
        (part(0, 0, b"a"), b""), (part(2, 1, b"a"), b""), (part(1, 1, b"a") + part(1, 1, b"b"), b"a"),
        (part(1, 2, b"a") + part(2, 3, b"b"), b""), (b"rest\xff\xff\0" + part(1, 1, b"a"), b"a"),
        (b"\xff\xd0" + part(1, 1, b"a"), b"a"), (b"\xff\xe2\0\5ICC" + part(1, 1, b"a"), b"a"), (b"\xff\xe1\0\0", b""),
        (part(1, 1, b"a").replace(b"\xe2", b"\xe1"), b""), (part(1, 1, b"a").replace(b"ICC", b"MPF"), b""),
        (b"\xff\xe2\0\x0eICC_PROFILE\0\1\1" + part(1, 1, b"a"), b"a"), (part(1, 2, b"") + part(2, 2, b"b"), b"b"),
        (part(1, 1, b"a" * 300), b"a" * 300), (b"\xff" + part(1, 1, b"a"), b"a"),
    ],
)  # fmt: skip
def test_the_profile_of_a_jpeg_is_put_together(between: bytes, profile: bytes) -> None:
    whole = encoded(scene(), "JPEG")
    scan = whole.index(b"\xff\xda")
    for at in (2, 20, scan):
        assert jpeg_profile(whole[:at] + between + whole[at:]) == profile
    assert jpeg_profile(whole[:-2] + part(1, 1, b"a") + whole[-2:]) == b""
    assert jpeg_profile(whole[:scan]) == jpeg_profile(whole[:scan] + b"\xff") == jpeg_profile(whole[:2]) == b""
