"""The moderators' bench: batches, review and statistics. Imported only where ``FAUNALENS_BATCHES`` is on."""

from fastapi import FastAPI

from service.api import (
    batch_events,
    batch_results,
    batch_upload,
    batches,
    decisions,
    moderators,
    review,
    review_items,
    review_page,
    statistics,
    statistics_page,
)  # fmt: skip

_MODULES = (
    batch_upload, batches, batch_results, batch_events, moderators, review, decisions, review_items, statistics,
)  # fmt: skip


def install(app: FastAPI) -> None:
    """Add their addresses and pages."""
    for module in _MODULES:
        app.include_router(module.router)
    review_page.install(app)
    statistics_page.install(app)
