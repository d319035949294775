"""Nobody decides about photos of the grid that have not been on the screen."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import text

from tests.browser import settled, wait
from tests.service.api.page.visits import DESK, PHONE, Visit, decided, see_all, stored

DRAWN = "document.querySelectorAll('.tile').length === 48 && !document.querySelector('.tile.waiting')"
# the middle of a tile is on the screen, and nothing over it
IN_SIGHT = """[...document.querySelectorAll('.tile')].filter((tile) => {
  const { left, top, width, height } = tile.getBoundingClientRect();
  return document.elementFromPoint(left + width / 2, top + height / 2)?.closest('.tile') === tile;
})"""


def grid(page: Page) -> None:
    """Many photos at once; those on the screen have been there for long enough."""
    settled(page)
    page.keyboard.press("g")
    wait(page, DRAWN)
    wait(page, f"{IN_SIGHT}.every((tile) => 'seen' in tile.dataset)")


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_all_are_those_that_were_on_the_screen(open_page: Visit, folder: Path, size: dict[str, int]) -> None:
    page = open_page(viewport=size)
    grid(page)
    seen = page.evaluate(f"{IN_SIGHT}.map((tile) => Number(tile.dataset.item))")
    assert 6 <= len(seen) < 48
    page.keyboard.press("a")
    words = f"{len(seen)} of 48 selected, {48 - len(seen)} not seen yet"
    expect(page.locator("#grid-count")).to_have_text(words)
    expect(page.locator("#live")).to_have_text(f"{words}.")
    page.keyboard.press("r")
    wait(page, "!Number(document.body.dataset.waiting)")
    assert sorted(int(str(entry["item"])) for entry in decided(folder)) == sorted(seen)
    page.keyboard.press("u")
    wait(page, DRAWN)
    see_all(page)
    page.keyboard.press("a")
    expect(page.locator("#grid-count")).to_have_text("48 of 48 selected")
    page.keyboard.press("a")
    expect(page.locator("#grid-count")).to_have_text("48 photos, none selected")


def test_what_cannot_be_seen_is_chosen_by_hand_only(open_page: Visit, folder: Path) -> None:
    with stored(folder) as session:
        session.execute(text("UPDATE items SET photo = false WHERE id % 2 = 0"))
    page = open_page()
    settled(page)
    page.keyboard.press("g")
    absent = page.locator(".tile:has(.absent)")
    absent.first.click()
    wait(page, f"{IN_SIGHT}.every((tile) => tile.querySelector('.absent') || 'seen' in tile.dataset)")
    page.keyboard.press("a")
    expect(page.locator(".tile:has(.absent)[aria-pressed=true]")).to_have_count(1)
    expect(page.locator(".tile:has(canvas)[aria-pressed=true]")).not_to_have_count(0)
