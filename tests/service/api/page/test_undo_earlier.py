"""What was decided before the page was opened is taken back press by press, and in the order of the presses."""

from pathlib import Path

from playwright.sync_api import Page, Route, expect

from tests.browser import in_sight, settled, wait
from tests.service.api.page.visits import Visit, decided, shown, until_held


def made_before(page: Page, keys: str) -> list[int]:
    """Decide, and open the page anew; returns the photos that were decided about."""
    items = []
    for key in keys:
        settled(page)
        items.append(shown(page))
        page.keyboard.press(key)
    settled(page)
    page.reload()
    settled(page)
    return items


def test_each_press_takes_back_one(open_page: Visit, folder: Path) -> None:
    page, held = open_page(), list[Route]()
    items = made_before(page, "rrr")
    expect(page.locator("#count-open")).to_have_text("87")
    page.route("**/v1/review/undo", lambda route: held.append(route), times=1)
    for _ in range(3):
        page.keyboard.press("u")
    until_held(page, held)
    held[0].continue_()
    expect(page.locator("#count-open")).to_have_text("90")
    page.wait_for_selector(f"#stage[data-item='{items[0]}']")
    undone = [entry["item"] for entry in decided(folder) if entry["decision"] == "undo"]
    assert undone == items[::-1]
    expect(page.locator("#today")).to_have_text("0")


def test_what_is_decided_while_an_answer_is_awaited_is_not_taken_back(open_page: Visit, folder: Path) -> None:
    page, held = open_page(), list[Route]()
    (item,) = made_before(page, "r")
    page.route("**/v1/review/undo", lambda route: held.append(route), times=1)
    page.keyboard.press("u")
    until_held(page, held)
    in_sight(page)
    other = shown(page)
    page.keyboard.press("c")
    wait(page, "Number(document.body.dataset.waiting) === 1")
    held[0].continue_()
    page.wait_for_selector(f"#stage[data-item='{item}']")
    wait(page, "!Number(document.body.dataset.waiting)")
    made = [(entry["item"], entry["decision"]) for entry in decided(folder)]
    assert made == [(item, "reject"), (item, "undo"), (other, "confirm")]
