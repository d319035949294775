"""The files of a long multipart body, one at a time as they end, so that no more than one is in memory."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from service.api.bodies import MAX_FIELDS, Upload
from service.errors import ErrorCode, FaunalensError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks


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

    def on_part_begin(self) -> None:
        self._begin()

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        self._headers[bytes(self._field).lower()] = bytes(self._value)
        self._field, self._value = bytearray(), bytearray()

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        room = self.most + 1 - len(self._data)
        if room > 0:
            self._data += data[start : min(end, start + room)]

    def on_part_end(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        if b"filename" in options:
            self._count += 1
            name = options[b"filename"].decode("utf-8", "replace") or f"file-{self._count}"
            self.ended.append(Upload(name, bytes(self._data)))
            return
        self._fields += 1
        if self._fields > MAX_FIELDS:
            raise FormParserError(f"more than {MAX_FIELDS} fields that are no files")

    def on_end(self) -> None:
        self.complete = True


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
