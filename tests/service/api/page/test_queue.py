"""The grid, filters, and what is taken and given back."""

import re
import time
from pathlib import Path

from playwright.sync_api import Page, Route, expect
from sqlalchemy import text

from tests.browser import in_sight, settled, wait
from tests.service.api.page.visits import (
    Visit,
    all_tiles,
    by_own_clock,
    decided,
    see_all,
    shown,
    stand_still,
    stored,
    until_held,
)


def test_a_grid_clears_many_and_one_press_takes_it_back(open_page: Visit, folder: Path) -> None:
    page = open_page()
    settled(page)
    page.keyboard.press("g")
    all_tiles(page)
    page.keyboard.press("r")
    expect(page.locator("#notices")).to_contain_text("Nothing is selected")
    page.keyboard.press("v")
    assert set(tile_filters(page)) == {"none"}
    see_all(page)
    page.keyboard.press("a")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    expect(page.locator("#grid-count")).to_have_text("47 of 48 selected")
    spared = int(page.evaluate("document.activeElement.dataset.item"))
    page.keyboard.press("r")
    wait(page, "!Number(document.body.dataset.waiting)")
    rejected = [entry["item"] for entry in decided(folder)]
    assert len(rejected) == 47 and spared not in rejected
    wait(page, "document.querySelectorAll('.tile').length === 43")
    assert sorted(tile_filters(page)) == ["blur(9px) grayscale(1)"] * 42 + ["none"], "those that come are veiled"
    page.keyboard.press("u")
    wait(page, "!Number(document.body.dataset.waiting)")
    undone = [entry["item"] for entry in decided(folder) if entry["decision"] == "undo"]
    assert sorted(undone) == sorted(rejected)
    wait(page, "document.querySelectorAll('.tile').length === 48")
    page.locator(f".tile[data-item='{spared}']").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(f"#stage[data-item='{spared}'][data-shown=shown]")


def test_what_others_decided_meanwhile_is_told_once(open_page: Visit, folder: Path) -> None:
    page = open_page()
    by_own_clock(page)
    page.keyboard.press("g")
    all_tiles(page)
    see_all(page)
    stand_still(page)
    page.keyboard.press("a")
    with stored(folder) as session:
        session.execute(
            text(
                "UPDATE reviews SET state = 'decided' WHERE item_id IN "
                "(SELECT item_id FROM reviews WHERE claimed_until > 0 ORDER BY item_id LIMIT 30)"
            )
        )
    page.keyboard.press("r")
    expect(page.locator(".notice")).to_contain_text(
        re.compile("^Not kept .[0-9]+ photos.: This photo has been decided")
    )
    wait(page, "!Number(document.body.dataset.waiting)")
    expect(page.locator(".notice")).to_have_count(1)


def test_a_machine_that_slept_shows_nothing_that_others_have(open_page: Visit, folder: Path) -> None:
    page = open_page()
    by_own_clock(page)
    mine = "SELECT item_id FROM reviews WHERE claimed_until > 0 ORDER BY item_id LIMIT 10"
    with stored(folder) as session:
        others = session.scalars(text(mine)).all()
        wanted = f"item_id IN ({','.join(map(str, others))})"
        session.execute(text("UPDATE reviews SET claimed_until = 0 WHERE claimed_until > 0"))
        session.execute(
            text(f"UPDATE reviews SET claimed_by = 'zoe.x', claimed_until = {time.time() + 250} WHERE {wanted}")
        )
    stand_still(page)
    page.clock.set_system_time(time.time() + 900)
    page.clock.run_for(3_100)
    expect(page.locator(".notice")).to_contain_text("10 photos are another moderator's by now")
    page.clock.resume()
    for _ in range(20):
        settled(page)
        assert shown(page) not in others
        page.keyboard.press("n")


def tile_filters(page: Page) -> list[str]:
    """How each tile is veiled."""
    return list(
        page.evaluate("[...document.querySelectorAll('.tile canvas')].map((one) => getComputedStyle(one).filter)")
    )


