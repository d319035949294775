"""The review page in a real browser, against a real service."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import APIResponse, Browser, BrowserContext, Page, Route, expect
from sqlalchemy import text

from service.api.app import create_app
from service.detector import Detector
from service.keys.key import Scope
from service.settings import Settings
from service.store.database import open_database
from tests.browser import PATIENCE, chromium, settled, wait
from tests.conftest import SAMPLES
from tests.keyed import add_key, new_store
from tests.live import serving
from tests.review_queue import fill

COUNT, LONG, DECISIONS = 90, 310, 300
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
KEYED = {"ann": {Scope.REVIEW, Scope.DETECT}, "bob": {Scope.REVIEW}, "pipeline": {Scope.DETECT}}
Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def faults() -> list[str]:
    """What the browser complained of."""
    return []


@pytest.fixture
def count() -> int:
    """Photos in the queue; a test that wants another number is parametrized with it."""
    return COUNT


@pytest.fixture
def open_page(browser: Browser, folder: Path, detector: Detector, faults: list[str], count: int) -> Iterator[Visit]:
    """Opens the page of a service without keys and with a queue; ends with a look at what the browser said."""
    fill(folder, detector, count)
    with serving(create_app(Settings(batches="on", store=folder, retention_hours=1))) as (host, port):
        yield from _visits(browser, f"http://{host}:{port}", faults)
    assert faults == []


@pytest.fixture
def keyed_page(
    browser: Browser, folder: Path, tmp_path: Path, detector: Detector, faults: list[str]
) -> Iterator[tuple[Visit, dict[str, str]]]:
    """The same with keys, which come too, and second opinions."""
    fill(folder, detector, COUNT)
    store = new_store(tmp_path / "keys.db")
    shown = {name: add_key(store, name, *scopes) for name, scopes in KEYED.items()}
    settings = Settings(
        auth="on", keys=store.path, batches="on", store=folder, retention_hours=1, second_opinion="confirm"
    )
    with serving(create_app(settings)) as (host, port):
        for visit in _visits(browser, f"http://{host}:{port}", faults):
            yield visit, shown


def _visits(browser: Browser, address: str, faults: list[str]) -> Iterator[Visit]:
    contexts: list[BrowserContext] = []

    def visit(context: BrowserContext | None = None, **options: object) -> Page:
        if context is None:
            contexts.append(context := browser.new_context(**{"viewport": DESK, **options}))  # type: ignore[arg-type]
        page = context.new_page()
        page.set_default_timeout(PATIENCE * 1e3)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda sent: faults.append(sent.url) if not _ours(sent.url, address) else None)
        page.on("console", lambda said: faults.append(said.text) if _is_fault(said.type, said.text) else None)
        page.goto(f"{address}/review")
        return page

    yield visit
    for context in contexts:
        context.close()


def _ours(url: str, address: str) -> bool:
    return urlsplit(url).netloc == urlsplit(address).netloc


def _is_fault(kind: str, said: str) -> bool:
    """An error or a warning; the browser also tells every answer of 4xx and 5xx, which tests ask for."""
    return kind in ("error", "warning") and "Failed to load resource" not in said


def decided(folder: Path) -> list[dict[str, object]]:
    """The log."""
    database = open_database(None, folder)
    with database.reading() as session:
        entries = [json.loads(row) for row in session.scalars(text("SELECT entry FROM decisions ORDER BY seq"))]
    database.close()
    return entries


def strongest(folder: Path, item: int) -> str:
    """The category of a photo's first finding, as the store has it."""
    database = open_database(None, folder)
    with database.reading() as session:
        record = json.loads(session.scalar(text("SELECT record FROM items WHERE id = :id"), {"id": item}) or "{}")
    database.close()
    return str(record["findings"][0]["category"])


def shown(page: Page) -> int:
    """The photo on the screen."""
    return int(page.get_attribute("#stage", "data-item") or 0)


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
    page = open_page()
    settled(page)
    late: list[tuple[Route, APIResponse]] = []
    page.route("**/v1/review/summary", lambda route: late.append((route, route.fetch())), times=1)
    page.reload()
    settled(page)
    while not late:
        page.wait_for_timeout(10)
    page.keyboard.press("r")
    settled(page)
    route, counted = late[0]
    with page.expect_response("**/v1/review/summary"):
        route.fulfill(response=counted)
    page.wait_for_timeout(100)
    assert page.locator("#count-open").inner_text() == ""
    expect(page.locator("#count-open")).to_have_text(str(COUNT - 1))


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


