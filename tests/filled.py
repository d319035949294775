"""A store with judged photos of two listings, and decisions about them."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import delete, select

from service.answer import Answer
from service.detector import Detector
from service.store.batches import Batches, Entry, NewBatch
from service.store.claims import Claims
from service.store.daily import count
from service.store.database import Database, open_database
from service.store.decisions import Decisions, Moderator
from service.store.kinds import Kind
from service.store.outcomes import Outcome
from service.store.photos import Photos
from service.store.tables import DayCount, Item

SAMPLES = Path(__file__).parent.parent / "docs" / "samples"
LISTING, OTHER = "L-1", "L-2"
FILES = (("tusk-single.jpg", LISTING), ("tusks.jpg", OTHER), ("ivory-bangles.jpg", LISTING), ("bananas.jpg", LISTING))
KEPT_HOURS = 3600.0


@dataclass(frozen=True, slots=True)
class Filled:
    """An open store; ``ids``: the items' numbers by file name."""

    folder: Path
    database: Database
    photos: Photos
    ids: dict[str, int]

    def decide(self, name: str, moderator: str, kind: Kind, category: str | None = None) -> int:
        return Decisions(self.database).decide(self.ids[name], Moderator(moderator), kind, category).seq

    def judged_earlier(self, names: Collection[str], seconds: float) -> None:
        """As if these photos, of which nothing was decided, had been judged so much earlier."""
        with self.database.writing() as session:
            session.execute(delete(DayCount))
            for item in session.scalars(select(Item)):
                assert item.judged_at is not None and item.record is not None
                item.judged_at -= seconds if item.name in names else 0
                count(session, item.batch_id, item.judged_at, Answer.model_validate_json(item.record))


def fill(folder: Path, detector: Detector, database: Database | None = None) -> Filled:
    """Four photos of which three have findings; their bytes are kept, of the fourth nothing.

    They are in ``folder``, and so is the database unless another is given.
    """
    photos = Photos(folder / "photos", None)
    database = database or open_database(None, folder)
    new = NewBatch("", "sensitive", source="uploads")
    for position, (name, _) in enumerate(FILES):
        photos.write(new.id, position, (SAMPLES / name).read_bytes())
    Batches(database).add(new, [Entry(name, listing, photo=True) for name, listing in FILES])
    claims, ids = Claims(database, 60), {}
    while claimed := claims.take():
        answer = detector.answer(photos.read(new.id, claimed.position), new.id, detector.policy("sensitive"))
        claims.finish(claimed, Outcome(answer, keep=KEPT_HOURS))
        ids[claimed.name] = claimed.id
    photos.delete(new.id, 3)
    return Filled(folder, database, photos, ids)
