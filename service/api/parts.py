"""The files of a multipart body, one at a time as they end, so that a batch has no more than one in memory."""

import logging
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from service.api.bodies import counted
from service.errors import ErrorCode, FaunalensError
from service.settings import Settings

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

# its warnings quote bytes of the body; what it raises is answered
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)

_MAX_FIELDS, _MAX_FIELD_BYTES = 16, 65_536
# not allowed in forms (RFC 7578, 4.2), and still what .NET and older clients send for names that are not ASCII
_EXTENDED = re.compile(rb"(?:^|;)\s*filename\*\s*=\s*\"?(utf-8|iso-8859-1)'[^']*'([^;\"\s]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Upload:
    """One file of a multipart request. ``name`` is the client's name for it, shown back and never used as a path."""

    name: str
    data: bytes


class _Parts:
    """Callbacks of the parser, which bounds headers itself. A part longer than ``most`` is cut after one byte more."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.ended: list[Upload] = []
        self.complete = False
        self._count = self._fields = 0
        self._begin()

    def _begin(self) -> None:
        self._headers: dict[bytes, bytes] = {}
        self._field, self._value = bytearray(), bytearray()
        self._data = bytearray()
        self._name: str | None = None

    def on_part_begin(self) -> None:
        self._begin()

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        self._headers[bytes(self._field).lower()] = bytes(self._value)
        self._field, self._value = bytearray(), bytearray()

    def on_headers_finished(self) -> None:
        self._name = _file_name(self._headers.get(b"content-disposition", b""))

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._name is None and len(self._data) + end - start > _MAX_FIELD_BYTES:
            raise FormParserError(f"a field that is no file has more than {_MAX_FIELD_BYTES} bytes")
        room = self.most + 1 - len(self._data)
        if room > 0:
            self._data += data[start : min(end, start + room)]

    def on_part_end(self) -> None:
        if self._name is not None:
            self._count += 1
            self.ended.append(Upload(self._name or f"file-{self._count}", bytes(self._data)))
            return
        self._fields += 1
        if self._fields > _MAX_FIELDS:
            raise FormParserError(f"more than {_MAX_FIELDS} fields that are no files")

    def on_end(self) -> None:
        self.complete = True


def _file_name(disposition: bytes) -> str | None:
    """The name of a file, empty when it has none; None: the part is no file. UTF-8, or else Latin-1."""
    extended = _EXTENDED.search(disposition)
    if extended:
        return unquote(extended[2].decode("latin-1"), extended[1].decode("ascii"))
    name = parse_options_header(disposition)[1].get(b"filename")
    if name is None:
        return None
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        return name.decode("latin-1")


async def read_uploads(request: Request, settings: Settings) -> list[Upload]:
    """All files, in order.

    Raises ``malformed_body``, ``too_many_bytes``, ``too_many_files`` or ``no_image``.
    """
    found: list[Upload] = []
    most = settings.max_request_bytes
    async for upload in uploads(request, counted(request, most), most):
        found.append(upload)
        if len(found) > settings.max_files:
            message = f"More than {settings.max_files} files in one request."
            raise FaunalensError(ErrorCode.TOO_MANY_FILES, message, {"max_files": settings.max_files})
    if not found:
        raise FaunalensError(ErrorCode.NO_IMAGE, "The multipart body holds no file.")
    return found


async def uploads(request: Request, stream: AsyncIterator[bytes], most: int) -> AsyncIterator[Upload]:
    """Files in order; one with more than ``most`` bytes comes cut to one byte more. Raises ``malformed_body``."""
    _, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary")
    if not boundary:
        raise FaunalensError(ErrorCode.MALFORMED_BODY, "The multipart body has no boundary.")
    parts = _Parts(most)
    callbacks: MultipartCallbacks = {
        "on_part_begin": parts.on_part_begin,
        "on_header_field": parts.on_header_field,
        "on_header_value": parts.on_header_value,
        "on_header_end": parts.on_header_end,
        "on_headers_finished": parts.on_headers_finished,
        "on_part_data": parts.on_part_data,
        "on_part_end": parts.on_part_end,
        "on_end": parts.on_end,
    }
    try:
        parser = MultipartParser(boundary, callbacks)
        async for chunk in stream:
            parser.write(chunk)
            while parts.ended:
                yield parts.ended.pop(0)
        parser.finalize()
    except FormParserError as error:
        raise FaunalensError(
            ErrorCode.MALFORMED_BODY, "The multipart body cannot be read.", {"reason": str(error)[:200]}
        ) from error
    if not parts.complete:
        raise FaunalensError(ErrorCode.MALFORMED_BODY, "The multipart body breaks off.")