def test_a_tile_that_is_not_selected_has_no_tick_in_forced_colours(open_page: Visit) -> None:
    page = open_page(forced_colors="active")
    settled(page)
    page.keyboard.press("g")
    wait(page, "document.querySelectorAll('.tile').length === 48 && !document.querySelector('.tile.waiting')")
    colour = "getComputedStyle(document.querySelector('.tile .mark')).color"
    assert page.evaluate(colour) == "rgba(0, 0, 0, 0)"
    page.keyboard.press("a")
    assert page.evaluate(colour) != "rgba(0, 0, 0, 0)"


def test_blurred_and_grey_until_asked_and_that_is_kept(open_page: Visit) -> None:
    page = open_page()
    settled(page)

    def filters() -> str:
        return str(page.evaluate("getComputedStyle(document.getElementById('photo')).filter"))

    assert filters() == "blur(22px) grayscale(1)"
    page.keyboard.press("Space")
    assert filters() == "none"
    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))")
    expect(page.locator("#single")).not_to_be_visible()
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    settled(page)
    assert filters() == "blur(22px) grayscale(1)", "who comes back by the browser's button asks anew"
    page.keyboard.press("Space")
    page.keyboard.press("r")
    settled(page)
    assert filters() == "blur(22px) grayscale(1)", "the next one is veiled again"
    page.keyboard.press(",")
    page.uncheck("input[name=blur]")
    page.fill("input[name=break_minutes]", "20")
    page.keyboard.press("Escape")
    assert filters() == "grayscale(1)"
    again = open_page()
    settled(again)
    assert again.evaluate("getComputedStyle(document.getElementById('photo')).filter") == "grayscale(1)"
    again.keyboard.press(",")
    expect(again.locator("input[name=break_minutes]")).to_have_value("20")
    again.uncheck("input[name=shortcuts]")
    again.keyboard.press("Escape")
    before = shown(again)
    again.keyboard.press("r")
    assert shown(again) == before, "single keys can be turned off"
    again.click("button[data-act=reject]")
    settled(again)
    assert shown(again) != before


def test_heat_map_boxes_findings_and_what_was_seen_before(open_page: Visit, detector: Detector, folder: Path) -> None:
    page = open_page()
    settled(page)

    def pixels(canvas: str) -> str:
        return str(page.evaluate(f"document.getElementById('{canvas}').toDataURL()"))

    page.route("**/heatmap*", lambda route: route.abort(), times=1)
    page.keyboard.press("h")
    expect(page.locator("#notices .error")).to_be_visible()
    page.keyboard.press("h")
    page.keyboard.press("h")  # what failed once is asked for again
    expect(page.locator("#overlay")).to_be_visible()
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


def test_a_grid_clears_many_and_one_press_takes_it_back(open_page: Visit, folder: Path) -> None:
    page = open_page()
    settled(page)
    page.keyboard.press("g")
    wait(page, "document.querySelectorAll('.tile').length === 48")
    wait(page, "!document.querySelector('.tile.waiting')")
    page.keyboard.press("r")
    expect(page.locator("#notices")).to_contain_text("Nothing is selected")
    page.keyboard.press("v")
    assert set(tile_filters(page)) == {"none"}
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


def tile_filters(page: Page) -> list[str]:
    """How each tile is veiled."""
    return list(
        page.evaluate("[...document.querySelectorAll('.tile canvas')].map((one) => getComputedStyle(one).filter)")
    )


