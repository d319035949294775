"""Writes a package: photos, results, heat maps, decisions, the log that proves them, a cover page, a signed manifest.

Nothing in it is a statement that an item or a seller broke a rule: it says what was seen, by what, when, and what a
person decided. ``docs/evidence.md`` describes every file.
"""

import base64
import contextlib
import datetime
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service import __version__
from service.detector import Detector
from service.errors import FaunalensError
from service.evidence.cover import cover
from service.evidence.shelf import COVER, FORMAT, LOG, MANIFEST, SIGNATURE, Writer
from service.evidence.signing import fingerprint, public_pem
from service.exports.kept import MissingPhotoError, original, suffix
from service.store.cases import Case, Stretch
from service.store.clock import iso
from service.store.photos import Photos


@dataclass(frozen=True, slots=True)
class Request:
    """What the package is about, and who asks: words of the caller, kept as they are. ``at``: now, UTC."""

    subject: str
    by: str | None
    reference: str | None
    at: datetime.datetime


@dataclass(frozen=True, slots=True)
class Written:
    """What a package holds. ``gone``: photos whose bytes are not in the store any more."""

    photos: int
    gone: int
    decisions: int


def write(
    cases: Sequence[Case], log: Stretch, photos: Photos, detector: Detector, key: Ed25519PrivateKey, request: Request,
    out: Writer,
) -> Written:  # fmt: skip
    """Put the package of ``cases`` into ``out``; ``log``: from the first entry about them to the end.

    Raises :class:`service.exports.kept.ChangedPhotoError`, :class:`OSError`, and ``store_unavailable``.
    """
    shown = [_photo(case, number, photos, detector, request, out) for number, case in enumerate(cases, 1)]
    out.add(LOG, _json(_log(log)))
    manifest = {
        "format": FORMAT, "subject": request.subject, "reference": request.reference,
        "created_at": _moment(request.at), "created_by": request.by,
        "software": {"name": "faunalens", "version": __version__},
        "statement": "What was seen by software and decided by people. CITES listings are information; nothing here "
        "states that an item or a person broke a rule.",
        "photos": shown, "models": _models(shown, detector, out), "policies": _policies(shown, detector, out),
        "log": {"path": LOG, "first": log.first, "before": log.before, "entries": len(log.links), "head": log.head},
        "signer": {
            "algorithm": "Ed25519", "public_key": public_pem(key.public_key()),
            "fingerprint": fingerprint(key.public_key()),
        },
    }  # fmt: skip
    out.add(COVER, cover(manifest, {path: data for one in shown for path, data in one.pop("_pictures")}).encode())
    manifest["files"] = [asdict(filed) for filed in out.files]
    text = _json(manifest)
    out.add(MANIFEST, text)
    out.add(SIGNATURE, base64.b64encode(key.sign(text)) + b"\n")
    return Written(len(shown), sum(one["path"] is None for one in shown), sum(len(one["decisions"]) for one in shown))


def _photo(
    case: Case, number: int, photos: Photos, detector: Detector, request: Request, out: Writer
) -> dict[str, Any]:
    folder = f"photos/{number:04d}"
    result = out.add(f"{folder}/result.json", _json(case.record))
    path, maps, pictures, again, missing = None, list[dict[str, Any]](), list[tuple[str, bytes]](), None, None
    try:
        data = original(case, photos)
    except MissingPhotoError as error:
        missing = str(error)
    else:
        path = out.add(f"{folder}/original{suffix(case.record['image']['format'])}", data)
        # what was judged once may be refused now, by other limits or another decoder
        with contextlib.suppress(FaunalensError):
            again = _again(case, data, detector)
            for category in _categories(case, detector):
                png = detector.heatmap(data, category)
                where = out.add(f"{folder}/heatmap-{category}.png", png)
                maps.append({"category": category, "path": where, "model": detector.contract.sha256})
                pictures.append((where, png))
    decisions = [{**json.loads(entry.entry), "hash": entry.hash} for entry in case.entries]
    return {
        "item": case.id, "batch_id": case.batch_id, "position": case.position, "file": case.name,
        "listing_id": case.listing_id, "url": case.url, "source": case.source, "sha256": case.sha256, "path": path,
        "missing": missing, "result": result, "record": case.record, "received_at": iso(case.received_at),
        "judged_at": iso(case.judged_at), "recomputed": again, "heatmaps": maps, "decisions": decisions,
        "custody": _custody(case, decisions, request), "_pictures": pictures,
    }  # fmt: skip


