"""The moderators' bench: batches, review and statistics. Imported only where ``FAUNALENS_BATCHES`` is on."""

from fastapi import FastAPI

from service.api import (
    batch_events,
    batch_results,
    batch_upload,
    batches,
    bench_pages,
    decisions,
    moderators,
    review,
    review_items,
    statistics,
)  # fmt: skip

_MODULES = (
    batch_upload, batches, batch_results, batch_events, moderators, review, decisions, review_items, statistics,
)  # fmt: skip


def install(app: FastAPI) -> None:
    """Add their addresses and pages."""
    for module in _MODULES:
        app.include_router(module.router)
    bench_pages.install(app)
