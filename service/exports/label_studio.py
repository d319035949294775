"""Tasks for Label Studio, with the model's findings as predictions, and its annotations back as decisions.

The shapes are those of Label Studio's documentation: tasks with ``data``, ``predictions`` and ``annotations``; results
of type ``choices`` and ``rectanglelabels`` (in per cent of the picture); local files by ``/data/local-files/?d=``.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from service.catalog import Catalog
from service.errors import ErrorCode, FaunalensError
from service.exports import kept
from service.store.cases import Case
from service.store.decisions import Decisions, Moderator
from service.store.kinds import Kind, last_of, standing
from service.store.photos import Photos

NONE, UNSURE, ESCALATE = "none", "unsure", "escalate"
_NAME_LENGTH = 19  # of the 32 that the log has, after label-studio:
_KINDS = {NONE: Kind.REJECT, UNSURE: Kind.UNSURE, ESCALATE: Kind.ESCALATE}
_ANSWERS = {kind: name for name, kind in _KINDS.items()}


def write(cases: Iterable[Case], photos: Photos, categories: Sequence[str], out: Path, prefix: str) -> tuple[int, int]:
    """Write tasks.json, config.xml and photos into the new folder ``out``; returns tasks written and photos gone.

    ``prefix``: where the folder lies below the root of Label Studio's local files. No task is held once it is written.
    Raises :class:`OSError`.
    """
    out.mkdir(mode=0o700, parents=True)
    written = gone = 0
    with (out / "tasks.json").open("w", encoding="utf-8") as stream:
        for case in cases:
            path = kept.write(case, photos, out)
            if path is None:
                gone += 1
                continue
            stream.write(",\n" if written else "[\n")
            stream.write(json.dumps(_task(case, f"{prefix}/{path}" if prefix else path), ensure_ascii=False))
            written += 1
        stream.write("\n]\n" if written else "[]\n")
    (out / "config.xml").write_text(_config(categories), encoding="utf-8")
    return written, gone


@dataclass(slots=True)
class Taken:
    """What became of annotations: counts, and what was not taken with the reason."""

    counts: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)


def read(text: str) -> list[dict[str, Any]]:
    """The tasks of Label Studio's JSON export; raises :class:`ValueError`."""
    tasks = json.loads(text)
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise ValueError("it is not a JSON export of Label Studio")
    return tasks


def take(tasks: Iterable[dict[str, Any]], decisions: Decisions, catalog: Catalog, moderator: str | None) -> Taken:
    """Decide what ``tasks`` say; what was decided alike before is left as it is, so a file may be taken twice.

    ``moderator``: who decided; by default ``label-studio:`` and the number of the annotator.
    """
    taken = Taken()
    for number, task in enumerate(tasks, 1):
        try:
            taken.counts[_take(task, decisions, catalog, moderator)] += 1
        except FaunalensError as error:
            taken.refused.append(f"task {number}: {error.message}")
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            taken.refused.append(f"task {number}: it is not a task that was written here ({error!r})")
    return taken


def _take(task: dict[str, Any], decisions: Decisions, catalog: Catalog, moderator: str | None) -> str:
    """Decide one task: ``decided``, ``unchanged`` or ``without an answer``."""
    annotation = next((one for one in reversed(task.get("annotations", [])) if not one.get("was_cancelled")), None)
    answer = _answer(annotation) if annotation else None
    if annotation is None or answer is None:
        return "without an answer"
    item, digest = int(task["data"]["item"]), str(task["data"]["sha256"])
    kind = _KINDS.get(answer, Kind.CONFIRM)
    category = catalog[answer].id if kind is Kind.CONFIRM else None
    last = decisions.last(item, digest)
    if last is not None and (last["decision"], last["category"]) == (kind, category):
        return "unchanged"
    decisions.decide(item, Moderator(moderator or f"label-studio:{_annotator(annotation)}"), kind, category)
    return "decided"


def _answer(annotation: dict[str, Any]) -> str | None:
    chosen = [
        str(name)
        for result in annotation["result"]
        if result["type"] == "choices"
        for name in result["value"]["choices"]
    ]
    if len(chosen) > 1:
        raise FaunalensError(ErrorCode.UNKNOWN_CATEGORY, "it has more than one answer.")
    return chosen[0] if chosen else None


def _annotator(annotation: dict[str, Any]) -> str:
    by = annotation.get("completed_by", "")
    return str(by["id"] if isinstance(by, dict) else by)[:_NAME_LENGTH]


def _task(case: Case, path: str) -> dict[str, Any]:
    record = case.record
    model, findings, image = record["model"], record["findings"], record["image"]
    results = [_choice(findings[0]["category"], findings[0]["probability"])] if findings else []
    results += [_rectangle(finding, image["width"], image["height"]) for finding in findings]
    task: dict[str, Any] = {
        "data": {
            "image": f"/data/local-files/?d={quote(path, errors='surrogateescape')}", "item": case.id,
            "sha256": case.sha256, "file": case.name, "listing_id": case.listing_id, "source": case.source,
            "instance": f"{case.source} {case.listing_id}" if case.listing_id else case.sha256,
        },
        "predictions": [
            {
                "model_version": f"{model['name']} {model['sha256'][:12]}",
                "score": findings[0]["probability"] if findings else 0.0, "result": results,
            }
        ],
    }  # fmt: skip
    last = last_of(standing(json.loads(entry.entry) for entry in case.entries)) or {}
    answer = last.get("category") or _ANSWERS.get(last.get("decision", ""))
    if answer:
        task["annotations"] = [{"result": [_choice(answer, None)]}]
    return task


def _choice(name: str, score: float | None) -> dict[str, Any]:
    shown = {"from_name": "category", "to_name": "image", "type": "choices", "value": {"choices": [name]}}
    return shown if score is None else {**shown, "score": score}


def _rectangle(finding: dict[str, Any], width: int, height: int) -> dict[str, Any]:
    box = finding["box"]
    return {
        "from_name": "box", "to_name": "image", "type": "rectanglelabels", "score": finding["probability"],
        "original_width": width, "original_height": height, "image_rotation": 0,
        "value": {
            "x": 100 * box["left"] / width, "y": 100 * box["top"] / height, "rotation": 0,
            "width": 100 * (box["right"] - box["left"]) / width,
            "height": 100 * (box["bottom"] - box["top"]) / height, "rectanglelabels": [finding["category"]],
        },
    }  # fmt: skip


def _config(categories: Sequence[str]) -> str:
    choices = "".join(f"    <Choice value={quoteattr(name)}/>\n" for name in (*categories, *_KINDS))
    labels = "".join(f"    <Label value={quoteattr(name)}/>\n" for name in categories)
    return (
        '<View>\n  <Image name="image" value="$image" zoom="true"/>\n'
        f'  <Choices name="category" toName="image" choice="single" required="true">\n{choices}  </Choices>\n'
        f'  <RectangleLabels name="box" toName="image">\n{labels}  </RectangleLabels>\n</View>\n'
    )
