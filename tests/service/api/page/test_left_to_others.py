"""What is left for later or to others: it keeps no other photo from coming, and does not take another's place."""

import time
from pathlib import Path

import pytest
from playwright.sync_api import expect
from sqlalchemy import text

from tests.browser import PATIENCE, settled, wait
from tests.service.api.page.visits import Visit, by_own_clock, shown, stored


# more than twice as many as the page has ahead
@pytest.mark.parametrize("count", [36])
def test_what_is_left_for_later_does_not_keep_the_next_from_coming(open_page: Visit, count: int) -> None:
    page, seen = open_page(), set[int]()
    for _ in range(count):
        settled(page)
        seen.add(shown(page))
        page.keyboard.press("n")
    assert len(seen) == count


# more than a window may have
@pytest.mark.parametrize("count", [110])
def test_many_that_are_left_for_later_come_again_when_nothing_else_is_left(open_page: Visit, count: int) -> None:
    page, seen = open_page(), list[int]()
    # on a slow machine some come again before the next are there
    while len(set(seen)) < count or shown(page) != seen[0]:
        page.wait_for_selector("#stage[data-shown=shown]")
        seen.append(shown(page))
        assert len(seen) <= 4 * count, "some do not come, or not again"
        page.keyboard.press("n")
        wait(page, f"document.getElementById('stage').dataset.item !== '{seen[-1]}'")


def held(folder: Path) -> int:
    """How many photos are in front of somebody."""
    with stored(folder) as session:
        return int(session.scalar(text("SELECT count(*) FROM reviews WHERE claimed_by IS NOT NULL")) or 0)


# more than the page has ahead
@pytest.mark.parametrize("count", [18])
def test_what_stays_where_it_was_is_left_to_others(open_page: Visit, folder: Path, count: int) -> None:
    with stored(folder) as session:
        session.execute(text("UPDATE reviews SET state = 'unsure'"))
    page, seen = open_page(), set[int]()
    page.click("[data-state=unsure]")
    for _ in range(count):
        settled(page)
        seen.add(shown(page))
        page.keyboard.press("s")
    assert len(seen) == count
    expect(page.locator("#nothing-why")).to_have_text(
        "What you left here waits for others. New ones come by themselves."
    )
    end = time.monotonic() + PATIENCE
    while held(folder):
        assert time.monotonic() < end, "it waits for nobody"
        page.wait_for_timeout(100)
    other = open_page()
    other.click("[data-state=unsure]")
    settled(other)
    page.keyboard.press("u")
    settled(page)


@pytest.mark.parametrize("count", [3])
def test_what_comes_does_not_take_the_place_of_what_is_looked_at(open_page: Visit, folder: Path) -> None:
    with stored(folder) as session:
        session.execute(text("UPDATE reviews SET state = 'decided' WHERE item_id = 3"))
    page = open_page()
    page.clock.install()
    page.reload()
    for _ in range(2):
        settled(page)
        page.keyboard.press("n")
    settled(page)
    looked_at = shown(page)
    with stored(folder) as session:
        session.execute(text("UPDATE reviews SET state = 'open' WHERE item_id = 3"))
    with page.expect_response("**/v1/review/items/3/photo"):
        page.clock.run_for(101_000)
    settled(page)
    assert shown(page) == looked_at
    page.keyboard.press("n")
    page.wait_for_selector("#stage[data-item='3']")


@pytest.mark.parametrize("count", [4])
def test_what_was_taken_back_elsewhere_comes_again(open_page: Visit, folder: Path) -> None:
    page = open_page()
    by_own_clock(page)
    first = shown(page)
    page.keyboard.press("r")
    settled(page)
    other = open_page()
    expect(other.locator("#nothing")).to_be_visible()
    other.keyboard.press("u")
    other.wait_for_selector(f"#stage[data-item='{first}']")
    other.click("[data-state=unsure]")
    expect(other.locator("#nothing")).to_be_visible()
    with page.expect_response(f"**/v1/review/items/{first}/photo"):
        page.clock.run_for(101_000)
    for _ in range(3):
        settled(page)
        page.keyboard.press("r")
    page.wait_for_selector(f"#stage[data-item='{first}'][data-shown=shown]")
