"""Request bodies: bytes counted on the stream, kept in memory, never on disk."""

from collections.abc import AsyncGenerator, Iterable
from typing import Any

from starlette.requests import ClientDisconnect, Request

from service.errors import ErrorCode, FaunalensError
from service.settings import Settings

MULTIPART = "multipart/form-data"
LINES = "application/jsonl"
# what the API page says of a body: bytes, text, or files
BINARY = {"schema": {"type": "string", "format": "binary"}}
TEXT = {"schema": {"type": "string"}}
FILES = {
    "schema": {
        "type": "object",
        "properties": {"file": {"type": "array", "items": {"type": "string", "format": "binary"}}},
        "required": ["file"],
    }
}


def lines_of(*shapes: str) -> dict[str, Any]:
    """What the API page says of JSON lines, each of one of these shapes."""
    of = [{"$ref": f"#/components/schemas/{shape}"} for shape in shapes]
    shape = of[0] if len(of) == 1 else {"anyOf": of}
    described = f"JSON lines, each a {' or '.join(shapes)}"
    return {
        LINES: {
            "schema": {
                "type": "string", "description": described, "contentMediaType": LINES, "contentSchema": shape,
            }
        }
    }  # fmt: skip


def content_kind(request: Request) -> str:
    """The media type of the body in lower case, without parameters; empty when none is given."""
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


def is_multipart(request: Request) -> bool:
    """Whether the body is multipart; raises ``unsupported_content_type`` unless it is that, an image, or raw bytes."""
    kind = content_kind(request)
    if kind == MULTIPART:
        return True
    if kind.startswith("image/") or kind in ("application/octet-stream", ""):
        return False
    raise FaunalensError(
        ErrorCode.UNSUPPORTED_CONTENT_TYPE,
        "Send the image as the raw body (Content-Type: image/*), or files as multipart/form-data.",
        {"content_type": kind[:100]},
    )


async def read_image(request: Request, settings: Settings) -> bytes:
    """The raw body; raises ``too_many_bytes`` as soon as the stream passes the limit, ``empty_image`` without bytes."""
    chunks = [chunk async for chunk in counted(request, settings.max_bytes)]
    data = b"".join(chunks)
    if not data:
        raise FaunalensError(ErrorCode.EMPTY_IMAGE, "The request body has no bytes.")
    return data


def coding_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """How a body says that it is packed (``Content-Encoding``), in lower case; empty: it is as it is."""
    coding = next((value for name, value in headers if name == b"content-encoding"), b"").decode("latin-1").lower()
    return "" if coding == "identity" else coding


def packed(coding: str) -> FaunalensError:
    """The error of a request whose body is packed."""
    message = "Send the body as it is, without Content-Encoding: it is not unpacked here."
    return FaunalensError(ErrorCode.UNSUPPORTED_CONTENT_TYPE, message, {"content_encoding": coding[:100]})


def too_long(most: int) -> FaunalensError:
    """The error of a request whose body is larger than ``most`` bytes."""
    return FaunalensError(ErrorCode.TOO_MANY_BYTES, f"The request has more than {most} bytes.", {"max_bytes": most})


async def counted(request: Request, most: int) -> AsyncGenerator[bytes, None]:
    """The body in chunks; raises ``too_many_bytes`` past ``most`` bytes, ``malformed_body`` when the client leaves.

    A body whose length is said beforehand is refused before it comes: a client that expects 100-continue keeps it.
    """
    # the server has checked that it is a number
    if int(request.headers.get("content-length", 0)) > most:
        raise too_long(most)
    received = 0
    try:
        async for chunk in request.stream():
            received += len(chunk)
            if received > most:
                raise too_long(most)
            yield chunk
    except ClientDisconnect as error:
        raise FaunalensError(ErrorCode.MALFORMED_BODY, "The client went away before its body ended.") from error
