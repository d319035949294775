"""Decisions, with what the settings say of them."""

from service.catalog import Catalog
from service.notices import as_json
from service.settings import Settings
from service.store.database import Database
from service.store.decisions import Decisions, Telling


def open_decisions(database: Database, settings: Settings, catalog: Catalog | None) -> Decisions:
    """Those of ``database``. ``catalog``: where notices are from; None: nothing is told in words."""
    notices = as_json(catalog, settings.notice_languages) if catalog else {}
    telling = Telling(settings.decision_webhook, notices)
    return Decisions(database, settings.second_opinion, telling, settings.evidence_hours * 3600)
