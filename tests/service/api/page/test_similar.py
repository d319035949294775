"""Photos like the one in front that were seen before, where their list comes late."""

from playwright.sync_api import APIResponse, Route, expect

from tests.browser import in_sight, settled
from tests.service.api.page.visits import Visit, left, shown, until_held

SIMILAR = "**/similar"


def test_a_photo_does_not_wait_for_the_list_of_those_like_it(open_page: Visit) -> None:
    page, held = open_page(), list[Route]()
    settled(page)
    address = left(page)
    page.route(SIMILAR, lambda route: held.append(route))
    page.goto(address)
    until_held(page, held)
    in_sight(page)
    expect(page.locator("#similar li")).to_have_count(0)
    page.unroute(SIMILAR)  # they go on
    expect(page.locator("#similar li").first).to_be_visible()


def test_what_was_decided_a_moment_ago_is_in_a_list_that_comes_late(open_page: Visit) -> None:
    page, late, kept = open_page(), list[tuple[Route, APIResponse]](), list[bool]()
    settled(page)
    first = shown(page)

    def hold(route: Route) -> None:
        if kept or f"/{first}/" in route.request.url:
            route.continue_()
        else:
            late.append((route, route.fetch()))

    address = left(page)
    page.route(SIMILAR, hold)
    page.goto(address)
    settled(page)
    until_held(page, late)
    kept.append(True)
    page.keyboard.press("r")
    rejected = page.locator("#similar .outcome.reject")
    expect(rejected).to_have_count(1)
    for route, older in late:
        with page.expect_response(SIMILAR):
            route.fulfill(response=older)
    page.wait_for_timeout(100)
    assert rejected.count() == 1
