"""Where the focus is, and what is said, for who works by keyboard or has the page read out."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser import settled, wait
from tests.service.api.page.visits import Visit, decided, shown

FOCUSED = "document.activeElement.id || document.activeElement.dataset.act"


@pytest.mark.parametrize("count", [2])
def test_a_button_keeps_the_focus_when_no_photo_is_there(open_page: Visit, folder: Path) -> None:
    page = open_page()
    settled(page)
    page.focus(".actions [data-act=reject]")
    page.keyboard.press("Enter")
    settled(page)
    last = shown(page)
    page.keyboard.press("Enter")
    expect(page.locator("#nothing")).to_be_visible()
    reject = page.locator(".actions [data-act=reject]")
    expect(reject).to_have_attribute("aria-disabled", "true")
    page.keyboard.press("Enter")
    expect(page.locator("#live")).to_have_text("There is no photo.")
    page.keyboard.press("u")
    page.wait_for_selector(f"#stage[data-item='{last}']")
    settled(page)
    expect(reject).to_have_attribute("aria-disabled", "false")
    assert page.evaluate(FOCUSED) == "reject"
    page.keyboard.press("Enter")
    expect(page.locator("#nothing")).to_be_visible()
    wait(page, "!Number(document.body.dataset.waiting)")
    assert [entry["decision"] for entry in decided(folder)] == ["reject", "reject", "undo", "reject"]


def test_what_is_pressed_and_goes_leaves_the_focus_in_the_page(open_page: Visit) -> None:
    page = open_page()
    settled(page)
    page.locator("#details summary").last.click()
    page.focus("#facts button")
    page.keyboard.press("Enter")
    page.wait_for_selector("#chips li")
    settled(page)
    assert page.evaluate(FOCUSED) == "main"
    page.focus("#chips button")
    page.keyboard.press("Enter")
    expect(page.locator("#chips li")).to_have_count(0)
    settled(page)
    assert page.evaluate(FOCUSED) == "main"


def test_what_a_key_changes_is_said(open_page: Visit) -> None:
    page = open_page()
    settled(page)
    for key, on, off in (
        ("Space", "The photo is shown clearly.", "The photo is veiled."),
        ("h", "The heat map is shown.", "The heat map is hidden."),
        ("z", "Zoomed in.", "Zoomed out."),
    ):
        for words in (on, off):
            page.keyboard.press(key)
            expect(page.locator("#live")).to_have_text(words)
    page.keyboard.press("b")
    expect(page.locator("#live")).to_have_text("Boxes are hidden.")
    page.keyboard.press("g")
    page.wait_for_selector(".tile")
    page.keyboard.press("v")
    expect(page.locator("#live")).to_have_text("The photos are shown clearly.")
