"""A queue of judged photos, made in the store at once: what thousands of uploads would leave."""

import dataclasses
import functools
import io
from pathlib import Path
from random import Random

from PIL import Image
from sqlalchemy import insert
from sqlalchemy.orm import Session

from service.answer import Answer
from service.detector import Detector
from service.fingerprint import bands, fingerprints
from service.store import daily
from service.store.clock import now
from service.store.database import open_database
from service.store.photos import Photos
from service.store.states import BatchState, ItemState, ReviewState
from service.store.tables import Batch, Finding, Fingerprint, Item, Review, ReviewCategory
from tests.conftest import SAMPLES

_RANKS = {"review": 1, "priority": 2}
_HOUR = 3600.0
_PARTS = 4
_PLACE = ("item_id", "state", "rank", "probability", "judged_at", "batch_id", "source")
_SOURCE = "uploads"


@dataclasses.dataclass(frozen=True)
class _Picture:
    data: bytes
    answer: Answer
    hashes: tuple[int, ...]


def fill(folder: Path, detector: Detector, count: int, width: int | None = None, alike: int | None = None) -> str:
    """Put ``count`` photos with findings into the store in ``folder``; returns their batch's id.

    They are the samples with findings, in turns, ``width`` pixels wide if that is given; photo ``n`` is called
    ``n.jpg`` and is of the listing ``L-m`` with ten photos each. ``alike``: only so many have their true hash and are
    like one another; the others get one by chance, as photos of the same things by different sellers have.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pictures, random = _pictures(detector, width), Random(count)
    hashes = [
        pictures[number % len(pictures)].hashes
        if alike is None or number < alike
        else tuple(random.getrandbits(64) for _ in range(_PARTS))
        for number in range(count)
    ]
    database, photos, batch = open_database(None, folder), Photos(folder / "photos", None), "0" * 32
    moment = now()
    for number in range(count):
        photos.write(batch, number, pictures[number % len(pictures)].data)
    with database.writing() as session:
        session.add(
            Batch(
                id=batch, owner="", policy="sensitive", source=_SOURCE, state=BatchState.DONE, total=count,
                finished=count, created_at=moment, turn_at=moment, finished_at=moment,
            )
        )  # fmt: skip
        session.flush()
        for start in range(0, count, 500):
            numbers = range(start, min(count, start + 500))
            _insert(session, batch, moment, {number: hashes[number] for number in numbers}, pictures)
    database.close()
    return batch


def _insert(
    session: Session, batch: str, moment: float, numbers: dict[int, tuple[int, ...]], pictures: list[_Picture]
) -> None:
    rows, findings, reviews, categories, hashes = [], [], [], [], []
    for number, own in numbers.items():
        picture = pictures[number % len(pictures)]
        answer, item = picture.answer, number + 1
        daily.count(session, batch, moment, answer)
        strongest = answer.findings[0].probability
        rows.append({
            "id": item, "batch_id": batch, "position": number, "name": f"{number}.jpg",
            "listing_id": f"L-{number // 10}", "photo": True, "purge_at": moment + _HOUR, "state": ItemState.JUDGED,
            "attempts": 1, "not_before": 0.0, "seq": item, "rank": _RANKS[answer.verdict], "probability": strongest,
            "sha256": answer.image.sha256, "record": answer.model_dump_json(exclude_none=True), "judged_at": moment,
        })  # fmt: skip
        findings += [
            {"item_id": item, **found.model_dump(include={"category", "verdict", "probability", "threshold"})}
            for found in answer.findings
        ]
        reviews.append({
            "item_id": item, "state": ReviewState.OPEN, "rank": _RANKS[answer.verdict], "probability": strongest,
            "judged_at": moment + number / 1e3, "claimed_until": 0.0, "batch_id": batch, "source": _SOURCE,
            "strongest": daily.strongest(answer),
        })  # fmt: skip
        categories += [
            {"category": found.category, **{name: reviews[-1][name] for name in _PLACE}} for found in answer.findings
        ]
        hashes += [
            {"item_id": item, "part": part, **{f"band_{place}": piece for place, piece in enumerate(bands(value))}}
            for part, value in enumerate(own)
        ]
    made = (
        (Item, rows), (Finding, findings), (Review, reviews), (ReviewCategory, categories), (Fingerprint, hashes)
    )  # fmt: skip
    for table, values in made:
        session.execute(insert(table), values)


@functools.cache
def _pictures(detector: Detector, width: int | None) -> list[_Picture]:
    found = []
    for path in sorted(SAMPLES.glob("*.jpg")):
        data = path.read_bytes()
        if width:
            picture, buffer = Image.open(path).convert("RGB"), io.BytesIO()
            picture.resize((width, width * picture.height // picture.width)).save(buffer, "JPEG", quality=90)
            data = buffer.getvalue()
        decoded = detector.decode(data)
        answer = detector.answer(decoded, "0" * 32, detector.policy("sensitive"))
        if answer.findings:
            found.append(_Picture(data, answer, fingerprints(decoded.pixels)))
    return found
