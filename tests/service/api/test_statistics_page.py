"""The page /stats in a real browser, against a real service with keys."""

import datetime
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect
from sqlalchemy import text

from service.api.app import create_app
from service.detector import Detector
from service.keys.key import Scope
from service.settings import Settings
from service.store.kinds import Kind
from tests.browser import PATIENCE
from tests.filled import Filled
from tests.keyed import add_key, new_store
from tests.live import serving

DAY = 86_400.0


@pytest.fixture
def service(filled: Filled, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Address and key of a service whose photos were judged in two weeks, and decided."""
    filled.decide("tusk-single.jpg", "ann", Kind.CONFIRM, "ivory")
    filled.decide("tusks.jpg", "ann", Kind.REJECT)
    filled.judged_earlier(("ivory-bangles.jpg", "bananas.jpg"), 7 * DAY)
    with filled.database.writing() as session:
        session.execute(text("UPDATE batches SET source = :source"), {"source": "<b>uploads"})
    store = new_store(tmp_path / "keys.db")
    shown = add_key(store, "ann", Scope.REVIEW)
    app = create_app(Settings(auth="on", keys=store.path, batches="on", store=filled.folder))
    with serving(app) as (host, port):
        yield f"http://{host}:{port}", shown


def opened(browser: Browser, address: str, faults: list[str], **options: object) -> Page:
    page = browser.new_page(**options)  # type: ignore[arg-type]
    page.set_default_timeout(PATIENCE * 1e3)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda sent: faults.append(sent.url) if urlsplit(sent.url).netloc not in address else None)
    page.goto(f"{address}/stats")
    return page


def sign_in(page: Page, key: str) -> None:
    page.fill("#key-form input", key)
    page.press("#key-form input", "Enter")


def test_the_report_is_shown_with_a_key(browser: Browser, service: tuple[str, str], detector: Detector) -> None:
    (address, key), faults = service, list[str]()
    page = opened(browser, address, faults)
    expect(page.locator("#report")).to_be_hidden()
    expect(page.locator("#message")).to_have_text("A key is needed.")
    sign_in(page, "nonsense")
    expect(page.locator("#message")).to_have_text("This key is not known, or not valid any more.")
    page.route("**/v1/stats?*", lambda route: route.fulfill(body='{"cut', content_type="application/json"), times=1)
    sign_in(page, key)
    expect(page.locator("#message")).to_have_text("The answer of the service was cut off.")
    page.click("#ask button[type=submit]")
    expect(page.locator("#report")).to_be_visible()
    expect(page.locator("#key-form")).to_be_hidden()
    expect(page.locator("#total")).to_contain_text("Photos of batches4")
    expect(page.locator("#total")).to_contain_text("Precision50.0 %")
    expect(page.locator("#categories tbody")).to_contain_text("Ivory")
    expect(page.locator("#sources-table")).to_contain_text("<b>uploads")
    assert page.locator("#chart circle").count() == 2, "two weeks have photos"
    assert page.locator("#drift tbody tr").count() == len(detector.contract.ids)
    expect(page.locator("#drift")).to_contain_text("nothing can be told yet")
    assert page.locator("#message").bounding_box() == {**(page.locator("#message").bounding_box() or {}), "height": 0}
    expect(page.locator("#fall")).to_contain_text("Choose the days of a baseline")
    today = datetime.datetime.now(datetime.UTC).date()
    for name, day in (("since", today), ("until", today), ("baseline_since", today), ("baseline_until", today)):
        page.fill(f"#ask input[name={name}]", day.isoformat())
    page.click("#ask button[type=submit]")
    expect(page.locator("#fall tbody tr").first).to_contain_text("cannot be said yet")
    expect(page.locator("#total")).to_contain_text("Photos of batches2")
    with page.expect_download() as download:
        page.click("#csv")
    assert Path(download.value.path()).read_text().startswith("group,week,source,category,seen")
    page.fill("#ask input[name=since]", "2030-01-01")
    page.click("#ask button[type=submit]")
    expect(page.locator("#message")).to_contain_text("first day must not be after the last")
    expect(page.locator("#h-total")).to_have_text(f"{today} to {today}")
    assert faults == []
    page.close()


def test_a_key_that_was_copied_with_what_cannot_be_seen(browser: Browser, service: tuple[str, str]) -> None:
    (address, key), faults = service, list[str]()
    page = opened(browser, address, faults)
    expect(page.locator("#message")).to_have_text("A key is needed.")
    sign_in(page, "\u043a\u043b\u044e\u0447")
    expect(page.locator("#message")).to_have_text("This key is not known, or not valid any more.")
    sign_in(page, f"\ufeff{key[:6]}\u200b{key[6:]}\u00a0")
    expect(page.locator("#report")).to_be_visible()
    assert page.evaluate("sessionStorage.getItem('faunalens-key')") == key
    assert faults == []
    page.close()


def test_numbers_of_any_size_are_written_out(browser: Browser, service: tuple[str, str]) -> None:
    (address, key), faults = service, list[str]()
    page = opened(browser, address, faults, viewport={"width": 390, "height": 844})

    def changed(route: Route) -> None:
        report = (answer := route.fetch()).json()
        fall = {"value": -12.5, "low": -3456.7, "high": -2.2e-16}
        lines = [{"category": None, "fall": fall, "reached": False}]
        report["fall"] = {
            "baseline_since": "2026-01-01", "baseline_until": "2026-01-31", "aim": 0.8, "comparable": False,
            "lines": lines,
        }  # fmt: skip
        report["drift"]["shifts"][0] |= {"psi": 1e-8, "share": 1e-9, "ratio": 1234.5}
        report["weeks"] *= 12
        route.fulfill(response=answer, json=report)

    page.route("**/v1/stats?*", changed)
    sign_in(page, key)
    expect(page.locator("#fall tbody")).to_contain_text("-1,250 % (-346,000 % to 0 %)")
    expect(page.locator("#drift tbody tr").first).to_contain_text("1,200")
    expect(page.locator("#drift tbody tr").first).to_contain_text("0.00000010 %")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, "a long line of the fall scrolls by itself"
    dates = [box for text in page.locator("#chart text").all()[3:] if (box := text.bounding_box())]
    assert len(dates) > 5
    assert all(left["x"] + left["width"] < right["x"] for left, right in pairwise(dates)), "dates do not overlap"
    assert faults == []
    page.close()


def test_tables_are_named_and_so_are_their_rows(browser: Browser, service: tuple[str, str]) -> None:
    (address, key), faults = service, list[str]()
    page = opened(browser, address, faults)
    sign_in(page, key)
    row = page.get_by_role("table", name="By source").get_by_role("row", name="<b>uploads")
    expect(row.get_by_role("rowheader")).to_have_text("<b>uploads")
    page.close()


def test_a_late_answer_does_not_take_the_place_of_a_later_question(browser: Browser, service: tuple[str, str]) -> None:
    (address, key), faults = service, list[str]()
    page = opened(browser, address, faults)
    sign_in(page, key)
    expect(page.locator("#report")).to_be_visible()
    held = list[Route]()
    page.route("**/v1/stats?*source=uploads*", lambda route: held.append(route))
    page.fill("#ask input[name=source]", "uploads")
    page.click("#ask button[type=submit]")
    page.fill("#ask input[name=source]", "<b>uploads")
    page.click("#ask button[type=submit]")
    expect(page.locator("#message")).to_have_text("")
    expect(page.locator("#total")).to_contain_text("Photos of batches4")
    with page.expect_response("**/v1/stats?*source=uploads*"):
        held[0].continue_()
    # whatever the page makes of it, it does before it gets an answer to this
    page.evaluate("fetch('/stats-assets/icon.svg').then((answer) => answer.text())")
    expect(page.locator("#total")).to_contain_text("Photos of batches4")
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_accessible_on_a_phone_too(browser: Browser, service: tuple[str, str], scheme: str) -> None:
    (address, key), faults = service, list[str]()
    page = opened(browser, address, faults, viewport={"width": 390, "height": 844}, color_scheme=scheme)
    sign_in(page, key)
    expect(page.locator("#report")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    problems = Axe().run(page).response["violations"]
    assert [(problem["id"], [node["html"] for node in problem["nodes"]]) for problem in problems] == []
    assert faults == []
    page.close()
