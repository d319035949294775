"""Keys: whose page it is, and whose photos."""

from pathlib import Path

from playwright.sync_api import Page, Route, expect
from sqlalchemy import text

from tests.browser import in_sight, settled
from tests.service.api.page.visits import Visit, decided, refuse, shown, stored, until_held


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
    expect(wrong.locator("#login-problem")).to_have_text("This key is not known, or not valid any more.")
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
    in_sight(bob)
    bob.wait_for_selector(", ".join(f"#stage[data-item='{item}'][data-shown=shown]" for item in seen[ann]))
    in_sight(bob)
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
    expect(page.locator("#login-problem")).to_have_text("This key is not known, or not valid any more.")
    expect(page.locator("#settings")).not_to_be_visible()
    page.fill("#login-key", keys["bob"])
    page.keyboard.press("Enter")
    expect(page.locator("#login")).not_to_be_visible()
    refuse(late[0])
    page.wait_for_timeout(300)
    expect(page.locator("#login")).not_to_be_visible()
    assert page.evaluate("sessionStorage.getItem('faunalens-key')") == keys["bob"]


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


def test_settings_that_were_not_kept_are_not_those_of_who_comes_next(
    keyed_page: tuple[Visit, dict[str, str]],
) -> None:
    visit, keys = keyed_page
    page = visit()
    page.fill("#login-key", keys["ann"])
    page.keyboard.press("Enter")
    settled(page)
    page.route("**/v1/review/me", lambda route: route.abort(), times=1)
    page.keyboard.press(",")
    page.uncheck("input[name=blur]")
    expect(page.locator("#notices")).to_contain_text("were not kept")
    page.route("**/v1/review/claims", refuse, times=2)  # that gives back, and that takes
    page.evaluate("document.getElementById('state-second').click()")
    expect(page.locator("#login-problem")).to_have_text("This key is not known, or not valid any more.")
    page.fill("#login-key", keys["bob"])
    page.keyboard.press("Enter")
    expect(page.locator("#login")).not_to_be_visible()
    page.keyboard.press(",")
    with page.expect_request(lambda request: request.method == "PUT") as sent:
        page.uncheck("input[name=grey]")
    assert sent.value.post_data_json == {"grey": False}


def held(folder: Path) -> int:
    """How many photos are in front of somebody."""
    with stored(folder) as session:
        return int(session.scalar(text("SELECT count(*) FROM reviews WHERE claimed_by IS NOT NULL")) or 0)


def test_a_key_that_is_sent_twice_sets_the_page_up_once(keyed_page: tuple[Visit, dict[str, str]]) -> None:
    visit, keys = keyed_page
    page, waiting = visit(), list[Route]()
    expect(page.locator("#login")).to_be_visible()
    page.route("**/v1/review/me", lambda route: waiting.append(route))
    page.fill("#login-key", keys["ann"])
    for _ in range(3):
        page.keyboard.press("Enter")
    until_held(page, waiting)
    page.wait_for_timeout(300)
    page.unroute("**/v1/review/me")  # they go on
    settled(page)
    page.wait_for_timeout(300)
    categories = page.locator("#filter-category option").all_text_contents()
    assert len(categories) == len(set(categories))


def test_a_key_that_was_copied_with_what_cannot_be_seen(keyed_page: tuple[Visit, dict[str, str]]) -> None:
    visit, keys = keyed_page
    page, key = visit(), keys["ann"]
    expect(page.locator("#login")).to_be_visible()
    page.fill("#login-key", "\u043a\u043b\u044e\u0447")
    page.keyboard.press("Enter")
    expect(page.locator("#login-problem")).to_have_text("This key is not known, or not valid any more.")
    page.fill("#login-key", f"\ufeff{key[:6]}\u200b\u00ad{key[6:12]}\u00a0{key[12:]}\u2060\u200e")
    page.keyboard.press("Enter")
    settled(page)
    assert page.evaluate("sessionStorage.getItem('faunalens-key')") == key


def test_who_decided_first_is_told_that_somebody_else_comes_second(keyed_page: tuple[Visit, dict[str, str]]) -> None:
    visit, keys = keyed_page
    page = visit()
    page.fill("#login-key", keys["ann"])
    page.keyboard.press("Enter")
    settled(page)
    page.keyboard.press("c")
    settled(page)
    page.click("#state-second")
    expect(page.locator("#nothing-why")).to_have_text(
        "What you were the first to decide waits for somebody else. New ones come by themselves."
    )
