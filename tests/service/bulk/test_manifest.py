import pytest

from service.bulk.manifest import entry, shown
from service.errors import ErrorCode, FaunalensError
from service.store.batches import Entry

URL = "https://pictures.faunalens.test/a.jpg"


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (f'{{"url": "{URL}", "listing_id": "L-1"}}', Entry("L-1", "L-1", URL)),
        (f'{{"source-ref": "{URL}", "labels": {{"x": 1}}}}', Entry("line-7", None, URL)),
        (f'{{"url": "{URL}", "listing_id": 12, "file": "f.jpg"}}', Entry("f.jpg", "12", URL)),
        (f'{{"url": "{URL}", "listing_id": "a\\u0000b\\ud800"}}', Entry("a��"[:2] + "b�", "a�b�", URL)),
        (f'{{"url": "{URL}", "listing_id": ""}}', Entry("line-7", "", URL)),
        (f'{{"url": "{URL}", "listing_id": null, "file": ""}}', Entry("line-7", None, URL)),
        ("  ", None),
    ],
)
def test_lines(line: str, wanted: Entry | None) -> None:
    assert entry(line.encode(), 7) == wanted


@pytest.mark.parametrize(
    "line",
    [
        b"{", b"[]", b"1", b"null", b"{}", b'{"url": 1}', b'{"url": ""}', b'{"url": "' + b"a" * 2049 + b'"}',
        b'{"url": "https://a.b/", "listing_id": []}', b'{"url": "https://a.b/", "listing_id": true}', b"\xff",
        b'{"url": "https://a.b/", "listing_id": "' + b"x" * 257 + b'"}', b"[" * 5000,
    ],
)  # fmt: skip
def test_lines_that_cannot_be_read_are_named(line: bytes) -> None:
    with pytest.raises(FaunalensError) as caught:
        entry(line, 7)
    assert caught.value.code is ErrorCode.MALFORMED_BODY and caught.value.details == {"line": 7}


def test_names_are_fit_to_be_kept() -> None:
    assert shown("a\x00b\ud800c\n") == "a�b�c�" and len(shown("x" * 900)) == 500
    assert shown("日本.jpg") == "日本.jpg"
