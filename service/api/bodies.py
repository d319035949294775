"""Request bodies: bytes counted on the stream, kept in memory, never on disk."""

import logging
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from service.errors import ErrorCode, FaunalensError
from service.settings import Settings

# its warnings quote bytes of the body; what it raises is answered
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)

MULTIPART = "multipart/form-data"
# what the API page says of a body: bytes, or files
BINARY = {"schema": {"type": "string", "format": "binary"}}
FILES = {
    "schema": {
        "type": "object",
        "properties": {"file": {"type": "array", "items": {"type": "string", "format": "binary"}}},
        "required": ["file"],
    }
}
MAX_FIELDS = 16
_MAX_FIELD_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Upload:
    """One file of a multipart request. ``name`` is the client's name for it, shown back and never used as a path."""

    name: str
    data: bytes


class _MemoryParser(MultiPartParser):
    """Starlette's parser takes a body without its last boundary, and drops the part that breaks off.

    It also believes the client's ``charset``, with any of Python's codecs; names are UTF-8 (RFC 7578).
    """

    spool_max_size = 2**40
    _complete = False

    def on_end(self) -> None:
        self._complete = True

    async def parse(self) -> FormData:
        self.stream = self._whole(self.stream)
        return await super().parse()

    async def _whole(self, stream: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        self._charset = "utf-8"
        async for chunk in stream:
            yield chunk
        if not self._complete:
            raise MultiPartException("It breaks off.")


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


async def read_uploads(request: Request, settings: Settings) -> list[Upload]:
    """The files of a multipart body, in order.

    Raises ``malformed_body``, ``too_many_bytes``, ``too_many_files`` or ``no_image``.
    """
    stream = counted(request, settings.max_request_bytes)
    parser = _MemoryParser(
        request.headers, stream, max_files=settings.max_files, max_fields=MAX_FIELDS, max_part_size=_MAX_FIELD_BYTES
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise _malformed(error, settings) from error
    files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
    try:
        uploads = [Upload(file.filename or f"file-{i}", await file.read()) for i, file in enumerate(files, 1)]
    finally:
        await form.close()
    if not uploads:
        raise FaunalensError(ErrorCode.NO_IMAGE, "The multipart body holds no file.")
    return uploads


def _malformed(error: MultiPartException, settings: Settings) -> FaunalensError:
    if error.message.startswith("Too many files"):
        message = f"More than {settings.max_files} files in one request."
        return FaunalensError(ErrorCode.TOO_MANY_FILES, message, {"max_files": settings.max_files})
    return FaunalensError(ErrorCode.MALFORMED_BODY, "The multipart body cannot be read.", {"reason": error.message})


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
