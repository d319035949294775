"""Adding photos."""

import re
from pathlib import Path

from playwright.sync_api import Page, Route, expect
from sqlalchemy import text

from tests.browser import settled
from tests.conftest import SAMPLES
from tests.service.api.page.visits import Visit, refuse, stored, until_held


def test_a_dropped_folder_becomes_a_batch(open_page: Visit, tmp_path: Path) -> None:
    page = open_page()
    settled(page)
    page.keyboard.press("p")
    page.keyboard.press("Escape")
    samples = sorted(SAMPLES.glob("*.jpg"))
    for number in range(60):
        place = tmp_path / "day" / f"L-{900 + number // 20}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.jpg").write_bytes(samples[number % len(samples)].read_bytes())
    (tmp_path / "day" / "notes.txt").write_text("not a photo")
    page.keyboard.press("p")
    expect(page.locator("#add")).to_be_visible()
    page.set_input_files("#add-folder", tmp_path / "day")
    expect(page.locator("#add-chosen")).to_contain_text("60 photos")
    expect(page.locator("#add-chosen")).to_contain_text("1 other")
    page.check("#listing-folders")
    page.fill("#add-source", "a folder")
    page.select_option("#add-policy", "sensitive")
    page.click("#add-start")
    line = page.locator("#batches li[data-state=done]", has_text="a folder")
    expect(line).to_contain_text("60 of 60 judged", timeout=300_000)
    line.get_by_text("Review these").click()
    settled(page)
    page.locator("#details summary").last.click()
    assert re.search(r"L-90[012]", page.locator("#facts").inner_text())
    assert "a folder" in page.locator("#facts").inner_text()


def test_the_chosen_policy_stays_when_the_dialog_is_opened_again(open_page: Visit) -> None:
    page, waiting = open_page(), list[Route]()
    settled(page)
    page.route("**/v1/model", lambda route: waiting.append(route))
    for key in ("p", "Escape", "p", "Escape", "p"):
        page.keyboard.press(key)
    expect(page.locator("#add")).to_be_visible()
    until_held(page, waiting)
    page.wait_for_timeout(500)
    assert len(waiting) == 1
    waiting[0].continue_()
    page.select_option("#add-policy", "sensitive")
    expect(page.locator("#add-policy-text")).not_to_be_empty()


def test_a_batch_that_was_refused_is_sent_again(keyed_page: tuple[Visit, dict[str, str]]) -> None:
    visit, keys = keyed_page
    page, answers = visit(), [503, 401]
    enter(page, keys["ann"])
    settled(page)

    def answer(route: Route) -> None:
        if route.request.method == "GET" or not answers:
            route.continue_()
        elif answers[0] == 401:
            answers.pop(0)
            refuse(route)
        else:
            route.fulfill(status=answers.pop(0), body='{"error": {"code": "overloaded", "message": "Busy."}}')

    page.route("**/v1/batches?*", answer)
    page.keyboard.press("p")
    page.select_option("#add-policy", "sensitive")
    page.set_input_files("#add-files", SAMPLES / "tusk-single.jpg")
    page.focus("#add-start")
    page.keyboard.press("Enter")
    expect(page.locator(".notice")).to_have_text("The batch was not started: Busy.×")
    expect(page.locator("#add-start")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#login-problem")).to_have_text("This key is not known, or not valid any more.")
    expect(page.locator(".notice")).to_have_count(1)
    enter(page, keys["ann"])
    expect(page.locator("#login")).not_to_be_visible()
    page.keyboard.press("p")
    expect(page.locator("#add-chosen")).to_contain_text("1 photo,")
    page.focus("#add-start")
    page.keyboard.press("Enter")
    expect(page.locator("#batches li")).to_have_count(2)
    expect(page.locator(".notice")).to_have_count(0)
    expect(page.locator("#add-files")).to_be_focused()


def enter(page: Page, key: str) -> None:
    page.fill("#login-key", key)
    page.keyboard.press("Enter")


def test_hundreds_of_dropped_files_become_a_batch(open_page: Visit) -> None:
    page = open_page()
    settled(page)
    transfer = page.evaluate_handle(
        """names => {
          const transfer = new DataTransfer();
          for (const name of names) transfer.items.add(new File(["x"], name, { type: "image/jpeg" }));
          return transfer;
        }""",
        [f"{number}.jpg" for number in range(300)],
    )
    page.dispatch_event("body", "dragenter", {"dataTransfer": transfer})
    expect(page.locator("#drop")).to_be_visible()
    page.dispatch_event("body", "drop", {"dataTransfer": transfer})
    expect(page.locator("#drop")).not_to_be_visible()
    expect(page.locator("#add-chosen")).to_contain_text("300 photos")
    page.fill("#add-source", "dropped")
    page.route(re.compile("/v1/batches/[0-9a-f]{32}$"), lambda route: route.abort(), times=2)
    page.click("#add-start")
    line = page.locator("#batches li[data-state=done]", has_text="dropped")
    expect(line).to_contain_text("300 of 300 judged", timeout=300_000)
    assert line.locator("progress").evaluate("bar => bar.value / bar.max") == 1


def test_photos_sent_again_because_the_answer_was_lost_are_one_batch(open_page: Visit, folder: Path) -> None:
    page = open_page()
    settled(page)
    page.keyboard.press("p")
    page.set_input_files("#add-files", [SAMPLES / "tusk-single.jpg", SAMPLES / "leaves.jpg"])
    page.fill("#add-source", "sent twice")

    # Playwright passes on a form without its files, so the answer is lost in the page
    page.evaluate(
        """() => {
          const { prototype } = XMLHttpRequest;
          const listen = prototype.addEventListener;
          let lost = false;
          prototype.addEventListener = function (kind, heard) {
            const loses = kind === "load" && !lost;
            lost ||= loses;
            listen.call(this, kind, loses ? () => this.dispatchEvent(new ProgressEvent("error")) : heard);
          };
        }"""
    )
    page.click("#add-start")
    page.get_by_text("The batch was not started").wait_for()
    page.click("#add-start")
    expect(page.locator("#batches li[data-state=done]", has_text="sent twice")).to_have_count(1)
    with stored(folder) as session:
        assert session.execute(text("SELECT count(*) FROM batches WHERE source = 'sent twice'")).scalar() == 1
