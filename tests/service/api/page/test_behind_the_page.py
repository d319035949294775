"""What changes behind a page that is open: the store, and the clock of the computer."""

import re
import time
from pathlib import Path

from playwright.sync_api import Route, expect
from sqlalchemy import text

from tests.browser import in_sight, settled, wait
from tests.service.api.page.visits import Visit, by_own_clock, decided, shown, stored, take_over, until_held

DAY = 86_400


def test_photos_that_are_not_there_any_more_are_taken_off_together(open_page: Visit, folder: Path) -> None:
    page = open_page()
    settled(page)
    with stored(folder) as session:
        session.execute(text("DELETE FROM reviews"))
    page.keyboard.press("r")
    expect(page.locator("#notices .error")).to_have_text(re.compile("^Not kept .*: There is no such photo to review."))
    expect(page.locator("#nothing")).to_be_visible()
    expect(page.locator("#notices .error")).to_have_count(1)


def test_a_decision_is_about_no_photo_of_another_store(open_page: Visit, folder: Path) -> None:
    page = open_page()
    settled(page)
    in_sight(page)
    take_over(folder)
    page.keyboard.press("r")
    expect(page.locator("#notices .error")).to_contain_text("There is no such photo to review.")
    wait(page, "!Number(document.body.dataset.waiting)")
    assert decided(folder) == []


def test_photos_of_another_store_do_not_pass_for_those_of_before(open_page: Visit, folder: Path) -> None:
    page = open_page()
    by_own_clock(page)
    take_over(folder)
    (folder / "photos" / ("0" * 32)).rename(folder / "photos" / ("1" * 32))
    with page.expect_request(f"**/v1/review/items/{shown(page)}/photo"):
        page.clock.run_for(101_000)
    settled(page)


def test_a_clock_that_is_put_back_leaves_the_photos_here(open_page: Visit, folder: Path) -> None:
    page = open_page()
    by_own_clock(page)
    page.keyboard.press("b")
    then = time.time() - DAY
    page.clock.set_system_time(then)
    with page.expect_request("**/v1/review/claims"):
        page.clock.run_for(3_100)
    expect(page.locator("#rest")).not_to_be_visible()
    for minutes in range(0, 52, 4):
        page.clock.set_system_time(then + minutes * 60)
        page.keyboard.press("b")
    expect(page.locator("#break")).to_contain_text("minutes")
    page.keyboard.press("Escape")
    page.clock.run_for(1000)
    in_sight(page)
    page.keyboard.press("r")
    wait(page, "!Number(document.body.dataset.waiting)")
    assert len(decided(folder)) == 1


def test_a_grid_that_is_opened_while_photos_are_taken_is_full_all_the_same(open_page: Visit) -> None:
    page, held = open_page(), list[Route]()
    settled(page)
    page.route("**/v1/review/claims", lambda route: held.append(route) if len(held) < 2 else route.continue_())
    page.reload()
    until_held(page, held)
    held[0].continue_()  # what the page gives back
    until_held(page, held, 2)
    page.keyboard.press("g")
    held[1].continue_()
    wait(page, "document.querySelectorAll('.tile').length === 48")
