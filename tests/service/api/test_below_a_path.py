"""The pages in a real browser, behind a proxy that has put the service below a path and takes the path off."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, expect
from starlette.types import Receive, Scope, Send

from service.api.app import create_app
from service.detector import Detector
from service.settings import Settings
from tests.browser import PATIENCE, chromium, settled
from tests.conftest import SAMPLES
from tests.live import serving
from tests.review_queue import fill

BELOW = "/trust/faunalens"


class Proxy:
    """Takes :data:`BELOW` off; ``past``: paths of requests that went past it."""

    def __init__(self, app: FastAPI) -> None:
        self.app, self.state = app, app.state
        self.past: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        changed: dict[str, Any] = {}
        if scope["type"] == "http":
            if not scope["path"].startswith(f"{BELOW}/"):
                self.past.append(scope["path"])
            changed = {"path": scope["path"].removeprefix(BELOW)}
        await self.app({**scope, **changed}, receive, send)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def page(browser: Browser, tmp_path: Path, detector: Detector) -> Iterator[Page]:
    """A page of a service with a queue, behind the proxy; fails where a request went past it."""
    fill(tmp_path, detector, 3)
    proxy = Proxy(create_app(Settings(batches="on", store=tmp_path, retention_hours=1)))
    with serving(cast(FastAPI, proxy)) as (host, port):
        opened = browser.new_page(base_url=f"http://{host}:{port}", viewport={"width": 1280, "height": 800})
        opened.set_default_timeout(PATIENCE * 1e3)
        yield opened
        opened.close()
    assert proxy.past == []


def test_the_review_page_and_the_statistics(page: Page) -> None:
    page.goto(f"{BELOW}/review")
    settled(page)
    page.keyboard.press("r")
    settled(page)
    expect(page.locator("#today")).to_have_text("1")
    page.keyboard.press("p")
    page.set_input_files("#add-files", SAMPLES / "bananas.jpg")
    page.click("#add-start")
    expect(page.locator("#batches li[data-state=done]").first).to_contain_text("1 of 1 judged")
    page.keyboard.press("Escape")
    page.click("header a[href='stats']")
    expect(page.locator("#report")).to_be_visible()
    page.click("header a[href='review']")
    settled(page)


@pytest.mark.parametrize("path", ["docs", "redoc"])
def test_the_api_pages(page: Page, path: str) -> None:
    page.goto(f"{BELOW}/{path}")
    expect(page.get_by_text("/v1/detect").first).to_be_visible()


def test_the_api_page_asks_the_service_below_the_path(page: Page) -> None:
    page.goto(f"{BELOW}/docs")
    page.locator(".opblock", has_text="/livez").first.click()
    page.click(".try-out__btn")
    page.click("button.execute")
    expect(page.locator(".live-responses-table").first).to_contain_text("alive")
