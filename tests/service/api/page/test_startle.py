"""A photo that takes another's place when nobody expects it is not decided about by what was meant for the other."""

import re
import time
from pathlib import Path

from playwright.sync_api import Page, Route, expect
from sqlalchemy import text

from tests.browser import GLANCE, settled
from tests.service.api.page.visits import Visit, by_own_clock, decided, shown, stand_still, stored, until_held


def answered_late(page: Page, late: Route, item: int) -> None:
    """Let an answer come that puts another photo in front, and press as a hand does that was about to.

    The page's clock stands still.
    """
    late.continue_()
    page.wait_for_selector(f"#stage[data-item='{item}'][data-shown=shown]")
    page.clock.run_for(2 * GLANCE)
    page.keyboard.press("e")
    expect(page.locator("#live")).to_have_text(re.compile("^Pressed too soon: .* is not decided[.]$"))
    page.clock.run_for(4 * GLANCE)
    page.keyboard.press("c")
    page.clock.resume()
    settled(page)


def test_what_was_decided_before_comes_back_late(open_page: Visit, folder: Path) -> None:
    page, held = open_page(), list[Route]()
    settled(page)
    first = shown(page)
    page.keyboard.press("r")
    settled(page)
    by_own_clock(page)
    stand_still(page)
    page.route("**/v1/review/undo", lambda route: held.append(route))
    page.keyboard.press("u")
    until_held(page, held)
    answered_late(page, held[0], first)
    made = [(entry["item"], entry["decision"]) for entry in decided(folder)]
    assert made == [(first, "reject"), (first, "undo"), (first, "confirm")]


def test_an_undoing_is_refused_late(open_page: Visit, folder: Path) -> None:
    page, held = open_page(), list[Route]()
    by_own_clock(page)
    first = shown(page)
    page.keyboard.press("r")
    settled(page)
    second = shown(page)
    with stored(folder) as session:
        taken = text("UPDATE reviews SET claimed_by = 'zoe', claimed_until = :later WHERE item_id = :first")
        session.execute(taken, {"later": time.time() + 250, "first": first})
    stand_still(page)
    page.route("**/decision", lambda route: held.append(route), times=1)
    page.keyboard.press("u")
    until_held(page, held)
    page.wait_for_selector(f"#stage[data-item='{first}'][data-shown=shown]")
    answered_late(page, held[0], second)
    assert [(entry["item"], entry["decision"]) for entry in decided(folder)] == [(first, "reject"), (second, "confirm")]