def _again(case: Case, data: bytes, detector: Detector) -> dict[str, Any]:
    """The photo judged again now: by the same model its scores must be the same."""
    found = detector.see(data).probabilities
    then: dict[str, float] = case.record["scores"]
    gap = max((abs(found[name] - score) for name, score in then.items() if name in found), default=None)
    return {
        "model": detector.contract.sha256, "same_model": case.record["model"]["sha256"] == detector.contract.sha256,
        "largest_difference": gap,
    }  # fmt: skip


def _categories(case: Case, detector: Detector) -> list[str]:
    """What heat maps are made of: the findings and what was confirmed; without either the highest score."""
    named = [finding["category"] for finding in case.record["findings"]]
    named += [fields["category"] for fields in (json.loads(entry.entry) for entry in case.entries)]
    scores: dict[str, float] = case.record["scores"]
    found = [name for name in dict.fromkeys(named) if name in detector.contract.ids]
    return found or [max((name for name in scores if name in detector.contract.ids), key=scores.__getitem__)]


def _custody(case: Case, decisions: list[dict[str, Any]], request: Request) -> list[dict[str, Any]]:
    """What happened to the photo, in the order in which it did."""
    came = {"at": iso(case.received_at), "event": "received", "by": None, "detail": f"batch {case.batch_id}"}
    model = case.record.get("model", {})
    judged = {
        "at": iso(case.judged_at), "event": "judged", "by": None,
        "detail": f"model {model['name']} {model['sha256'][:12]}" if model else "it could not be judged",
    }  # fmt: skip
    decided = [
        {
            "at": one["decided_at"], "event": one["decision"], "by": one["moderator"],
            "detail": f"log entry {one['seq']}" + (f", {one['category']}" if one["category"] else ""),
        }
        for one in decisions
    ]  # fmt: skip
    exported = {"at": _moment(request.at), "event": "exported", "by": request.by, "detail": f"faunalens {__version__}"}
    return [came, judged, *decided, exported]


def _log(log: Stretch) -> dict[str, Any]:
    links = [
        {"seq": link.seq, "digest": link.digest, **({"entry": link.entry} if link.entry is not None else {})}
        for link in log.links
    ]
    return {"first": log.first, "before": log.before, "links": links, "head": log.head}


def _models(shown: list[dict[str, Any]], detector: Detector, out: Writer) -> list[dict[str, Any]]:
    """The models that judged; the contract of the one in use is added, with its calibration and thresholds."""
    named = {one["record"]["model"]["sha256"]: one["record"]["model"]["name"] for one in shown if one["sha256"]}
    here = detector.contract
    return [
        {
            "name": name, "sha256": digest,
            "contract": out.add("model.json", here.model_dump_json(indent=1).encode()) if digest == here.sha256
            else None,
        }
        for digest, name in named.items()
    ]  # fmt: skip


def _policies(shown: list[dict[str, Any]], detector: Detector, out: Writer) -> list[dict[str, Any]]:
    """The policies that judged; those that are still in use are added with their thresholds."""
    named = {json.dumps(one["record"]["policy"]): one["record"]["policy"] for one in shown if one["sha256"]}
    found: list[dict[str, Any]] = []
    for policy in named.values():
        here, path = detector.policies.get(policy["name"]), None
        if here is not None and here.sha256 == policy.get("sha256"):
            path = out.add(f"policy-{len(found) + 1}.json", here.text.encode())
        found.append({**policy, "thresholds": path})
    return found


def _json(content: object) -> bytes:
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode()


def _moment(moment: datetime.datetime) -> str:
    return moment.astimezone(datetime.UTC).isoformat(timespec="seconds")
