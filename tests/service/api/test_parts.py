"""Files of a multipart body, whose pieces end anywhere."""

from collections.abc import AsyncIterator

import pytest
from starlette.requests import Request

from service.api.parts import Upload, uploads
from service.errors import FaunalensError

pytestmark = pytest.mark.anyio
MOST = 10


def part(name: str, data: bytes) -> bytes:
    return f'--b\r\nContent-Disposition: form-data; name="f"; filename="{name}"\r\n\r\n'.encode() + data + b"\r\n"


async def read(body: bytes, size: int) -> list[Upload]:
    """The files of ``body``, which comes ``size`` bytes at a time."""

    async def stream() -> AsyncIterator[bytes]:
        for start in range(0, len(body), size):
            yield body[start : start + size]

    request = Request({"type": "http", "headers": [(b"content-type", b"multipart/form-data; boundary=b")]})
    return [upload async for upload in uploads(request, stream(), MOST)]


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
async def test_files_come_in_order_and_a_long_one_is_cut(size: int) -> None:
    data = [b"first", b"", bytes(MOST), bytes(MOST + 1), bytes(5000), b"last"]
    body = (
        b"".join(part(name, one) for name, one in zip(["a", "b", "c", "d", "e", ""], data, strict=True)) + b"--b--\r\n"
    )
    wanted = [
        Upload(name, one[: MOST + 1]) for name, one in zip(["a", "b", "c", "d", "e", "file-6"], data, strict=True)
    ]
    assert await read(body, size) == wanted


@pytest.mark.parametrize(
    "header", [b"X: " + b"x" * 5000, b"x" * 5000, b"X-A: b\r\n" * 40], ids=["value", "name", "many"]
)
async def test_headers_of_a_part_are_bounded(header: bytes) -> None:
    with pytest.raises(FaunalensError, match="cannot be read"):
        await read(b"--b\r\n" + header + b"\r\n\r\nx\r\n--b--\r\n", 1000)


@pytest.mark.parametrize("end", [b"", b"--b", b"--b\r\n"])
async def test_a_body_without_its_end_breaks_off(end: bytes) -> None:
    with pytest.raises(FaunalensError, match="breaks off"):
        await read(part("a", b"x") + end, 1000)


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        (b'filename="a b;c.jpg"', "a b;c.jpg"),
        (b'filename="a\\"b.jpg"', 'a"b.jpg'),
        (b'filename="C:\\pictures\\a.jpg"', "a.jpg"),
        ('filename="象牙.jpg"'.encode(), "象牙.jpg"),
        (b'filename="\xe9.jpg"', "é.jpg"),
        (b"filename*=UTF-8''%e8%b1%a1.jpg", "象.jpg"),
        (b"filename=\"=?utf-8?B?6LGh?=\"; filename*=utf-8''%E8%B1%A1", "象"),
        (b"filename*=iso-8859-1'en'%e9.jpg", "é.jpg"),
        (b'filename=""', "file-1"),
    ],
)
async def test_no_file_is_lost_for_its_name(disposition: bytes, name: str) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="f"; ' + disposition + b"\r\n\r\nx\r\n--b--\r\n"
    assert await read(body, 1000) == [Upload(name, b"x")]
