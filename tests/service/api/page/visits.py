"""The review page as tests visit it, and the store behind it."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence, Sized
from pathlib import Path

from playwright.sync_api import Page, Route
from sqlalchemy import text
from sqlalchemy.orm import Session

from service.store.database import open_database
from tests.browser import PATIENCE, settled, wait

COUNT = 90
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
DIALOGS = (("?", "help"), (",", "settings"), ("f", "filters"), ("p", "add"), ("m", "team"), ("o", "other"))
"""The dialogs, each with the key that opens it."""
Visit = Callable[..., Page]


@contextlib.contextmanager
def stored(folder: Path) -> Iterator[Session]:
    """The store in ``folder``, to look into and to change behind the service's back."""
    with contextlib.closing(open_database(None, folder)) as database, database.writing() as session:
        yield session


def take_over(folder: Path) -> None:
    """Another store is there, whose photos have the same numbers."""
    with stored(folder) as session:
        session.execute(text("PRAGMA defer_foreign_keys = on"))
        for table, column in (("batches", "id"), ("items", "batch_id"), ("day_counts", "batch_id")):
            session.execute(text(f"UPDATE {table} SET {column} = :id"), {"id": "1" * 32})


def decided(folder: Path) -> list[dict[str, object]]:
    """The log."""
    with stored(folder) as session:
        return [json.loads(row) for row in session.scalars(text("SELECT entry FROM decisions ORDER BY seq"))]


def strongest(folder: Path, item: int) -> str:
    """The category of a photo's first finding, as the store has it."""
    with stored(folder) as session:
        record = json.loads(session.scalar(text("SELECT record FROM items WHERE id = :id"), {"id": item}) or "{}")
    return str(record["findings"][0]["category"])


def shown(page: Page) -> int:
    """The photo on the screen."""
    return int(page.get_attribute("#stage", "data-item") or 0)


def see_all(page: Page) -> None:
    """Scroll through the grid until each photo has been on the screen for long enough that ``A`` selects it."""
    unseen = "document.querySelector('.tile:not([data-seen])')"
    wait(page, f"{unseen}?.scrollIntoView({{ block: 'center' }}), !{unseen}")


def by_own_clock(page: Page) -> None:
    """Open the page anew, by a clock that the test moves."""
    page.clock.install()
    page.reload()
    settled(page)


def stand_still(page: Page) -> None:
    """Stop the clock of a page that goes by its own: no message goes, nothing is given up, and nothing tried again.

    It jumps ahead first, because what is asked for takes its time; nothing may be on its way.
    """
    page.clock.pause_at(page.evaluate("Date.now()") / 1e3 + 20)


def all_tiles(page: Page) -> None:
    """Wait until the grid is full, and every photo in it drawn."""
    wait(page, "document.querySelectorAll('.tile').length === 48 && !document.querySelector('.tile.waiting')")


def held_back(page: Page) -> list[Route]:
    """Decisions that the page sends from now on, until a test lets each go on."""
    held = list[Route]()
    # Playwright takes no method of a list
    page.route("**/decision", lambda route: held.append(route))
    return held


def until_held(page: Page, held: Sized, count: int = 1) -> None:
    """Wait for requests that a test holds back."""
    end = time.monotonic() + PATIENCE
    while len(held) < count:
        assert time.monotonic() < end, "waited in vain"
        page.wait_for_timeout(10)


def asked(page: Page, held: Sequence[Route], part: str) -> Route:
    """The request held back whose address has ``part``, as soon as there is one."""
    end = time.monotonic() + PATIENCE
    while not (found := [route for route in held if part in route.request.url]):
        assert time.monotonic() < end, "waited in vain"
        page.wait_for_timeout(10)
    return found[0]


def left(page: Page) -> str:
    """Leave the page, so that none of its requests is under way any more; returns where it was."""
    address = page.url
    page.goto("about:blank")
    return address


def refuse(route: Route) -> None:
    """Answer as to a key that is not known any more."""
    route.fulfill(status=401, body='{"error": {"code": "unauthenticated", "message": "That key was revoked."}}')
