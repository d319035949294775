"""Without the keyboard, and with nothing else."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser import settled, wait
from tests.service.api.page.visits import PHONE, Visit, by_own_clock, stand_still

# at once, however slow the machine is: letters with a second between them are no word
TYPE = """word => {
  for (const key of word) document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
}"""
PLACE = "document.getElementById('turning').getBoundingClientRect().toJSON()"


def drag(page: Page, right: int, down: int, touch: bool) -> None:
    """Drag the photo by so many pixels."""
    box = page.locator("#frame").bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    if not touch:
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + right, y + down, steps=3)
        page.mouse.up()
        return
    session = page.context.new_cdp_session(page)
    steps = [(x + right * step / 4, y + down * step / 4) for step in range(5)]
    for turn, (left, top) in enumerate(steps):
        kind = "touchMove" if turn else "touchStart"
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": left, "y": top}]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


@pytest.mark.parametrize("touch", [False, True])
def test_a_zoomed_photo_is_dragged_and_not_shown_by_that(open_page: Visit, touch: bool) -> None:
    page = open_page(**({"viewport": PHONE, "has_touch": True} if touch else {}))
    settled(page)
    page.click("#zoom")
    wait(page, "!document.getAnimations().length")
    before = page.evaluate(PLACE)
    drag(page, 40, -30, touch)
    after = page.evaluate(PLACE)
    assert (after["left"] - before["left"], after["top"] - before["top"]) == pytest.approx((40, -30), abs=1)
    expect(page.locator("#reveal")).to_have_attribute("aria-pressed", "false")
    page.locator("#frame").click()
    expect(page.locator("#reveal")).to_have_attribute("aria-pressed", "true")
    for _ in range(10):
        drag(page, 140, 110, touch=False)
    edge, frame = page.evaluate(PLACE), page.locator("#frame").bounding_box()
    assert (
        frame and edge["left"] == pytest.approx(frame["x"], abs=1) and edge["top"] == pytest.approx(frame["y"], abs=1)
    )


def test_letters_lead_to_another_category(open_page: Visit) -> None:
    page = open_page()
    settled(page)
    page.keyboard.press("o")
    names = page.locator("#other-list button").all_inner_texts()
    focused = page.locator("#other-list button:focus")
    expect(focused).to_have_text(names[0])
    for wanted in (names[-1], names[3]):
        page.evaluate(TYPE, wanted.replace(" ", "").lower())
        expect(focused).to_have_text(wanted)
        page.wait_for_timeout(1_100)  # what is typed later begins anew
    letter = names[3][0].lower()
    beginning = [name for name in names if name.lower().startswith(letter)]
    page.keyboard.type(letter)
    expect(focused).to_have_text(beginning[(beginning.index(names[3]) + 1) % len(beginning)])
    page.keyboard.press("Home")
    expect(focused).to_have_text(names[0])
    page.keyboard.press("ArrowRight")
    expect(focused).to_have_text(names[1])
    page.keyboard.press("Escape")
    expect(page.locator("#other")).not_to_be_visible()


def test_a_translated_page_does_not_say_the_same_again(open_page: Visit) -> None:
    page = open_page()
    by_own_clock(page)
    stand_still(page)
    page.keyboard.press("g")
    translate = """(selector) => document.querySelectorAll(selector).forEach((one) => {
      one.innerHTML = "<font><font>Translated</font></font>";
    })"""
    for _ in range(3):
        page.keyboard.press("r")
        page.evaluate(translate, "#notices .notice span")
    assert page.locator("#notices .notice").count() == 1
