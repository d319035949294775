"""The size of text is the user's; nothing lies over a button or a message, and nothing is cut off."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser import in_sight, settled, wait
from tests.service.api.page.visits import DESK, DIALOGS, PHONE, Visit, by_own_clock, stand_still

ZOOMED, NARROW = {"width": 640, "height": 400}, {"width": 320, "height": 640}
PIXELS = 32
# cut off, where it does not say that it is to be scrolled; a field shows a part of what is in it
CUT = """(selector) => [...document.querySelectorAll(`${selector}, ${selector} *`)]
  .filter((one) => one.checkVisibility() && !one.closest('.scroll') && !one.matches('.quiet, input') && one.clientWidth)
  .filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.outerHTML)"""
OVERLAPS = """(selector) => {
  const shown = [...document.querySelectorAll(selector)].filter((one) => one.checkVisibility());
  const over = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
  return shown.flatMap((one, place) => shown.slice(place + 1)
    .filter((other) => over(one.getBoundingClientRect(), other.getBoundingClientRect()))
    .map((other) => `${one.id || one.textContent} and ${other.id || other.textContent}`));
}"""


def opened(visit: Visit, size: dict[str, int]) -> Page:
    """The page in a browser whose user wants text of ``PIXELS`` instead of 16."""
    page = visit(viewport=size)
    page.context.new_cdp_session(page).send("Page.setFontSizes", {"fontSizes": {"standard": PIXELS}})
    page.reload()
    settled(page)
    return page


@pytest.mark.parametrize("size", [DESK, ZOOMED, PHONE, NARROW], ids=["desk", "desk at 200 %", "phone", "narrow phone"])
def test_large_text(open_page: Visit, size: dict[str, int]) -> None:
    page, width = opened(open_page, size), size["width"]
    assert page.evaluate("getComputedStyle(document.getElementById('reason')).fontSize") == f"{PIXELS}px"
    page.click(".actions [data-act=undo]")
    expect(page.locator(".notice")).to_be_visible()
    # on a phone the page is scrolled from under the bar of decisions
    for selector in ("header :is(button, a), .look button, #frame, #details", ".actions button, .notice"):
        assert page.evaluate(OVERLAPS, selector) == []
    for button in page.locator(".actions button:visible, .look button").all():
        box = button.bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= width and box["height"] >= 44
        assert button.evaluate("one => one.scrollWidth <= one.clientWidth"), "its words fit"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for key, dialog in DIALOGS:
        page.keyboard.press(key)
        expect(page.locator(f"#{dialog}")).to_be_visible()
        assert page.evaluate(CUT, f"#{dialog}") == []
        page.keyboard.press("Escape")
    page.keyboard.press("g")
    wait(page, "document.querySelector('.tile') && !document.querySelector('.tile.waiting')")
    blur = page.evaluate("getComputedStyle(document.querySelector('.tile canvas')).filter")
    assert blur == "blur(18px) grayscale(1)", "larger photos are blurred more"
    page.goto(page.url.replace("/review", "/stats"))
    assert page.evaluate("getComputedStyle(document.body).fontSize") == f"{PIXELS}px"
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_no_message_hides_that_something_is_being_saved(open_page: Visit, size: dict[str, int]) -> None:
    page = open_page(viewport=size)
    by_own_clock(page)
    for path in ("**/decision", "**/heatmap*"):
        page.route(path, lambda route: route.abort())
    page.keyboard.press("r")
    expect(page.locator("#saving")).to_contain_text("being saved")
    in_sight(page)
    stand_still(page)
    page.keyboard.press("h")
    expect(page.locator(".notice")).to_be_visible()
    assert page.evaluate(OVERLAPS, "header button, .actions button, .notice, #saving") == []
    page.locator(".notice").get_by_label("Dismiss").click()
    expect(page.locator(".notice")).to_have_count(0)
    assert page.evaluate(OVERLAPS, "header button, .actions button, #saving") == []
