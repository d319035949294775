"""Decisions as a folder that ``faunalens train`` takes as it is: photos and manifest.csv.

A confirmed photo is a product of its category. A rejected one is a negative: a look-alike where the model had found
something, an ordinary listing where it had not. Photos of one listing, and the same photo in several, are one instance,
so that they stay on one side of the split. The split hangs on the instance's name alone and stays when the set grows.
"""

import csv
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from service.exports import kept
from service.instances import joined
from service.sanitise import harmless
from service.store.cases import Case
from service.store.kinds import Kind
from service.store.photos import Photos

COLUMNS = (
    "file", "split", "label", "group", "kind", "instance", "source", "sha256", "listing_id", "item", "decided_at",
)  # fmt: skip
_NONE, _SOURCE = "none", "moderation"
_SPLITS = ("train",) * 14 + ("val",) * 3 + ("test",) * 3


class _Decided(NamedTuple):
    """What the manifest says of a photo: there may be a million, of which each case holds sixteen kilobytes."""

    seq: int
    category: str | None
    found: bool
    source: str
    item: int
    listing_id: str
    decided_at: str


@dataclass(frozen=True, slots=True)
class Tally:
    """How many photos were written; ``gone``: not kept any more; ``again``: the same bytes decided more than once."""

    written: int
    gone: int
    again: int


def write(cases: Iterable[Case], photos: Photos, out: Path) -> Tally:
    """Write the decided ``cases`` into the new folder ``out``; raises :class:`OSError`."""
    out.mkdir(mode=0o700, parents=True)
    latest, paths, names, again = dict[str, _Decided](), dict[str, str](), list[list[str]](), 0
    for case in cases:
        decision = json.loads(case.entries[-1].entry) if case.entries else {}
        if decision.get("decision") not in (Kind.CONFIRM, Kind.REJECT) or case.sha256 is None:
            continue
        listing = [f"listing {case.source} {case.listing_id}"] if case.listing_id else []
        names.append([f"photo {case.sha256}", *listing])
        if path := kept.write(case, photos, out):
            paths[case.sha256] = path
        earlier = latest.get(case.sha256)
        again += earlier is not None
        if earlier is None or earlier.seq < decision["seq"]:
            latest[case.sha256] = _decided(case, decision)
    rows = [_row(sha256, decided, paths[sha256]) for sha256, decided in latest.items() if sha256 in paths]
    _write_manifest(out / "manifest.csv", rows, joined(names))
    return Tally(len(rows), len(latest) - len(rows), again)


def _decided(case: Case, decision: dict[str, Any]) -> _Decided:
    category = decision["category"] if decision["decision"] == Kind.CONFIRM else None
    found, at = bool(case.record["findings"]), decision["decided_at"]
    return _Decided(decision["seq"], category, found, case.source, case.id, case.listing_id or "", at)


def _row(sha256: str, decided: _Decided, path: str) -> dict[str, Any]:
    category = decided.category
    group = "product" if category else "lookalike" if decided.found else "listing"
    return {
        "file": path, "label": category or _NONE, "group": group, "kind": category or group,
        "source": harmless(decided.source) or _SOURCE, "sha256": sha256, "item": decided.item,
        "listing_id": harmless(decided.listing_id), "decided_at": decided.decided_at,
    }  # fmt: skip


def _write_manifest(path: Path, rows: Iterable[dict[str, Any]], instances: Mapping[str, str]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        for row in sorted(rows, key=lambda row: str(row["file"])):
            digest = hashlib.sha256(instances[f"photo {row['sha256']}"].encode()).hexdigest()
            writer.writerow({**row, "instance": digest[:16], "split": _SPLITS[int(digest, 16) % len(_SPLITS)]})