def test_a_tile_that_is_not_selected_has_no_tick_in_forced_colours(open_page: Visit) -> None:
    page = open_page(forced_colors="active")
    settled(page)
    page.keyboard.press("g")
    all_tiles(page)
    colour = "getComputedStyle(document.querySelector('.tile .mark')).color"
    assert page.evaluate(colour) == "rgba(0, 0, 0, 0)"
    see_all(page)
    page.keyboard.press("a")
    assert page.evaluate(colour) != "rgba(0, 0, 0, 0)"


def test_nothing_is_said_to_be_left_only_when_nothing_is(open_page: Visit) -> None:
    page = open_page()
    settled(page)
    page.add_init_script(
        """window.said = []; document.addEventListener("DOMContentLoaded", () => new MutationObserver(() => {
          const nothing = document.getElementById("nothing");
          said.push(document.getElementById("live").textContent, nothing.checkVisibility() ? nothing.innerText : "");
        }).observe(document.body, { subtree: true, childList: true, attributes: true }));"""
    )
    page.reload()
    settled(page)
    assert not [words for words in page.evaluate("said") if "Nothing" in words]
    expect(page.locator("#live")).to_have_text(re.compile("^(Pangolin scales|Rhinoceros horn), .*, priority[.]$"))
    page.evaluate("document.getElementById('live').textContent = ''")
    page.keyboard.press("n")
    expect(page.locator("#live")).to_have_text(re.compile("priority[.]$"))
    in_sight(page)
    page.context.set_offline(True)
    page.keyboard.press("r")
    page.click("[data-state=unsure]")
    expect(page.locator("[data-state=unsure]")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".notice").last).to_contain_text("What you decided is saved first.")
    page.context.set_offline(False)
    expect(page.locator("#nothing")).to_be_visible()
    page.context.set_offline(True)
    expect(page.locator("#nothing")).to_contain_text("No photos come")
    expect(page.locator("#nothing-why")).to_contain_text("The service cannot be reached.")
    expect(page.locator(".notice")).to_have_count(0)
    page.context.set_offline(False)
    expect(page.locator("#nothing")).to_contain_text("Nothing left here")


def test_filters(open_page: Visit) -> None:
    page = open_page()
    settled(page)
    page.keyboard.press("f")
    page.fill("#filters input[name=listing_id]", "L-3")
    page.keyboard.press("Enter")
    page.wait_for_selector("#chips li")
    settled(page)
    seen = set()
    for _ in range(10):
        settled(page)
        seen.add(shown(page))
        page.keyboard.press("n")
    assert seen == set(range(31, 41))
    page.click("#chips button")
    settled(page)
    page.keyboard.press("f")
    page.select_option("#filter-category", "coral")
    page.click("#filters button[type=submit]")
    expect(page.locator("#nothing")).to_be_visible()
    page.keyboard.press("f")
    page.fill("#filters input[name=since]", "2020-01-01")
    page.fill("#filters input[name=until]", "2020-01-02")
    page.select_option("#filter-category", "")
    page.click("#filters button[type=submit]")
    expect(page.locator("#chips")).to_contain_text("2020-01-01")
    expect(page.locator("#nothing")).to_be_visible()
    page.keyboard.press("f")
    page.click("#filters button[type=reset]")
    settled(page)


def test_a_change_of_the_queue_takes_nothing_that_the_next_gives_back(open_page: Visit) -> None:
    page, giving, taking = open_page(), list[Route](), list[Route]()
    settled(page)

    def hold(route: Route) -> None:
        if route.request.method == "DELETE":
            giving.append(route)
        else:
            taking.append(route)
            route.continue_()

    page.route("**/v1/review/claims", hold)
    page.evaluate("for (const name of ['unsure', 'open']) document.querySelector(`[data-state=${name}]`).click()")
    until_held(page, giving, 2)
    giving[0].continue_()
    page.wait_for_timeout(500)
    assert taking == []
    giving[1].continue_()
    settled(page)
