"""The application factory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI

from service import __version__
from service.api import detection, failures, information
from service.api.observe import Observe
from service.api.state import State
from service.settings import Settings, load_settings

_DESCRIPTION = (
    "Recognises wildlife products in listing photos. Verdicts ask a person to look; CITES listings are information, "
    "never a statement that an item or a seller broke a rule."
)


def create_app(settings: Settings | None = None, on_failure: Callable[[str], None] | None = None) -> FastAPI:
    """A Faunalens application. ``on_failure``: told why, when the model cannot be used."""
    state = State(settings or load_settings(), on_failure)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        loading = asyncio.create_task(state.load())
        yield
        await loading
        state.workers.close()

    app = FastAPI(title="Faunalens", version=__version__, description=_DESCRIPTION, lifespan=lifespan)
    app.state.faunalens = state
    app.add_middleware(Observe, metrics=state.metrics)
    app.include_router(detection.router)
    app.include_router(information.router)
    failures.install(app)
    return app
