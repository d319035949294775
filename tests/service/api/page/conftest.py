"""The page of a real service with a queue, in a real browser."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from service.api.app import create_app
from service.detector import Detector
from service.keys.key import Scope
from service.settings import Settings
from tests.browser import PATIENCE
from tests.keyed import add_key, new_store
from tests.live import serving
from tests.review_queue import fill
from tests.service.api.page.visits import COUNT, DESK, Visit

KEYED = {"ann": {Scope.REVIEW, Scope.DETECT}, "bob": {Scope.REVIEW}, "pipeline": {Scope.DETECT}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def faults() -> list[str]:
    """What the browser complained of."""
    return []


@pytest.fixture
def count() -> int:
    """Photos in the queue; a test that wants another number is parametrized with it."""
    return COUNT


@pytest.fixture
def open_page(browser: Browser, folder: Path, detector: Detector, faults: list[str], count: int) -> Iterator[Visit]:
    """Opens the page of a service without keys and with a queue; ends with a look at what the browser said."""
    fill(folder, detector, count)
    with serving(create_app(Settings(batches="on", store=folder, retention_hours=1))) as (host, port):
        yield from _visits(browser, f"http://{host}:{port}", faults)
    assert faults == []


@pytest.fixture
def keyed_page(
    browser: Browser, folder: Path, tmp_path: Path, detector: Detector, faults: list[str]
) -> Iterator[tuple[Visit, dict[str, str]]]:
    """The same with keys, which come too, and second opinions."""
    fill(folder, detector, COUNT)
    store = new_store(tmp_path / "keys.db")
    shown = {name: add_key(store, name, *scopes) for name, scopes in KEYED.items()}
    settings = Settings(
        auth="on", keys=store.path, batches="on", store=folder, retention_hours=1, second_opinion="confirm"
    )
    with serving(create_app(settings)) as (host, port):
        for visit in _visits(browser, f"http://{host}:{port}", faults):
            yield visit, shown


def _visits(browser: Browser, address: str, faults: list[str]) -> Iterator[Visit]:
    contexts: list[BrowserContext] = []

    def visit(**options: object) -> Page:
        contexts.append(context := browser.new_context(**{"viewport": DESK, **options}))  # type: ignore[arg-type]
        page = context.new_page()
        page.set_default_timeout(PATIENCE * 1e3)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda sent: faults.append(sent.url) if not _ours(sent.url, address) else None)
        page.on("console", lambda said: faults.append(said.text) if _is_fault(said.type, said.text) else None)
        page.goto(f"{address}/review")
        return page

    yield visit
    for context in contexts:
        context.close()


def _ours(url: str, address: str) -> bool:
    return urlsplit(url).netloc == urlsplit(address).netloc


def _is_fault(kind: str, said: str) -> bool:
    """An error or a warning; the browser also tells every answer of 4xx and 5xx, which tests ask for."""
    return kind in ("error", "warning") and "Failed to load resource" not in said
