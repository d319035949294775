"""How many pictures of a batch got which result on which day: counted as results are written, in their transaction.

A report of twelve weeks reads these few rows in place of a row for each picture. Results are written once and never
change, so nothing is ever taken off; the rows of a batch that is removed go with it.
"""

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from service.answer import Answer
from service.store.database import is_postgresql
from service.store.progress import FAILED
from service.store.tables import DayCount

FINDING, STRONGEST = "finding", "strongest"
_DAY_SECONDS = 86_400
_OF = ("batch_id", "day", "kind", "category")


def day_of(moment: float) -> int:
    """The UTC day of a moment (seconds since the epoch), in days since 1970."""
    return int(moment // _DAY_SECONDS)


def strongest(answer: Answer) -> str | None:
    """The category of the strongest finding, of equal ones the first by name; None without a finding."""
    top = max((finding.probability for finding in answer.findings), default=None)
    return min((finding.category for finding in answer.findings if finding.probability == top), default=None)


def count(session: Session, batch_id: str, moment: float, answer: Answer | None) -> None:
    """Count a result of ``moment``, None: it failed. The row of the batch must be locked: its results are counted one
    after the other."""
    insert = postgresql.insert if is_postgresql(session.connection()) else sqlite.insert
    adding = insert(DayCount)
    adding = adding.on_conflict_do_update(
        index_elements=_OF, set_={DayCount.count: DayCount.count + adding.excluded.count}
    )
    day = day_of(moment)
    rows = [dict(zip((*_OF, "count"), (batch_id, day, *what, 1), strict=True)) for what in _counted(answer)]
    session.execute(adding, rows)


def _counted(answer: Answer | None) -> list[tuple[str, str]]:
    if answer is None:
        return [(FAILED, "")]
    found = [(FINDING, finding.category) for finding in answer.findings]
    top = strongest(answer)
    return [(answer.verdict, ""), *found, *([(STRONGEST, top)] if top else [])]