def test_keys_and_second_opinions(keyed_page: tuple[Visit, dict[str, str]], folder: Path) -> None:
    visit, keys = keyed_page

    def enter(name: str) -> Page:
        page = visit()
        page.fill("#login-key", keys[name])
        page.keyboard.press("Enter")
        return page

    wrong = enter("pipeline")
    expect(wrong.locator("#login-problem")).to_contain_text("scope review")
    wrong.keyboard.press("Escape")
    expect(wrong.locator("#login")).to_be_visible()
    wrong.fill("#login-key", "nonsense")
    wrong.keyboard.press("Enter")
    expect(wrong.locator("#login-problem")).to_contain_text("key")
    ann, bob = enter("ann"), enter("bob")
    for page in (ann, bob):
        settled(page)
    assert ann.evaluate("sessionStorage.getItem('faunalens-key')") == keys["ann"]
    seen: dict[Page, set[int]] = {ann: set(), bob: set()}
    for _ in range(12):
        for page in (ann, bob):
            settled(page)
            seen[page].add(shown(page))
            page.keyboard.press("c")
    for page in (ann, bob):
        settled(page)
    assert len(seen[ann]) == len(seen[bob]) == 12 and not seen[ann] & seen[bob]
    bob.click("#state-second")
    bob.wait_for_selector("#stage[data-shown=shown]")
    bob.wait_for_selector(", ".join(f"#stage[data-item='{item}'][data-shown=shown]" for item in seen[ann]))
    expect(bob.locator("#state")).to_contain_text("second opinion")
    bob.keyboard.press("c")
    settled(bob)
    assert decided(folder)[-1]["state"] == "decided"
    bob.keyboard.press("m")
    expect(bob.locator("#team-rows")).to_contain_text("ann")
    bob.keyboard.press("Escape")
    bob.keyboard.press("p")
    expect(bob.locator("#may-not-add")).to_be_visible()


def test_a_refusal_of_the_key_before_does_not_take_the_new_one(keyed_page: tuple[Visit, dict[str, str]]) -> None:
    visit, keys = keyed_page
    page, late = visit(), list[Route]()
    page.fill("#login-key", keys["ann"])
    page.keyboard.press("Enter")
    settled(page)
    page.route("**/v1/review/summary", lambda route: route.continue_() if late else late.append(route))
    until_held(page, late)
    page.route("**/v1/review/claims", refuse, times=2)  # that gives back, and that takes
    page.keyboard.press(",")
    page.evaluate("document.getElementById('state-second').click()")
    expect(page.locator("#login-problem")).to_have_text("That key was revoked.")
    expect(page.locator("#settings")).not_to_be_visible()
    page.fill("#login-key", keys["bob"])
    page.keyboard.press("Enter")
    expect(page.locator("#login")).not_to_be_visible()
    refuse(late[0])
    page.wait_for_timeout(300)
    expect(page.locator("#login")).not_to_be_visible()
    assert page.evaluate("sessionStorage.getItem('faunalens-key')") == keys["bob"]


def test_a_decision_is_never_sent_with_the_key_of_another(
    keyed_page: tuple[Visit, dict[str, str]], folder: Path
) -> None:
    visit, keys = keyed_page
    page, refusing = visit(), list[bool]()
    page.route(re.compile("/(decision|summary)$"), lambda route: refuse(route) if refusing else route.continue_())

    def enter(name: str) -> None:
        page.fill("#login-key", keys[name])
        page.keyboard.press("Enter")
        expect(page.locator("#login")).not_to_be_visible()

    def decide_refused(key: str) -> None:
        """Decide when the key is not taken any more, and wait until the page asks for another."""
        page.wait_for_selector("#stage[data-shown=shown]")
        refusing.append(True)
        page.keyboard.press(key)
        expect(page.locator("#login")).to_be_visible()
        refusing.clear()

    enter("ann")
    decide_refused("r")
    page.wait_for_timeout(1000)
    assert decided(folder) == [], "it is not sent without a key either"
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


def test_who_forgets_the_key_gives_the_photos_back(keyed_page: tuple[Visit, dict[str, str]], folder: Path) -> None:
    visit, keys = keyed_page
    page = visit()
    page.fill("#login-key", keys["ann"])
    page.keyboard.press("Enter")
    settled(page)
    assert held(folder) > 0
    page.keyboard.press(",")
    page.click("#forget-key")
    expect(page.locator("#login")).to_be_visible()
    assert held(folder) == 0
    assert page.evaluate("sessionStorage.length") == 0


def held(folder: Path) -> int:
    """How many photos are in front of somebody."""
    database = open_database(None, folder)
    with database.reading() as session:
        count = session.scalar(text("SELECT count(*) FROM reviews WHERE claimed_by IS NOT NULL"))
    database.close()
    return int(count or 0)


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
    while len(giving) < 2:
        page.wait_for_timeout(10)
    giving[0].continue_()
    page.wait_for_timeout(500)
    assert taking == []
    giving[1].continue_()
    settled(page)


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


