"""Photos stay veiled until they are asked for, each one anew."""

import time
from pathlib import Path

from playwright.sync_api import Route, expect
from sqlalchemy import text

from tests.browser import settled, wait
from tests.live import until
from tests.service.api.page.visits import Visit, all_tiles, by_own_clock, stored, until_held


def test_tiles_that_were_given_back_are_veiled_when_they_come_again(open_page: Visit) -> None:
    page = open_page()
    settled(page)
    page.keyboard.press("g")
    all_tiles(page)
    page.keyboard.press("v")
    page.keyboard.press("g")
    settled(page)
    page.click("[data-state=unsure]")
    expect(page.locator("#nothing")).to_be_visible()
    page.click("[data-state=open]")
    settled(page)
    page.keyboard.press("g")
    all_tiles(page)
    expect(page.locator(".tile.revealed")).to_have_count(0)
    page.locator(".tile").nth(5).dblclick()
    settled(page)
    seen = page.evaluate("document.getElementById('stage').dataset.item")
    page.keyboard.press("g")
    assert page.locator(f".tile[data-item='{seen}']").count() == 1


def test_a_photo_that_was_not_there_cannot_have_been_asked_for(open_page: Visit) -> None:
    page, held = open_page(), list[Route]()
    settled(page)
    page.route("**/photo", lambda route: held.append(route))
    page.reload()
    until_held(page, held)
    page.wait_for_selector("#stage[data-shown=loading]")
    page.keyboard.press("Space")
    expect(page.locator("#live")).to_have_text("The photo is not there.")
    for route in held:
        route.continue_()
    settled(page)
    assert page.evaluate("getComputedStyle(document.getElementById('photo')).filter") == "blur(22px) grayscale(1)"


def _claimed(folder: Path) -> int:
    with stored(folder) as session:
        return int(session.scalar(text("SELECT count(*) FROM reviews WHERE claimed_by IS NOT NULL")) or 0)


def test_nobody_waits_for_the_photos_of_an_empty_desk(open_page: Visit, folder: Path) -> None:
    page = open_page()
    by_own_clock(page)
    page.clock.set_system_time(time.time() + 20 * 60)
    page.mouse.move(300, 300)
    page.clock.set_system_time(time.time() + 40 * 60)
    page.clock.run_for(3_100)
    expect(page.locator("#rest")).not_to_be_visible()
    page.clock.set_system_time(time.time() + 71 * 60)
    page.clock.run_for(3_100)
    expect(page.locator("#rest")).to_be_visible()
    expect(page.locator("#photo")).not_to_be_visible()
    until(lambda: not _claimed(folder))
    page.click("#break-over")
    page.clock.resume()
    settled(page)


def test_photos_that_are_given_as_the_desk_is_left_are_given_back(open_page: Visit, folder: Path) -> None:
    page, held = open_page(), list[Route]()
    by_own_clock(page)
    page.clock.set_system_time(time.time() + 20 * 60)
    page.mouse.move(300, 300)
    claims = "**/v1/review/claims"
    page.route(claims, lambda route: held.append(route) if route.request.method == "POST" else route.continue_())
    with page.expect_request(lambda request: request.method == "DELETE"):
        page.clock.set_system_time(time.time() + 71 * 60)
        page.clock.run_for(3_100)
        until_held(page, held)
    expect(page.locator("#rest")).to_be_visible()
    page.unroute(claims)  # it goes on
    until(lambda: not _claimed(folder))


def test_a_window_with_older_settings_changes_only_what_is_changed_there(open_page: Visit) -> None:
    page, other = open_page(), open_page()
    for one in (page, other):
        settled(one)
        one.keyboard.press(",")
    with page.expect_response("**/v1/review/me"):
        page.uncheck("input[name=grey]")
    page.keyboard.press("Escape")
    with other.expect_response("**/v1/review/me"):
        other.fill("input[name=break_minutes]", "20")
        other.press("input[name=break_minutes]", "Tab")
    expect(other.locator("input[name=grey]")).not_to_be_checked()
    assert other.evaluate("getComputedStyle(document.getElementById('photo')).filter") == "blur(22px)"
    other.reload()
    settled(other)
    assert other.evaluate("getComputedStyle(document.getElementById('photo')).filter") == "blur(22px)"
    other.keyboard.press(",")
    expect(other.locator("input[name=break_minutes]")).to_have_value("20")


def test_blur_that_is_turned_off_and_on_again_at_once_stays_on(open_page: Visit) -> None:
    page = open_page()
    settled(page)
    page.keyboard.press(",")
    held = list[Route]()
    page.route("**/v1/review/me", lambda route: held.append(route), times=1)
    page.uncheck("input[name=blur]")
    until_held(page, held)
    page.check("input[name=blur]")
    with page.expect_response(lambda response: response.request.post_data_json == {"blur": True}):
        held[0].continue_()
    after = open_page()
    settled(after)
    assert after.evaluate("getComputedStyle(document.getElementById('photo')).filter").startswith("blur(22px)")


def test_blur_that_is_turned_on_is_on_in_every_window_at_once(open_page: Visit) -> None:
    page = open_page()
    settled(page)
    page.keyboard.press(",")
    page.uncheck("input[name=blur]")
    page.uncheck("input[name=grey]")
    page.keyboard.press("Escape")
    beside = page.context.new_page()
    beside.goto(page.url)
    settled(beside)
    filters = "getComputedStyle(document.getElementById('photo')).filter"
    wait(beside, f"{filters} === 'none'")
    beside.keyboard.press(",")
    page.keyboard.press(",")
    page.route("**/v1/review/me", lambda route: route.abort())
    page.check("input[name=blur]")
    page.select_option("#settings-form select[name=theme]", "dark")
    wait(beside, f"{filters} === 'blur(22px)' && document.documentElement.dataset.theme === 'dark'")
    expect(beside.locator("input[name=blur]")).to_be_checked()
    beside.keyboard.press("Escape")
    beside.keyboard.press("Space")
    assert beside.evaluate(filters) == "none"
