"""The review page in a real browser: from a key press to the next photo on the screen.

``python -m benchmarks.review_page``; 10,000 photos wait, 300 decisions are made by keyboard alone at each of several
paces. A time is from the key event until the frame that shows the next photo has been painted. Afterwards the log of
decisions must hold what was pressed, in order.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx
from playwright.sync_api import Page

from service.detector import Detector
from service.settings import Settings
from tests.browser import chromium, settled
from tests.review_queue import fill
from tests.service.bulk.kills import Service

KEYS = "rrrcrrsrre"
KINDS = {"r": "reject", "c": "confirm", "s": "unsure", "e": "escalate"}
WATCH = """
window.pressed = null; window.times = [];
addEventListener("keydown", (event) => { window.pressed ??= event.timeStamp; }, true);
addEventListener("DOMContentLoaded", () => {
  const stage = document.getElementById("stage");
  let before = "";
  new MutationObserver(() => {
    if (stage.dataset.shown !== "shown" || stage.dataset.item === before) return;
    before = stage.dataset.item;
    const since = window.pressed;
    if (since === null) return;
    window.pressed = null;
    const channel = new MessageChannel();
    channel.port1.onmessage = () => window.times.push(performance.now() - since);
    requestAnimationFrame(() => channel.port2.postMessage(null));
  }).observe(stage, { attributes: true });
});
"""


def press(page: Page, count: int, pause: float) -> tuple[list[float], list[tuple[int, str]]]:
    """Milliseconds of ``count`` presses, ``pause`` seconds after the photo was there; photos and keys."""
    made = []
    for number in range(count):
        page.wait_for_selector("#stage[data-shown=shown]")
        time.sleep(pause)
        key = KEYS[number % len(KEYS)]
        made.append((int(page.get_attribute("#stage", "data-item") or 0), key))
        page.keyboard.press(key)
        while page.evaluate("window.times.length") <= number:
            page.wait_for_timeout(2)
    settled(page)
    return list(page.evaluate("window.times.splice(0)")), made


def shown(times: list[float]) -> str:
    """Median, 95th percentile and the longest."""
    return (
        f"p50 {statistics.median(times):.0f} ms, p95 {statistics.quantiles(times, n=20)[18]:.0f} ms, "
        f"longest {max(times):.0f} ms (n {len(times)})"
    )


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--queue", type=int, default=10_000)
    options.add_argument("--decisions", type=int, default=300)
    options.add_argument("--width", type=int, default=1600, help="of the photos, pixels")
    options.add_argument("--pauses", type=float, nargs="+", default=[0.5, 0.3], help="seconds, above 0.2")
    wanted = options.parse_args()
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        store = Path(name) / "store"
        fill(store, Detector(Settings(auth="off")), wanted.queue, wanted.width, wanted.queue // 10)
        os.environ["FAUNALENS_RETENTION_HOURS"] = "1"
        service = Service(store)
        service.start()
        try:
            faults: list[str] = []
            page = browser.new_page(viewport={"width": 1366, "height": 800})
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
            page.add_init_script(WATCH)
            page.goto(f"{service.url}/review")
            settled(page)
            made: list[tuple[int, str]] = []
            for pause in wanted.pauses:
                times, some = press(page, wanted.decisions, pause)
                made += some
                print(f"{wanted.queue} photos, {pause:g} s between decisions: {shown(times)}", flush=True)
            log = httpx.get(f"{service.url}/v1/decisions", timeout=60).text.splitlines()
        finally:
            service.kill(15)
    kept = [(entry["item"], entry["decision"]) for entry in map(json.loads, log)]
    same = kept == [(item, KINDS[key]) for item, key in made]
    told = "all as pressed" if same else "NOT as pressed"
    print(f"{len(kept)} decisions in the log, {told}; faults: {faults or 'none'}")
    sys.exit(0 if same and not faults else 1)


if __name__ == "__main__":
    main()
