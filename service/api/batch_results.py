"""Results of a batch as JSON lines and as CSV."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from service.cells import harmless
from service.store.results import Result

COLUMNS = (
    "seq", "position", "file", "listing_id", "verdict", "category", "probability", "error", "sha256", "width", "height",
    "model", "policy", "judged_at",
)  # fmt: skip


def json_lines(results: list[Result]) -> Iterator[bytes]:
    """One JSON object a result."""
    return (result.line.encode() + b"\n" for result in results)


def csv_lines(results: list[Result]) -> Iterator[bytes]:
    """One row a result, with its strongest finding; see :data:`COLUMNS`."""
    for result in results:
        fields = result.fields
        finding: dict[str, Any] = next(iter(fields.get("findings", ())), {})
        image = fields.get("image", {})
        yield row(
            (
                result.seq, result.position, harmless(result.name), harmless(result.listing_id or ""),
                fields.get("verdict", ""), finding.get("category", ""), finding.get("probability", ""),
                fields.get("error", {}).get("code", ""), image.get("sha256", ""), image.get("width", ""),
                image.get("height", ""), fields.get("model", {}).get("name", ""),
                fields.get("policy", {}).get("name", ""), fields.get("judged_at", ""),
            )
        )  # fmt: skip


def row(values: tuple[object, ...]) -> bytes:
    """One row of CSV."""
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue().encode()
