"""How each moderator wants the review page."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from sqlalchemy.orm import Session

from service.store.database import Database
from service.store.tables import Preference


@dataclass(frozen=True, slots=True)
class Preferences:
    """``blur`` and ``grey``: photos are, until asked; ``shortcuts``: single keys decide; ``break_minutes`` 0: never."""

    blur: bool
    grey: bool
    shortcuts: bool
    break_minutes: int


def preferences(database: Database, moderator: str, default: Preferences) -> Preferences:
    """What a moderator chose, or ``default``; raises ``store_unavailable``."""
    with database.reading() as session:
        return _kept(session, moderator) or default


def prefer(database: Database, moderator: str, changes: Mapping[str, bool | int], default: Preferences) -> Preferences:
    """Keep what a moderator changed; the rest stays as it was. Returns all; raises ``store_unavailable``."""
    with database.writing() as session:
        wanted = replace(_kept(session, moderator) or default, **changes)  # type: ignore[arg-type]
        session.merge(Preference(moderator=moderator, **asdict(wanted)))
    return wanted


def _kept(session: Session, moderator: str) -> Preferences | None:
    kept = session.get(Preference, moderator)
    return Preferences(kept.blur, kept.grey, kept.shortcuts, kept.break_minutes) if kept else None
