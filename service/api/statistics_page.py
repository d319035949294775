"""``/stats``: the report to look at, hand-written files of ``service/api/stats``, nothing from elsewhere."""

from pathlib import Path

from fastapi import FastAPI
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles

from service.api.headers import PAGE_POLICY
from service.api.rules import STATISTICS_ASSETS, STATISTICS_PAGE

FOLDER = Path(__file__).parent / "stats"


def install(app: FastAPI) -> None:
    """Add the page and its files."""
    app.mount(STATISTICS_ASSETS.rstrip("/"), StaticFiles(directory=FOLDER), name="stats-assets")

    @app.get(STATISTICS_PAGE, include_in_schema=False)
    async def statistics_page() -> FileResponse:
        return FileResponse(FOLDER / "stats.html", headers={"Content-Security-Policy": PAGE_POLICY})
