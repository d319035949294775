"""Accessibility, zoom and phones."""

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route, expect
from sqlalchemy import text

from tests.browser import settled, wait
from tests.service.api.page.visits import DESK, DIALOGS, PHONE, Visit, all_tiles, shown, stored, until_held


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible(open_page: Visit, scheme: str, size: dict[str, int]) -> None:
    page = open_page(color_scheme=scheme, viewport=size)
    settled(page)
    check(page)
    for key, dialog in DIALOGS:
        page.keyboard.press(key)
        expect(page.locator(f"#{dialog}")).to_be_visible()
        check(page)
        page.keyboard.press("Escape")
        expect(page.locator(f"#{dialog}")).not_to_be_visible()
    page.route("**/v1/review/me", lambda route: route.abort(), times=1)
    page.keyboard.press(",")
    page.uncheck("input[name=grey]")
    page.locator("#settings .notice").get_by_label("Dismiss").click()
    page.keyboard.press("Escape")
    expect(page.locator("#messages > #notices")).to_be_attached()
    page.keyboard.press("r")
    expect(page.locator("#live")).to_have_text(re.compile(r"^Rejected: .* Next: "))
    settled(page)
    page.focus("#findings button")
    page.keyboard.press("Enter")
    settled(page)
    assert page.evaluate("document.activeElement.id") == "details"
    page.keyboard.press("g")
    all_tiles(page)
    check(page)


def test_chosen_colours_go_before_those_of_the_system(open_page: Visit) -> None:
    page = open_page(color_scheme="dark")
    settled(page)
    ground = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(ground) == "rgb(20, 25, 26)"
    for theme, colour in (("light", "rgb(246, 247, 247)"), ("system", "rgb(20, 25, 26)")):
        page.keyboard.press(",")
        page.select_option("#settings-form select[name=theme]", theme)
        page.keyboard.press("Escape")
        assert page.evaluate(ground) == colour
    page.goto(page.url.replace("/review", "/stats"))
    assert page.evaluate(ground) == "rgb(20, 25, 26)"


@pytest.mark.parametrize("path", ["review", "stats"])
def test_chosen_colours_are_there_before_anything_is_drawn(open_page: Visit, path: str) -> None:
    page, held = open_page(color_scheme="dark"), list[Route]()
    settled(page)
    page.keyboard.press(",")
    page.select_option("#settings-form select[name=theme]", "light")
    page.add_init_script(
        """requestAnimationFrame(() => (window.first = getComputedStyle(document.documentElement).colorScheme))"""
    )
    page.route("**/theme.js", lambda route: held.append(route))
    page.route("**/v1/**", lambda route: None)  # what the page itself does comes later
    page.goto(page.url.replace("review", path), wait_until="commit")
    until_held(page, held)
    page.wait_for_timeout(300)
    held[0].continue_()
    wait(page, "window.first !== undefined && document.readyState === 'complete'")
    assert page.evaluate("[first, getComputedStyle(document.body).backgroundColor]") == ["light", "rgb(246, 247, 247)"]


def check(page: Page) -> None:
    """No violation of WCAG 2.2 A and AA that axe-core finds. It is run in the page's own world, past the policy."""
    rules = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
    found = Axe().run(page, options=rules)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("size", [(640, 360), (320, 256)], ids=["200 %", "400 %"])
def test_a_desk_that_is_zoomed(open_page: Visit, size: tuple[int, int]) -> None:
    width, height = size
    page = open_page(viewport={"width": width, "height": height})
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    frame = page.locator("#frame").bounding_box()
    assert frame and frame["height"] >= 140 and frame["width"] >= 140
    for button in page.locator(".actions button:visible, .look button").all():
        box = button.bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= width and box["height"] >= 44


def test_a_phone(open_page: Visit, folder: Path) -> None:
    with stored(folder) as session:
        session.execute(text("UPDATE items SET listing_id = :long"), {"long": "L" * 256})
    page = open_page(is_mobile=True, has_touch=True, viewport=PHONE)
    settled(page)
    page.wait_for_selector("#similar li")
    for ratio in ("0.001", "1000"):
        page.evaluate(f"document.getElementById('frame').style.setProperty('--ratio', {ratio})")
        frame = page.locator("#frame").bounding_box()
        assert frame and 100 <= min(frame["height"], frame["width"]) <= max(frame["height"], frame["width"]) <= 480
    page.locator("#details summary").last.click()
    page.tap("#facts button")
    page.wait_for_selector("#chips li")
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    first = shown(page)
    page.tap("#frame")
    expect(page.locator("#reveal")).to_have_attribute("aria-pressed", "true")
    assert page.evaluate("getComputedStyle(document.getElementById('photo')).filter") == "none"
    for act in ("confirm", "reject", "unsure", "escalate", "undo"):
        box = page.locator(f".actions [data-act={act}]").bounding_box()
        assert box and box["height"] >= 44 and box["width"] >= 44 and box["x"] + box["width"] <= 390
    page.tap(".actions [data-act=reject]")
    wait(page, f"document.getElementById('stage').dataset.item !== '{first}'")
    settled(page)
    page.tap(".actions [data-act=undo]")
    page.wait_for_selector(f"#stage[data-item='{first}']")
    page.tap("#details [data-act=skip]")
    wait(page, f"document.getElementById('stage').dataset.item !== '{first}'")
    page.tap("#details [data-act=other]")
    expect(page.locator("#other")).to_be_visible()
    page.keyboard.press("Escape")
    page.locator("#state ~ .touch-only").scroll_into_view_if_needed()
    page.tap("[data-act=help]")
    expect(page.locator("#help kbd").first).to_be_in_viewport()
    page.tap("#help [data-close]")
    for key, dialog in (("f", "filters"), ("p", "add"), (",", "settings")):
        page.keyboard.press(key)
        inside = f"(document.getElementById('{dialog}').scrollWidth <= document.getElementById('{dialog}').clientWidth)"
        assert page.evaluate(inside), f"{dialog} is wider than it is shown"
        page.keyboard.press("Escape")
    page.tap("#grid-toggle")
    wait(page, "document.querySelectorAll('.tile').length === 48")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_next_photo_comes_into_sight_on_a_phone(open_page: Visit) -> None:
    page = open_page(is_mobile=True, has_touch=True, viewport=PHONE)
    settled(page)
    page.wait_for_selector("#similar li")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(page.locator("#frame")).not_to_be_in_viewport()
    page.tap(".actions [data-act=reject]")
    settled(page)
    expect(page.locator("#frame")).to_be_in_viewport(ratio=1)


def test_written_from_right_to_left(open_page: Visit) -> None:
    page = open_page()
    settled(page)
    page.evaluate("document.documentElement.dir = 'rtl'")
    assert page.evaluate("document.documentElement.scrollWidth") <= DESK["width"]
    frame, details = page.locator("#frame").bounding_box(), page.locator("#details").bounding_box()
    assert frame and details and details["x"] == 0 and frame["x"] + frame["width"] <= DESK["width"]
    assert frame["x"] >= details["width"]
    page.keyboard.press("g")
    all_tiles(page)
    page.keyboard.press("Home")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("[...document.querySelectorAll('.tile')].indexOf(document.activeElement)") == 1
