"""A manifest in JSON lines: one picture by URL a line, with the platform's own listing id.

Taken are ``{"url": "https://...", "listing_id": "..."}`` and the shape of Amazon Rekognition's manifests,
``{"source-ref": "https://..."}``; what else a line holds is ignored.
"""

import json

from service.errors import ErrorCode, FaunalensError
from service.sanitise import storable
from service.store.batches import Entry
from service.store.tables import LISTING_LENGTH, NAME_LENGTH, URL_LENGTH

LINE_BYTES = 65_536


def entry(line: bytes, number: int) -> Entry | None:
    """The entry of a line, None for an empty one; raises ``malformed_body`` with the number of the line."""
    if not line.strip():
        return None
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _malformed(number, "it is not JSON") from error
    if not isinstance(fields, dict):
        raise _malformed(number, "it is not an object")
    url = fields.get("url", fields.get("source-ref"))
    if not isinstance(url, str) or not 0 < len(url) <= URL_LENGTH:
        raise _malformed(number, f"it needs url or source-ref, up to {URL_LENGTH} characters")
    listing = fields.get("listing_id")
    if isinstance(listing, int) and not isinstance(listing, bool):
        listing = str(listing)
    if listing is not None and not (isinstance(listing, str) and len(listing) <= LISTING_LENGTH):
        raise _malformed(number, f"listing_id must be text, up to {LISTING_LENGTH} characters")
    name = fields.get("file", listing)
    called = shown(name) if isinstance(name, str) else ""
    return Entry(called or f"line-{number}", storable(listing), storable(url))


def shown(name: str) -> str:
    """A client's name for a picture, fit to be kept and shown back."""
    return storable(name)[:NAME_LENGTH]


def _malformed(number: int, reason: str) -> FaunalensError:
    message = f"Line {number} of the manifest cannot be read: {reason}."
    return FaunalensError(ErrorCode.MALFORMED_BODY, message, {"line": number})
