"""Decisions that wait when a window goes, by a crash or a hand, are sent by the next."""

import contextlib
import os
import re
import signal
import time
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Error, Page, Route, expect
from sqlalchemy import text

from tests.browser import PATIENCE, chromium_path, in_sight, settled, wait
from tests.live import until
from tests.service.api.page.visits import Visit, decided, shown, stored, take_over, until_held

SENDING = re.compile("/decisions?$")
SAVED = "What was decided before this page was closed is saved now."


def crash(page: Page) -> None:
    """Kill the process that draws the page."""
    with contextlib.suppress(Error), page.expect_event("crash"):
        page.goto("chrome://crash")


def another(page: Page) -> Page:
    """A new window of the same browser."""
    opened = page.context.new_page()
    opened.set_default_timeout(PATIENCE * 1e3)
    # what it tells at once does not stay
    opened.goto(page.url, wait_until="commit")
    return opened


def kept(page: Page) -> int:
    """How many changes the browser has written down."""
    return int(
        page.evaluate(
            """() => new Promise((done) => {
              indexedDB.open("faunalens").onsuccess = ({ target: { result } }) => {
                const count = result.transaction("waiting").objectStore("waiting").count();
                count.onsuccess = () => { result.close(); done(count.result); };
              };
            })"""
        )
    )


def until_written(page: Page, changes: int) -> None:
    """Wait until the browser has written down so many, which outlive a crash."""
    until(lambda: kept(page) == changes)


def decide_unsent(page: Page, keys: str) -> list[int]:
    """Press keys when the service cannot be reached; returns the photos that they were about."""
    page.route(SENDING, lambda route: route.abort())
    seen = []
    for key in keys:
        in_sight(page)
        seen.append(shown(page))
        page.keyboard.press(key)
    wait(page, f"Number(document.body.dataset.waiting) === {len(keys)}")
    until_written(page, len(keys))
    return seen


def made(folder: Path) -> list[tuple[object, object]]:
    """Photos and decisions of the log."""
    return [(entry["item"], entry["decision"]) for entry in decided(folder)]


def lost_answers(page: Page) -> list[Route]:
    """What the page sends from now on, which the service gets, and whose answers never come."""
    held = list[Route]()

    def lose(route: Route) -> None:
        route.fetch()
        held.append(route)

    page.route(SENDING, lose)
    return held


def test_decisions_of_a_window_that_crashed_are_sent_by_the_next(open_page: Visit, folder: Path) -> None:
    page = open_page()
    settled(page)
    first, second, _, third = decide_unsent(page, "rcue")
    assert first != second == third
    assert decided(folder) == []
    crash(page)
    after = another(page)
    expect(after.locator("#notices")).to_contain_text(SAVED)
    settled(after)
    wanted = [(first, "reject"), (second, "confirm"), (second, "undo"), (second, "escalate")]
    assert made(folder) == wanted
    expect(after.locator("#today")).to_have_text("2")
    assert shown(after) not in (first, second) and kept(after) == 0
    crash(after)
    last = another(page)
    in_sight(last)
    assert made(folder) == wanted, "they are sent once"


def test_what_was_on_its_way_is_kept_once(open_page: Visit, folder: Path) -> None:
    page = open_page()
    settled(page)
    held = lost_answers(page)
    item = shown(page)
    page.keyboard.press("r")
    until_held(page, held)
    in_sight(page)
    other = shown(page)
    page.keyboard.press("r")
    with stored(folder) as session:
        taken = f"UPDATE reviews SET claimed_by = '.x', claimed_until = {time.time() + 250} WHERE item_id = {other}"
        session.execute(text(taken))
    until_written(page, 2)
    crash(page)
    after = another(page)
    expect(after.locator("#notices")).to_have_text("Not kept: Another moderator has this photo in front of them.×")
    settled(after)
    assert made(folder) == [(item, "reject")]
    expect(after.locator("#today")).to_have_text("1")