def until_held(page: Page, held: list[Route]) -> None:
    """Wait for a request that a test holds back."""
    while not held:
        page.wait_for_timeout(10)


def refuse(route: Route) -> None:
    """Answer as to a key that is not known any more."""
    route.fulfill(status=401, body='{"error": {"code": "unauthenticated", "message": "That key was revoked."}}')


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
        page.wait_for_selector("#stage[data-shown=shown]")
        items.append(shown(page))
        page.keyboard.press("r")
    settled(page)
    assert [entry["item"] for entry in decided(folder)] == items


def test_a_key_that_is_sent_twice_sets_the_page_up_once(keyed_page: tuple[Visit, dict[str, str]]) -> None:
    visit, keys = keyed_page
    page, waiting = visit(), list[Route]()
    expect(page.locator("#login")).to_be_visible()
    page.route("**/v1/review/me", lambda route: waiting.append(route))
    page.fill("#login-key", keys["ann"])
    for _ in range(3):
        page.keyboard.press("Enter")
    page.wait_for_timeout(300)
    for route in waiting:
        route.continue_()
    settled(page)
    page.wait_for_timeout(300)
    categories = page.locator("#filter-category option").all_text_contents()
    assert len(categories) == len(set(categories))


def test_what_breaks_off_is_fetched_again(open_page: Visit, folder: Path) -> None:
    page = open_page()
    settled(page)
    page.route("**/photo*", lambda route: route.abort())
    page.reload()
    page.wait_for_selector("#stage[data-shown=failed]")
    expect(page.locator("#absent")).to_contain_text("cannot be reached")
    page.keyboard.press("g")
    page.wait_for_timeout(500)
    expect(page.locator(".tile .absent")).to_have_count(0)
    page.unroute("**/photo*")
    wait(page, "!document.querySelector('.tile.waiting')")
    page.keyboard.press("g")
    page.wait_for_selector("#stage[data-shown=shown]")
    page.route(
        "**/decision", lambda route: route.fulfill(status=200, body='{"cut', content_type="application/json"), times=1
    )
    item = shown(page)
    page.keyboard.press("r")
    expect(page.locator("#saving")).to_contain_text("cut off. 1 decision is being saved")
    settled(page)
    assert [entry["item"] for entry in decided(folder)] == [item]


def test_somebody_elses_decision_is_told(open_page: Visit, folder: Path) -> None:
    page = open_page()
    settled(page)
    item = shown(page)
    database = open_database(None, folder)
    with database.writing() as session:
        session.execute(text(f"UPDATE reviews SET state = 'decided' WHERE item_id = {item}"))
    database.close()
    page.keyboard.press("c")
    expect(page.locator("#notices")).to_contain_text("has been decided already")
    settled(page)
    assert decided(folder) == []
    expect(page.locator("#today")).to_have_text("0")
    second = shown(page)
    database = open_database(None, folder)
    with database.writing() as session:
        session.execute(text(f"UPDATE reviews SET claimed_by = '.x', claimed_until = 1e12 WHERE item_id = {second}"))
    page.keyboard.press("c")
    expect(page.locator("#notices")).to_contain_text("Another moderator has this photo")
    with database.writing() as session:
        session.execute(text(f"UPDATE reviews SET claimed_until = 0 WHERE item_id = {second}"))
    database.close()
    page.keyboard.press("g")
    page.wait_for_selector(f".tile[data-item='{second}']")


