"""Deciding by keys and buttons, undoing, and the counts."""

import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import APIResponse, Route, expect
from sqlalchemy import text

from tests.browser import GLANCE, settled, wait
from tests.service.api.page.visits import (
    COUNT,
    Visit,
    by_own_clock,
    decided,
    left,
    shown,
    stand_still,
    stored,
    until_held,
)

LONG, DECISIONS = 310, 300


@pytest.mark.parametrize("count", [LONG])
def test_decisions_by_keyboard_alone(open_page: Visit, folder: Path) -> None:
    page = open_page()
    seen, pressed = [], ("1rsecrse" * DECISIONS)[:DECISIONS]
    for key in pressed:
        settled(page)
        seen.append(shown(page))
        page.keyboard.press(key)
    settled(page)
    assert len(set(seen)) == DECISIONS
    entries = decided(folder)
    assert [entry["item"] for entry in entries] == seen
    kinds = [
        "confirm" if turn % 8 == 0 else ["confirm", "reject", "unsure", "escalate"][turn % 4]
        for turn in range(DECISIONS)
    ]
    assert [entry["decision"] for entry in entries] == kinds
    expect(page.locator("#today")).to_have_text(str(DECISIONS))
    assert [page.locator(f"#count-{state}").inner_text() for state in ("open", "unsure", "escalated")] == [
        str(LONG - DECISIONS),
        str(DECISIONS // 4),
        str(DECISIONS // 4),
    ]
    for item in reversed(seen[-3:]):
        page.keyboard.press("u")
        settled(page)
        assert shown(page) == item
    page.reload()
    settled(page)
    page.keyboard.press("u")
    page.wait_for_selector(f"#stage[data-item='{seen[-4]}']")
    assert [entry["item"] for entry in decided(folder) if entry["decision"] == "undo"] == seen[:-5:-1]
    expect(page.locator("#today")).to_have_text(str(DECISIONS - 4))


def test_counts_older_than_a_decision_are_not_shown(open_page: Visit) -> None:
    page, late = open_page(), list[Route]()
    settled(page)
    address = left(page)
    page.route("**/v1/review/summary", lambda route: late.append(route))
    page.clock.install()
    stand_still(page)
    page.goto(address)
    page.wait_for_selector("#stage[data-shown=shown]")
    until_held(page, late)
    counted = late[0].fetch()
    page.clock.run_for(GLANCE)
    page.keyboard.press("r")
    wait(page, "!Number(document.body.dataset.waiting)")
    with page.expect_response("**/v1/review/summary"):
        late[0].fulfill(response=counted)
    page.wait_for_timeout(100)
    assert page.locator("#count-open").inner_text() == ""
    page.unroute("**/v1/review/summary")
    page.clock.fast_forward(10_000)
    expect(page.locator("#count-open")).to_have_text(str(COUNT - 1))


def test_counts_made_beside_a_decision_on_its_way_are_not_shown(open_page: Visit) -> None:
    page, deciding, counting = open_page(), list[Route](), list[tuple[Route, APIResponse]]()
    by_own_clock(page)
    expect(page.locator("#count-open")).to_have_text(str(COUNT))
    stand_still(page)
    page.route("**/decision", lambda route: deciding.append(route))
    page.route("**/v1/review/summary", lambda route: counting.append((route, route.fetch())), times=1)
    page.keyboard.press("r")
    until_held(page, deciding)
    page.clock.fast_forward(10_000)
    until_held(page, counting)
    deciding[0].continue_()
    wait(page, "!Number(document.body.dataset.waiting)")
    route, counted = counting[0]
    with page.expect_response("**/v1/review/summary"):
        route.fulfill(response=counted)
    page.wait_for_timeout(100)
    assert page.locator("#count-open").inner_text() == str(COUNT - 1)


def test_a_key_that_is_held_down_decides_once_and_never_unseen(open_page: Visit, folder: Path) -> None:
    page = open_page()
    settled(page)
    first = shown(page)
    for _ in range(5):
        page.keyboard.down("r")  # every further one is a repetition
    page.keyboard.up("r")
    settled(page)
    assert [entry["item"] for entry in decided(folder)] == [first]
    page.focus(".actions [data-act=reject]")
    for _ in range(4):
        page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    settled(page)
    assert len(decided(folder)) == 2
    page.click(".actions [data-act=reject]")
    page.keyboard.press("Space")
    settled(page)
    assert len(decided(folder)) == 3, "Space shows the photo, whatever was clicked before"
    page.route("**/photo", lambda route: None)  # photos that never come
    page.evaluate("location.reload()")
    page.wait_for_selector("#stage[data-shown=loading]")
    page.keyboard.press("r")
    page.wait_for_timeout(200)
    assert len(decided(folder)) == 3


def test_what_is_pressed_twice_decides_once(open_page: Visit, folder: Path) -> None:
    page = open_page()
    settled(page)
    first = shown(page)
    # the next photo is there to be decided about
    for key in "ru":
        page.keyboard.press(key)
        settled(page)
    press = "document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'r', bubbles: true }))"
    page.evaluate(f"for (const _ of [1, 2]) {press}")
    expect(page.locator("#live")).to_have_text(re.compile("^Pressed too soon: .* is not decided[.]$"))
    settled(page)
    second = shown(page)
    page.evaluate("for (const _ of [1, 2]) document.querySelector('.actions .confirm').click()")
    settled(page)
    entries = [(entry["item"], entry["decision"]) for entry in decided(folder)]
    assert entries == [(first, "reject"), (first, "undo"), (first, "reject"), (second, "confirm")]


def test_keyboards_without_latin_letters(open_page: Visit, folder: Path) -> None:
    page = open_page()
    press = "([key, code]) => document.body.dispatchEvent(new KeyboardEvent('keydown', { key, code, bubbles: true }))"
    for key, code in (
        ("\u043a", "KeyR"),
        ("\u0e46", "KeyQ"),
        ("\u0e31", "KeyY"),
        ("\u011f", "KeyE"),
        ("\u03c3", "KeyS"),
    ):
        settled(page)
        page.evaluate(press, [key, code])
    settled(page)
    assert [entry["decision"] for entry in decided(folder)] == ["reject", "unsure"], "a Turkish letter is itself"


def test_digits_that_are_typed_with_shift(open_page: Visit, folder: Path) -> None:
    page = open_page()
    press = "(event) => document.body.dispatchEvent(new KeyboardEvent('keydown', { bubbles: true, ...event }))"
    for key, code, shift, *altgr in (
        ("\u00b9", "Digit1", False, True),  # German, with AltGr, which types a sign
        ("&", "Digit1", False),  # French
        ("1", "Digit1", True),
        ("+", "Digit1", False),  # Czech
        ("!", "Digit1", True),  # American, which is no digit
        ("r", "Digit1", False),  # Dvorak's for one hand, where letters are there
        ("1", "Digit5", False),
    ):
        settled(page)
        page.evaluate(press, {"key": key, "code": code, "shiftKey": shift, "modifierAltGraph": bool(altgr)})
    settled(page)
    assert [entry["decision"] for entry in decided(folder)] == ["confirm"] * 3 + ["reject", "confirm"]


def test_space_shows_the_photo_whatever_was_clicked_before(open_page: Visit) -> None:
    page = open_page()
    settled(page)
    summary = page.locator("details:has(#facts) summary")
    for clicked in (summary, page.locator("[data-state=open]")):
        clicked.click()
        settled(page)
        page.keyboard.press("Space")
        assert page.evaluate("getComputedStyle(document.getElementById('photo')).filter") == "none"
        page.keyboard.press("Space")
    expect(page.locator("details:has(#facts)")).to_have_attribute("open", "")
    summary.focus()
    page.keyboard.press("Space")
    expect(page.locator("details:has(#facts)")).not_to_have_attribute("open", "")


def test_another_category_is_that_of_the_photo_it_was_asked_about(open_page: Visit, folder: Path) -> None:
    page = open_page()
    by_own_clock(page)
    asked = shown(page)
    page.keyboard.press("o")
    expect(page.locator("#other")).to_be_visible()
    with stored(folder) as session:
        lost = text("UPDATE reviews SET claimed_by = 'zoe.x', claimed_until = :later WHERE item_id = :asked")
        session.execute(lost, {"later": time.time() + 250, "asked": asked})
    page.clock.set_system_time(time.time() + 900)
    page.clock.run_for(3_100)
    page.wait_for_selector(f"#stage[data-shown=shown]:not([data-item='{asked}'])")
    page.clock.run_for(1_000)
    page.locator("#other-list button").last.click()
    expect(page.locator("#other")).not_to_be_visible()
    expect(page.locator("#notices")).to_contain_text("Nothing was confirmed: the photo that you were asked about")
    settled(page)
    assert decided(folder) == []
    page.keyboard.press("o")
    page.locator("#other-list button").last.click()
    settled(page)
    assert [entry["decision"] for entry in decided(folder)] == ["confirm"]


def test_two_windows_never_show_the_same(open_page: Visit) -> None:
    pages = [open_page(), open_page()]
    for page in pages:
        settled(page)
    seen = []
    for _ in range(8):
        for page in pages:
            settled(page)
            seen.append(shown(page))
            page.keyboard.press("n")
    assert len(set(seen)) == 16


def test_somebody_elses_decision_is_told(open_page: Visit, folder: Path) -> None:
    page = open_page()
    settled(page)
    item = shown(page)
    with stored(folder) as session:
        session.execute(text(f"UPDATE reviews SET state = 'decided' WHERE item_id = {item}"))
    page.keyboard.press("c")
    expect(page.locator("#notices")).to_contain_text("has been decided already")
    settled(page)
    assert decided(folder) == []
    expect(page.locator("#today")).to_have_text("0")
    second = shown(page)
    with stored(folder) as session:
        session.execute(text(f"UPDATE reviews SET claimed_by = '.x', claimed_until = 1e12 WHERE item_id = {second}"))
    page.keyboard.press("c")
    expect(page.locator("#notices")).to_contain_text("Another moderator has this photo")
    with stored(folder) as session:
        session.execute(text(f"UPDATE reviews SET claimed_until = 0 WHERE item_id = {second}"))
    page.keyboard.press("g")
    page.wait_for_selector(f".tile[data-item='{second}']")


def test_an_undoing_whose_answer_was_lost_takes_back_one_decision(open_page: Visit, folder: Path) -> None:
    page = open_page()
    settled(page)
    for key in "rr":
        page.keyboard.press(key)
        settled(page)
    page.reload()
    settled(page)

    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route("**/v1/review/undo", lose, times=1)
    page.keyboard.press("u")
    page.get_by_text("cannot be reached").wait_for()
    last = decided(folder)[1]["item"]
    for undone in (1, 2):
        page.keyboard.press("u")
        page.wait_for_selector(f"#stage[data-item='{last}']" if undone == 1 else f"#stage:not([data-item='{last}'])")
        settled(page)
        assert [entry["decision"] for entry in decided(folder)] == ["reject"] * 2 + ["undo"] * undone