def test_of_what_was_sent_more_than_a_day_ago_nobody_says_that_it_was_not_kept(open_page: Visit, folder: Path) -> None:
    page = open_page()
    settled(page)
    lost = lost_answers(page)
    item = shown(page)
    page.keyboard.press("r")
    until_held(page, lost)
    crash(page)
    with stored(folder) as session:
        session.execute(text("UPDATE idempotency_keys SET made_at = made_at - 90000"))
    after = page.context.new_page()
    after.add_init_script("Date.now = ((now) => () => now() + 90_000_000)(Date.now)")
    after.goto(page.url)
    expect(after.locator("#notices .error")).to_have_text(
        re.compile(r"^Perhaps kept on [A-Z][a-z]+ \d.*: This photo has been decided already\.×$")
    )
    assert made(folder) == [(item, "reject")]


def test_a_window_that_is_open_sends_its_own(open_page: Visit, folder: Path) -> None:
    page = open_page()
    settled(page)
    items = decide_unsent(page, "rr")
    beside = another(page)
    settled(beside)
    assert shown(beside) not in items and decided(folder) == []
    page.unroute(SENDING)
    settled(page)
    assert made(folder) == [(item, "reject") for item in items]


def until_known(page: Page, windows: int) -> None:
    """Wait until so many windows of the browser have told the others that they are there."""
    wait(page, f"Object.keys(localStorage).filter((key) => key.startsWith('faunalens-window-')).length === {windows}")


def holders(folder: Path) -> set[str]:
    """The windows that photos are taken by."""
    now = {"now": time.time()}
    with stored(folder) as session:
        return set(session.scalars(text("SELECT claimed_by FROM reviews WHERE claimed_until > :now"), now))


def test_what_a_window_had_that_crashed_is_given_back_by_the_next(open_page: Visit, folder: Path) -> None:
    page = open_page()
    settled(page)
    until_known(page, 1)
    (first,) = holders(folder)
    beside = another(page)
    settled(beside)
    until_known(page, 2)
    (second,) = holders(folder) - {first}
    crash(page)
    after = another(beside)
    settled(after)
    until(lambda: first not in holders(folder))
    assert second in holders(folder) and len(holders(folder)) == 2, "what is open keeps its photos"


def test_another_store_at_the_same_address_gets_no_decision_of_the_one_before(open_page: Visit, folder: Path) -> None:
    page = open_page()
    settled(page)
    decide_unsent(page, "r")
    crash(page)
    take_over(folder)
    after = another(page)
    expect(after.locator("#notices")).to_contain_text("Not kept: There is no such photo to review.")
    wait(after, "!Number(document.body.dataset.waiting)")
    assert decided(folder) == [] and kept(after) == 0


def test_they_wait_for_their_moderator(keyed_page: tuple[Visit, dict[str, str]], folder: Path) -> None:
    visit, keys = keyed_page

    def enter(page: Page, name: str) -> None:
        page.fill("#login-key", keys[name])
        page.keyboard.press("Enter")

    page = visit()
    enter(page, "ann")
    settled(page)
    (item,) = decide_unsent(page, "r")
    crash(page)
    other = another(page)
    enter(other, "bob")
    settled(other)
    assert decided(folder) == []
    other.close()
    back = another(page)
    enter(back, "ann")
    expect(back.locator("#notices")).to_contain_text(SAVED)
    settled(back)
    assert made(folder) == [(item, "reject")]


def test_a_browser_that_is_killed_keeps_them(browser: Browser, open_page: Visit, folder: Path, tmp_path: Path) -> None:
    address, profile = open_page().url, tmp_path / "profile"

    def start() -> tuple[BrowserContext, Page]:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        context = browser.browser_type.launch_persistent_context(
            profile, executable_path=chromium_path(), args=arguments
        )
        page = context.pages[0]
        page.set_default_timeout(PATIENCE * 1e3)
        page.goto(address)
        settled(page)
        return context, page

    context, page = start()
    items = decide_unsent(page, "rr")
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            words = process.read_bytes().split(b"\0")
            if f"--user-data-dir={profile}".encode() in words and not any(w.startswith(b"--type=") for w in words):
                os.kill(int(process.parent.name), signal.SIGKILL)
    with contextlib.suppress(Error):
        context.close()
    context, page = start()
    assert made(folder) == [(item, "reject") for item in items]
    context.close()
