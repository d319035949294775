"""How each moderator wants the review page."""

from dataclasses import asdict, dataclass

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
        kept = session.get(Preference, moderator)
        return Preferences(kept.blur, kept.grey, kept.shortcuts, kept.break_minutes) if kept else default


def prefer(database: Database, moderator: str, wanted: Preferences) -> None:
    """Keep what a moderator chose; raises ``store_unavailable``."""
    with database.writing() as session:
        session.merge(Preference(moderator=moderator, **asdict(wanted)))
