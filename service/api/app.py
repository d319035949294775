"""The application factory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from service import __version__
from service.api import administration, detection, document, failures, information, pages
from service.api.door import DEADLINE_HEADER, IDEMPOTENCY_HEADER, KEY_HEADER, SESSION_HEADER, Door
from service.api.fast_lane import FastLane
from service.api.head import Head
from service.api.headers import SecurityHeaders
from service.api.intake import Intake
from service.api.observe import HEADER as REQUEST_ID_HEADER
from service.api.observe import Observe
from service.api.signals import reload_on_hangup
from service.api.state import State
from service.api.unanswered import Unanswered
from service.batch_settings import parts
from service.settings import Settings, load_settings

_THREADS = 64
_DESCRIPTION = (
    "Recognises wildlife products in listing photos. Verdicts ask a person to look; CITES listings are information, "
    "never a statement that an item or a seller broke a rule."
)


def create_app(settings: Settings | None = None, on_failure: Callable[[str], None] | None = None) -> FastAPI:
    """A Faunalens application. ``on_failure``: told why, when the model cannot be used."""
    state = State(settings or load_settings(), on_failure)
    app = FastAPI(
        title="Faunalens",
        version=__version__,
        description=_DESCRIPTION,
        # beside the schema, so that the API page asks the right place where a proxy put the service below a path
        servers=[{"url": "./"}],
        lifespan=lambda _: _running(state),
        docs_url=None,
        redoc_url=None,
        # a redirect would repeat the client's Host, and lose the TLS of a proxy in front
        redirect_slashes=False,
        # of its own accord the framework would tell whoever collects telemetry paths, queries and what errors say
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.faunalens = state
    _add_middleware(app, state)
    app.include_router(detection.router)
    app.include_router(information.router)
    app.include_router(administration.router)
    if state.bulk:
        from service.api import bench

        bench.install(app)
    failures.install(app)
    pages.install(app)
    document.complete(app, keys=state.access is not None, bench=state.bulk is not None)
    return app


@asynccontextmanager
async def _running(state: State) -> AsyncIterator[None]:
    """What begins and ends with the application."""
    # the default is a few per core: requests that wait for a database would hold up the look at a key
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS, thread_name_prefix="waiting"))
    loading = asyncio.create_task(state.load())
    keeping = asyncio.create_task(state.access.keep()) if state.access else None
    reload_on_hangup(state)
    if state.bulk:
        state.bulk.start()
    yield
    await loading
    if keeping:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping
    if state.bulk:
        await state.bulk.close()
    state.close()


def _add_middleware(app: FastAPI, state: State) -> None:
    """The one that was added last meets a request first."""
    bounds = state.settings
    app.add_middleware(FastLane)
    app.add_middleware(Head)
    app.add_middleware(
        Intake,
        gap=bounds.read_seconds,
        total=bounds.body_seconds,
        most=bounds.max_held_bytes,
        bulk=bounds.batch_upload_seconds,
    )
    app.add_middleware(Door, state=state)
    app.add_middleware(Unanswered, state=state)
    if bounds.cors_origins:
        app.add_middleware(CORSMiddleware, **_cors(bounds.cors_origins))
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Observe, state=state)


def _cors(origins: str) -> dict[str, Any]:
    return {
        "allow_origins": parts(origins),
        "allow_methods": ["GET", "HEAD", "POST", "PUT", "DELETE"],
        "allow_headers": [
            "Authorization", "Content-Type", DEADLINE_HEADER, KEY_HEADER, IDEMPOTENCY_HEADER,
            REQUEST_ID_HEADER, SESSION_HEADER,
        ],
        "expose_headers": ["Location", REQUEST_ID_HEADER, "Retry-After"],
    }  # fmt: skip
