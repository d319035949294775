"""What the service believes of a decoder process's answer, which a hostile picture may have written.

Another picture's hash would put the scores of one photo under the name of another, a shape or a number of another kind
would fail far from here, and a text would go to clients and logs.
"""

import hashlib
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter

from service.errors import ErrorCode, FaunalensError
from service.imaging import Header, Limits, sniff

REFUSALS = frozenset((
    ErrorCode.UNSUPPORTED_FORMAT, ErrorCode.CORRUPT_IMAGE, ErrorCode.TRUNCATED_IMAGE, ErrorCode.TOO_MANY_PIXELS,
    ErrorCode.TOO_MANY_FRAMES, ErrorCode.DECODER_STOPPED,
))  # fmt: skip
"""What a decoder process may say of a picture: what decoding raises once the bytes are counted."""
_LONGEST_MESSAGE = 200
_LARGEST_NUMBER = 2**53
_STRICT = ConfigDict(strict=True)
_HEADER = TypeAdapter(Header)
_DETAILS = TypeAdapter(dict[str, int], config=_STRICT)

Read = tuple[Header, NDArray[np.uint8]]


def read_answer(
    fields: dict[str, Any], payload: bytearray, data: bytes, limits: Limits, sides: range
) -> Read | FaunalensError:
    """Header and pixels uint8 ``[height, width, 3]`` of ``data``, or why there are none.

    ``sides``: how many pixels a side may have. Raises ``ValueError``, ``TypeError`` or
    ``KeyError`` on what no decoder process of ours says.
    """
    if "error" in fields:
        return _refusal(*fields["error"])
    header = _HEADER.validate_json(json.dumps(fields["header"]), strict=True)
    height, width = fields["shape"]
    _demand(header.sha256 == hashlib.sha256(data).hexdigest() and header.format == sniff(data))
    _demand(min(header.width, header.height) > 0 and header.width * header.height <= limits.max_pixels)
    _demand(1 <= header.frames <= limits.max_frames and 1 <= header.orientation <= 8 and not header.truncated)
    _demand(height in sides and width in sides)
    return header, np.frombuffer(payload, np.uint8).reshape(height, width, 3)


def _refusal(name: str, message: str, details: dict[str, int]) -> FaunalensError:
    code = ErrorCode[name]
    numbers = _DETAILS.validate_python(details)
    _demand(type(message) is str and len(message) <= _LONGEST_MESSAGE and message.isprintable() and code in REFUSALS)
    _demand(all(0 <= number <= _LARGEST_NUMBER and key.isprintable() for key, number in numbers.items()))
    return FaunalensError(code, message, numbers)


def _demand(holds: bool) -> None:
    if not holds:
        raise ValueError("a decoder process says what cannot be")
