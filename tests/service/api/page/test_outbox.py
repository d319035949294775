"""Decisions on their way: refused, lost, cut off, and whose they are."""

import re
from pathlib import Path

from playwright.sync_api import Route, expect
from sqlalchemy import text

from tests.browser import in_sight, settled, wait
from tests.service.api.page.visits import (
    Visit,
    by_own_clock,
    decided,
    held_back,
    refuse,
    shown,
    stand_still,
    stored,
    until_held,
)


def test_a_decision_is_never_sent_with_the_key_of_another(
    keyed_page: tuple[Visit, dict[str, str]], folder: Path
) -> None:
    visit, keys = keyed_page
    page, refusing, sent = visit(), list[bool](), list[Route]()
    page.clock.install()
    page.reload()

    def answer(route: Route) -> None:
        if route.request.url.endswith("/decision"):
            sent.append(route)
        if refusing:
            refuse(route)
        else:
            route.continue_()

    page.route(re.compile("/(decision|summary)$"), answer)

    def enter(name: str) -> None:
        page.fill("#login-key", keys[name])
        page.keyboard.press("Enter")
        expect(page.locator("#login")).not_to_be_visible()

    def decide_refused(key: str) -> None:
        """Decide when the key is not taken any more, and wait until the page asks for another."""
        in_sight(page)
        refusing.append(True)
        before = len(sent)
        page.keyboard.press(key)
        until_held(page, sent, before + 1)
        expect(page.locator("#login")).to_be_visible()
        expect(page.locator("#login-waiting")).to_have_text("1 decision waits for whoever made it.")
        refusing.clear()

    enter("ann")
    decide_refused("r")
    tried = len(sent)
    page.clock.run_for(20_000)
    page.wait_for_timeout(200)
    assert len(sent) == tried and decided(folder) == [], "it is not sent without a key either"
    enter("ann")
    settled(page)
    assert [entry["decision"] for entry in decided(folder)] == ["reject"], "it goes on with the same moderator"
    decide_refused("e")
    enter("bob")
    expect(page.locator("#notices")).to_contain_text("Not kept: 1 decision of the moderator who was here before")
    settled(page)
    expect(page.locator("#today")).to_have_text("0")
    page.keyboard.press("c")
    settled(page)
    first, second = decided(folder)
    assert second["decision"] == "confirm" and second["moderator"] != first["moderator"]


def test_a_decision_whose_answer_was_lost_is_kept_once(keyed_page: tuple[Visit, dict[str, str]], folder: Path) -> None:
    visit, keys = keyed_page
    page, lost = visit(), list[int]()
    page.fill("#login-key", keys["ann"])
    page.keyboard.press("Enter")

    def lose(route: Route) -> None:
        if len(lost) % 2:
            route.continue_()
        else:
            route.fetch()
            route.abort()
        lost.append(1)

    page.route(re.compile("/decision$"), lose)
    for key in "crse":
        settled(page)
        page.keyboard.press(key)
    settled(page)
    assert [entry["decision"] for entry in decided(folder)] == ["confirm", "reject", "unsure", "escalate"]
    assert len(lost) == 8 and page.locator("#notices .notice").count() == 0
    expect(page.locator("#today")).to_have_text("4")


def test_what_others_decided_while_it_could_not_be_sent_is_told(open_page: Visit, folder: Path) -> None:
    page, lost = open_page(), [True]
    settled(page)
    page.route("**/decision", lambda route: route.abort() if lost else route.continue_())
    item = shown(page)
    page.keyboard.press("r")
    expect(page.locator("#saving")).to_contain_text("cannot be reached")
    with stored(folder) as session:
        session.execute(text("UPDATE reviews SET state = 'decided' WHERE item_id = :item"), {"item": item})
    lost.clear()
    expect(page.locator("#notices")).to_contain_text("This photo has been decided already.")
    settled(page)
    assert decided(folder) == []
    expect(page.locator("#today")).to_have_text("0")


def test_what_could_not_be_sent_is_sent_again(open_page: Visit, folder: Path) -> None:
    page = open_page()
    settled(page)
    answers = iter(("lost", "overloaded", "go"))

    def unreliable(route: Route) -> None:
        answer = next(answers, "go")
        if answer == "lost":
            route.abort()
        elif answer == "overloaded":
            route.fulfill(status=503, body='{"error": {"code": "overloaded", "message": "later"}}')
        else:
            route.continue_()

    page.route(re.compile("/decision$"), unreliable)
    items = []
    for _ in range(3):
        in_sight(page)
        items.append(shown(page))
        page.keyboard.press("r")
    settled(page)
    assert [entry["item"] for entry in decided(folder)] == items


