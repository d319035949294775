import pytest

from service.containers import breaks_off
from tests.conftest import encoded
from tests.service.hostile import scene


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
