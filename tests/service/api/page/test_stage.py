"""The photo in front: veiled, under its heat map, gone; breaks; what may leave the page."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect
from sqlalchemy import text

from service.detector import Detector
from tests.browser import GLANCE, settled, wait
from tests.service.api.page.visits import Visit, asked, decided, left, shown, stored, strongest


def test_blurred_and_grey_until_asked_and_that_is_kept(open_page: Visit) -> None:
    page = open_page()
    settled(page)

    def filters() -> str:
        return filters_of(page)

    assert filters() == "blur(22px) grayscale(1)"
    page.keyboard.press("Space")
    assert filters() == "none"
    hide = "dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))"
    assert page.evaluate(f"({hide}, document.getElementById('single').hidden)")
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    settled(page)
    assert filters() == "blur(22px) grayscale(1)", "who comes back by the browser's button asks anew"
    page.keyboard.press("Space")
    page.keyboard.press("r")
    settled(page)
    assert filters() == "blur(22px) grayscale(1)", "the next one is veiled again"
    page.keyboard.press(",")
    with page.expect_response(lambda response: "break_minutes" in (response.request.post_data or "")):
        page.uncheck("input[name=blur]")
        page.fill("input[name=break_minutes]", "20")
        page.keyboard.press("Escape")
    assert filters() == "grayscale(1)"
    again = open_page()
    settled(again)
    assert filters_of(again) == "grayscale(1)"
    again.keyboard.press(",")
    expect(again.locator("input[name=break_minutes]")).to_have_value("20")
    again.fill("input[name=break_minutes]", "")
    again.check("input[name=blur]")
    assert filters_of(again) == "blur(22px) grayscale(1)", "a field that is empty does not hold up the others"
    again.uncheck("input[name=shortcuts]")
    again.keyboard.press("Escape")
    again.set_viewport_size({"width": 3840, "height": 2160})
    assert re.fullmatch(r"blur\(8\d.*px\) grayscale\(1\)", filters_of(again)), "a large screen blurs as much"
    before = shown(again)
    again.keyboard.press("r")
    assert shown(again) == before, "single keys can be turned off"
    again.click("button[data-act=reject]")
    settled(again)
    assert shown(again) != before


def filters_of(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.getElementById('photo')).filter"))


def test_names_that_turn_the_direction_of_writing(open_page: Visit, folder: Path) -> None:
    with stored(folder) as session:
        session.execute(text("UPDATE items SET name = :name, listing_id = :name"), {"name": "\u202egpj.horn"})
    page = open_page()
    settled(page)
    page.keyboard.press("r")
    page.locator("#similar .outcome.reject").first.wait_for()
    name = "\u2068\u202egpj.horn\u2069"
    expect(page.locator("#last")).to_have_text(f"Rejected: {name}.")
    expect(page.locator("#similar small").first).to_contain_text(f"listing {name} · from \u2068uploads\u2069")


def test_names_that_are_markup_are_text_everywhere(open_page: Visit, folder: Path) -> None:
    """In the details, what was seen before, the last decision, tiles, chips, the list of batches, and statistics."""
    markup = "\"'><img src=x id=planted onerror=alert(1)><script id=planted>alert(1)</script>"
    with stored(folder) as session:
        session.execute(text("UPDATE items SET name = :name, listing_id = :name"), {"name": markup})
        session.execute(text("UPDATE batches SET source = :name"), {"name": markup})
    page, planted = open_page(), "document.querySelectorAll('#planted, [onerror]').length"
    page.on("dialog", lambda dialog: pytest.fail(f"a name ran: {dialog.message}"))
    settled(page)
    expect(page.locator("#facts")).to_contain_text(markup)
    page.click("details:has(#facts) summary")
    page.click("#facts button")
    expect(page.locator("#chips")).to_contain_text(markup)
    settled(page)
    page.keyboard.press("r")
    expect(page.locator("#last")).to_contain_text(markup)
    expect(page.locator("#similar small").first).to_contain_text(markup)
    page.keyboard.press("g")
    assert markup in str(page.locator("#tiles button").first.get_attribute("aria-label"))
    page.click("header [data-act=add]")
    expect(page.locator("#batches")).to_contain_text(markup)
    assert page.evaluate(planted) == 0
    page.keyboard.press("Escape")
    page.click("header a[href='stats']")
    expect(page.locator("#report")).to_contain_text(markup)
    assert page.evaluate(planted) == 0


def test_a_tag_leaves_a_small_piece_in_sight(open_page: Visit, folder: Path) -> None:
    with stored(folder) as session:
        for item, record in session.execute(text("SELECT id, record FROM items")).all():
            told = json.loads(record)
            told["findings"][0]["box"] = {"left": 300, "top": 200, "right": 340, "bottom": 240}
            session.execute(
                text("UPDATE items SET record = :record WHERE id = :id"), {"record": json.dumps(told), "id": item}
            )
    page = open_page()
    settled(page)
    heights = page.evaluate(
        "['.tag', '.line'].map((part) => document.querySelector(`#boxes ${part}`).getBBox().height)"
    )
    assert heights[0] < heights[1] / 2


def test_heat_map_boxes_findings_and_what_was_seen_before(open_page: Visit, detector: Detector, folder: Path) -> None:
    page = open_page()
    settled(page)

    def pixels(canvas: str) -> str:
        return str(page.evaluate(f"document.getElementById('{canvas}').toDataURL()"))

    page.route("**/heatmap*", lambda route: route.abort(), times=1)
    page.keyboard.press("h")
    expect(page.locator("#notices .error")).to_be_visible()
    expect(page.locator("#heat")).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#heat-hint")).to_be_hidden()
    page.keyboard.press("h")  # what failed once is asked for again
    expect(page.locator("#overlay")).to_be_visible()
    expect(page.locator("#heat-hint")).to_be_visible()
    assert pixels("overlay") != pixels("photo")
    page.keyboard.press("h")
    expect(page.locator("#overlay")).not_to_be_visible()
    expect(page.locator("#boxes .line")).to_have_count(page.locator("#findings li").count())
    page.keyboard.press("b")
    expect(page.locator("#boxes")).not_to_be_visible()
    details = page.locator("#details").inner_text()
    first = shown(page)
    category = detector.catalog[strongest(folder, first)]
    assert "threshold" in details and category.lookalike_hints in details and "CITES listings (" in details
    page.keyboard.press("c")
    settled(page)
    assert shown(page) != first
    page.locator("#similar .outcome.confirm").first.wait_for()
    assert f"confirmed: {category.name}" in page.locator("#similar").inner_text()
    assert "the same file" in page.locator("#similar").inner_text()


def test_a_photo_does_not_wait_for_what_was_seen_before(open_page: Visit) -> None:
    page, held = open_page(), list[Route]()
    settled(page)
    address = left(page)
    page.route("**/similar", lambda route: held.append(route))
    page.goto(address)
    settled(page)
    part = page.locator("#similar-part")
    expect(part).to_contain_text("Looking …")
    before = page.locator("#findings").bounding_box()
    mine = asked(page, held, f"/{shown(page)}/")
    held.remove(mine)
    mine.continue_()
    expect(part).to_contain_text("the same file")
    assert page.locator("#findings").bounding_box() == before, "a finding is not to move away from under the mouse"
    page.route("**/similar", lambda route: route.abort())
    page.keyboard.press("n")
    for other in held:
        other.abort()
    expect(part).to_contain_text("This could not be looked up.")
    page.unroute("**/similar")
    for _ in range(2):
        settled(page)
        page.keyboard.press("n")
    expect(part).to_contain_text("the same file")


def test_a_photo_that_is_not_kept_says_so(open_page: Visit, folder: Path, detector: Detector) -> None:
    for path in (folder / "photos").glob("*/*"):
        path.unlink()
    with stored(folder) as session:
        session.execute(text("UPDATE items SET photo = false, purge_at = 1 WHERE id % 2 = 0"))
    page = open_page()
    page.wait_for_selector("#stage[data-shown=gone]")
    expect(page.locator("#absent")).to_contain_text("This photo is not kept any more")
    for ended, words in ((0, "Its time ended on Jan 1, 1970"), (1, "What the model found is still there")):
        while shown(page) % 2 != ended:
            page.keyboard.press("n")
            page.wait_for_selector("#stage[data-shown=gone]")
        expect(page.locator("#absent p").first).to_have_text(re.compile(f"^{words}"))
    expect(page.locator("#headline")).to_have_text(detector.catalog[strongest(folder, shown(page))].name)
    wait(page, f"performance.now() - document.getElementById('stage').dataset.since >= {GLANCE}")
    page.keyboard.press("r")
    wait(page, "!Number(document.body.dataset.waiting)")
    assert len(decided(folder)) == 1
    page.keyboard.press("g")
    wait(page, "document.querySelectorAll('.tile .absent').length > 40")


def test_a_break_is_offered(open_page: Visit) -> None:
    page = open_page()
    settled(page)
    page.keyboard.press("s")
    page.evaluate("Date.now = ((now) => () => now() + 4 * 60_000)(Date.now)")
    page.keyboard.press("s")
    expect(page.locator("#break")).not_to_be_visible()
    for _ in range(12):
        page.evaluate("Date.now = ((now) => () => now() + 4 * 60_000)(Date.now)")
        page.keyboard.press("b")
    expect(page.locator("#break")).to_contain_text("minutes")
    for key in ("Space", "Enter"):  # meant for the photo
        page.keyboard.press(key)
    expect(page.locator("#rest")).not_to_be_visible()
    page.click("#break-rest")
    expect(page.locator("#rest")).to_be_visible()
    page.wait_for_selector("#single", state="hidden")
    page.click("#break-over")
    settled(page)


def test_statistics_are_a_click_away_and_back(open_page: Visit) -> None:
    page = open_page()
    settled(page)
    page.click("header a[href='stats']")
    expect(page.locator("#report")).to_be_visible()
    page.click("header a[href='review']")
    settled(page)


def test_nothing_leaves_the_page(open_page: Visit, faults: list[str]) -> None:
    page = open_page()
    settled(page)
    policy = page.request.get(page.url).headers["content-security-policy"]
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy and "http" not in policy
    page.evaluate(
        """async () => {
          window.violated = [];
          document.addEventListener("securitypolicyviolation", (event) => violated.push(event.effectiveDirective));
          await fetch("https://elsewhere.example/").catch(() => {});
          const add = (tag, properties) => document.body.append(Object.assign(document.createElement(tag), properties));
          add("script", { textContent: "window.inlined = true" });
          add("img", { src: "https://elsewhere.example/x.png" });
          add("iframe", { src: "https://elsewhere.example/" });
        }"""
    )
    wait(page, "violated.length >= 4")
    found = page.evaluate("[...violated.sort(), String(window.inlined)]")
    assert found == ["connect-src", "frame-src", "img-src", "script-src-elem", "undefined"]
    page.context.close()  # the browser says nothing more
    assert all("elsewhere.example" in fault or "Content Security Policy" in fault for fault in faults), faults
    faults.clear()
