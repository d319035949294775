"""A real headless Chromium for tests; they are skipped where there is none, unless TESTS_REQUIRE_BROWSER is set."""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

# long, because other work may hold a machine up; what is waited for is there within a second on an idle one
PATIENCE = 90.0
# milliseconds, as in the page: what was on the screen for less is not decided about
GLANCE = 200
NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium_path() -> str | None:
    """Where Chromium is."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; skips the test without one. While it is open, the thread's event loop is its own."""
    path = chromium_path()
    if path is None:
        assert not os.environ.get("TESTS_REQUIRE_BROWSER"), "Chromium is missing: apt-get install chromium"
        pytest.skip("no Chromium is installed (apt-get install chromium)")
    expect.set_options(timeout=PATIENCE * 1e3)
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


def wait(page: Page, expression: str, seconds: float = PATIENCE) -> None:
    """Wait until a JavaScript expression is true. Playwright's own way would need ``unsafe-eval``."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"waited in vain: {expression}"
        page.wait_for_timeout(10)


def in_sight(page: Page) -> None:
    """Wait until a photo is on the screen, for long enough to be decided about."""
    page.wait_for_selector("#stage[data-shown=shown]")
    wait(page, f"performance.now() - document.getElementById('stage').dataset.since >= {GLANCE}")


def settled(page: Page) -> None:
    """Wait until a photo can be decided about, and every decision is kept."""
    in_sight(page)
    wait(page, "!Number(document.body.dataset.waiting)")