def test_a_photo_that_is_not_kept_says_so(open_page: Visit, folder: Path, detector: Detector) -> None:
    for path in (folder / "photos").glob("*/*"):
        path.unlink()
    database = open_database(None, folder)
    with database.writing() as session:
        session.execute(text("UPDATE items SET photo = false, purge_at = 1 WHERE id % 2 = 0"))
    database.close()
    page = open_page()
    page.wait_for_selector("#stage[data-shown=gone]")
    expect(page.locator("#absent")).to_contain_text("This photo is not kept any more")
    for ended, words in ((0, "Its time ended on Jan 1, 1970"), (1, "What the model found is still there")):
        while shown(page) % 2 != ended:
            page.keyboard.press("n")
            page.wait_for_selector("#stage[data-shown=gone]")
        expect(page.locator("#absent p").first).to_have_text(re.compile(f"^{words}"))
    expect(page.locator("#headline")).to_have_text(detector.catalog[strongest(folder, shown(page))].name)
    page.keyboard.press("r")
    wait(page, "!Number(document.body.dataset.waiting)")
    assert len(decided(folder)) == 1
    page.keyboard.press("g")
    wait(page, "document.querySelectorAll('.tile .absent').length > 40")


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
    expect(page.locator("#chips")).to_contain_text("From: 2020-01-01")
    expect(page.locator("#nothing")).to_be_visible()
    page.keyboard.press("f")
    page.click("#filters button[type=reset]")
    settled(page)


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
    page.wait_for_timeout(500)
    assert len(waiting) == 1
    waiting[0].continue_()
    page.select_option("#add-policy", "sensitive")
    expect(page.locator("#add-policy-text")).not_to_be_empty()


def test_statistics_are_a_click_away_and_back(open_page: Visit) -> None:
    page = open_page()
    settled(page)
    page.click("header a[href='stats']")
    expect(page.locator("#report")).to_be_visible()
    page.click("header a[href='review']")
    settled(page)


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
    expect(line).to_contain_text("300 of 300 judged")
    assert line.locator("progress").evaluate("bar => bar.value / bar.max") == 1


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
    page.click("#break-rest")
    expect(page.locator("#rest")).to_be_visible()
    page.wait_for_selector("#single", state="hidden")
    page.click("#break-over")
    settled(page)


def test_nothing_leaves_the_page(open_page: Visit, faults: list[str]) -> None:
    page = open_page()
    settled(page)
    policy = page.request.get(page.url).headers["content-security-policy"]
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy and "http" not in policy
    violated = page.evaluate(
        """async () => {
          const violated = [];
          document.addEventListener("securitypolicyviolation", (event) => violated.push(event.effectiveDirective));
          await fetch("https://elsewhere.example/").catch(() => {});
          const add = (tag, properties) => document.body.append(Object.assign(document.createElement(tag), properties));
          add("script", { textContent: "window.inlined = true" });
          add("img", { src: "https://elsewhere.example/x.png" });
          add("iframe", { src: "https://elsewhere.example/" });
          await new Promise((done) => setTimeout(done, 300));
          return [...violated.sort(), String(window.inlined)];
        }"""
    )
    assert violated == ["connect-src", "frame-src", "img-src", "script-src-elem", "undefined"]
    assert all("elsewhere.example" in fault or "Content Security Policy" in fault for fault in faults), faults
    faults.clear()


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible(open_page: Visit, scheme: str, size: dict[str, int]) -> None:
    page = open_page(color_scheme=scheme, viewport=size)
    settled(page)
    check(page)
    for key, dialog in (
        ("?", "help"),
        (",", "settings"),
        ("f", "filters"),
        ("p", "add"),
        ("m", "team"),
        ("o", "other"),
    ):
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
    expect(page.locator("body > #notices")).to_be_attached()
    page.keyboard.press("r")
    expect(page.locator("#live")).to_have_text(re.compile(r"^Rejected: .* Next: "))
    settled(page)
    page.focus("#findings button")
    page.keyboard.press("Enter")
    settled(page)
    assert page.evaluate("document.activeElement.id") == "details"
    page.keyboard.press("g")
    wait(page, "!document.querySelector('.tile.waiting')")
    check(page)


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
    database = open_database(None, folder)
    with database.writing() as session:
        session.execute(text("UPDATE items SET listing_id = :long"), {"long": "L" * 256})
    database.close()
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
    assert page.evaluate("getComputedStyle(document.getElementById('photo')).filter") == "none"
    for act in ("confirm", "reject", "unsure", "escalate", "undo"):
        box = page.locator(f".actions [data-act={act}]").bounding_box()
        assert box and box["height"] >= 44 and box["width"] >= 44 and box["x"] + box["width"] <= 390
    page.tap(".actions [data-act=reject]")
    settled(page)
    assert shown(page) != first
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