def test_what_breaks_off_is_fetched_again(open_page: Visit, folder: Path) -> None:
    page = open_page()
    settled(page)
    page.route("**/photo*", lambda route: route.abort())
    page.reload()
    page.wait_for_selector("#stage[data-shown=late]")
    expect(page.locator("#absent")).to_contain_text("cannot be reached")
    page.keyboard.press("r")
    expect(page.locator("#live")).to_have_text("The photo is not there yet.")
    page.wait_for_timeout(200)
    assert decided(folder) == [], "nobody has seen it"
    page.keyboard.press("g")
    page.wait_for_timeout(500)
    expect(page.locator(".tile .absent")).to_have_count(0)
    page.unroute("**/photo*")
    wait(page, "!document.querySelector('.tile.waiting')")
    page.keyboard.press("g")
    in_sight(page)
    again = held_back(page)
    page.route(
        "**/decision", lambda route: route.fulfill(status=200, body='{"cut', content_type="application/json"), times=1
    )
    item = shown(page)
    page.keyboard.press("r")
    expect(page.locator("#saving")).to_contain_text("cut off. 1 decision is being saved")
    until_held(page, again)
    again[0].continue_()
    settled(page)
    assert [entry["item"] for entry in decided(folder)] == [item]


def test_what_hinders_is_told_until_it_is_over(open_page: Visit, folder: Path) -> None:
    page, lost = open_page(), [True]
    settled(page)
    page.route("**/decision", lambda route: route.abort() if lost else route.continue_())
    saving = page.locator("#saving")
    page.keyboard.press("r")
    expect(saving).to_contain_text("cannot be reached. 1 decision is being saved … Keep this page open.")
    in_sight(page)
    page.keyboard.press("r")
    assert saving.inner_text().startswith("The service cannot be reached. 2 decisions are")
    box = saving.bounding_box()
    assert box
    at = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
    assert page.evaluate("([x, y]) => document.elementFromPoint(x, y).id", at) != "saving", "it is in nobody's way"
    lost.clear()
    settled(page)
    expect(saving).to_be_hidden()
    assert len(decided(folder)) == 2


def test_a_service_that_says_nothing_is_asked_again(open_page: Visit, folder: Path) -> None:
    page = open_page()
    by_own_clock(page)
    stand_still(page)
    held = held_back(page)
    page.keyboard.press("r")
    until_held(page, held)
    expect(page.locator("#saving")).to_be_hidden()
    page.clock.fast_forward(3_100)
    expect(page.locator("#saving")).to_contain_text("takes its time. 1 decision is being saved")
    page.clock.fast_forward(27_000)
    expect(page.locator("#saving")).to_contain_text("does not answer. 1 decision is being saved")
    page.clock.resume()
    until_held(page, held, 2)
    held[1].continue_()
    settled(page)
    assert len(decided(folder)) == 1


HALTING = """(halts) => {
  window.halted = 0;
  const ask = window.fetch;
  window.fetch = async (path, options) => {
    const answer = await ask(path, options);
    if (!path.endsWith("/decision") || !halts.length) return answer;
    const [bytes, waits] = [new Uint8Array(await answer.arrayBuffer()), halts.shift()];
    const body = new ReadableStream({ start(parts) {
      options.signal.addEventListener("abort", () => parts.error(options.signal.reason));
      parts.enqueue(bytes.slice(0, 9));
      setTimeout(() => parts.enqueue(bytes.slice(9, 18)), waits);
      setTimeout(() => (parts.enqueue(bytes.slice(18)), parts.close()), 2 * waits);
    } });
    window.halted += 1;
    return new Response(body, { status: answer.status, headers: answer.headers });
  };
}"""


def test_an_answer_that_stalls_in_the_middle_is_asked_for_again(open_page: Visit, folder: Path) -> None:
    page = open_page()
    by_own_clock(page)
    page.evaluate(HALTING, [20_000, 1_000_000])  # one that is slow, and one that stalls
    page.keyboard.press("r")
    wait(page, "halted === 1")
    page.clock.run_for(20_000)
    page.clock.run_for(20_000)
    settled(page)
    stand_still(page)
    page.keyboard.press("r")
    wait(page, "halted === 2")
    again = held_back(page)
    page.clock.run_for(3_100)
    expect(page.locator("#saving")).to_contain_text("takes its time. 1 decision is being saved")
    page.clock.run_for(29_000)
    expect(page.locator("#saving")).to_contain_text("cut off. 1 decision is being saved")
    page.clock.resume()
    until_held(page, again)
    again[0].continue_()
    settled(page)
    assert [entry["decision"] for entry in decided(folder)] == ["reject"] * 2
