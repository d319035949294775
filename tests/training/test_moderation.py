"""The walk of ``docs/moderation.md``: a folder is dropped on the page, reviewed by keyboard, and goes on from there."""

import csv
import os
import re
import shlex
import subprocess
import zipfile
from pathlib import Path

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser import PATIENCE, chromium, in_sight, settled, wait
from tests.conftest import ROOT, SAMPLES
from tests.live import until
from tests.process import COMMAND, free_port
from tests.training.test_walk import _recipe
from training.photos.manifest import read_manifest

PAGE = ROOT / "docs" / "moderation.md"
COPIES = 4
SHOWN = "document.getElementById('stage').dataset.shown === 'shown'"


def commands() -> tuple[str, list[str], list[str]]:
    """The lines of the walk: what starts the service, the evidence, the training."""
    section = PAGE.read_text(encoding="utf-8").split("## A first walk")[1].split("\n## ")[0]
    begin, evidence, training, _ = (
        block.strip().splitlines() for block in re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    )
    return begin[-1], evidence, training


def products() -> set[str]:
    """Samples that show a product."""
    with (SAMPLES / "samples.csv").open(newline="", encoding="utf-8") as stream:
        return {Path(row["file"]).stem for row in csv.DictReader(stream) if row["label"] != "none"}


def photos(folder: Path) -> None:
    """Our samples, cut four ways, in folders that are named after listings."""
    for number, path in enumerate(sorted(SAMPLES.glob("*.jpg"))):
        picture = Image.open(path)
        for copy in range(COPIES):
            place = folder / f"L-{number * COPIES + copy + 1}"
            place.mkdir(parents=True)
            cut = (copy * 8, copy * 5, picture.width - copy * 9, picture.height)
            picture.crop(cut).save(place / f"{path.stem}-{copy}.jpg", quality=92)


def drop(page: Page, path: Path) -> None:
    """Drop a folder on the page as a hand would."""
    devtools = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        devtools.send("Input.dispatchDragEvent", {"type": kind, "x": 400, "y": 400, "data": data})


def test_the_walk(tmp_path: Path, trunk_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start, evidence, training = commands()
    photos(tmp_path / "my-photos")
    (tmp_path / "ours.jpg").write_bytes((SAMPLES / "tusk-single.jpg").read_bytes())
    _recipe(tmp_path / "tiny.toml", trunk_weights)
    *settings, _, verb = start.split()
    assert verb == "serve"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **dict(pair.split("=") for pair in settings)}
    monkeypatch.delenv("FAUNALENS_DATA", raising=False)
    port = free_port()
    service = subprocess.Popen(
        [*COMMAND, "serve", "--port", str(port)], cwd=tmp_path, env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        address = f"http://127.0.0.1:{port}"
        until(lambda: is_ready(address), PATIENCE)
        with chromium() as browser:
            reviewed = review(browser.new_page(), address, tmp_path / "my-photos")
    finally:
        service.terminate()
        service.wait(60)
    assert {decision for decision, _ in reviewed} == {"confirm", "reject"}, "the samples have both"

    def run(line: str, *more: str) -> str:
        words, _, target = line.partition(" > ")
        name, *rest = shlex.split(words)
        assert name == "faunalens"
        done = subprocess.run(
            [*COMMAND, *rest, *more], cwd=tmp_path, env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        if target:
            (tmp_path / target).write_text(done.stdout)
        return done.stdout

    listing = next(name.split("/")[-2] for decision, name in reviewed if decision == "confirm")
    for line in evidence:
        said = run(line.replace("L-1", listing))
    assert said.startswith(f"{len(reviewed) + 2} entries, none changed"), "with one taken back and made again"
    with zipfile.ZipFile(tmp_path / "case.zip") as case:
        assert {"manifest.json", "manifest.sig", "index.html"} <= {name.split("/", 1)[-1] for name in case.namelist()}
    for line in training:
        run(line, *(["--recipe", "tiny.toml", "--workers", "0"] if " train " in line else []))
    labels = {photo.labels[0] if photo.labels else "none" for photo in read_manifest(tmp_path / "decided")}
    assert {"ivory", "none"} <= labels
    assert (tmp_path / "weights-decided" / "decided.json").is_file()


def is_ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz", timeout=60).status_code == 200
    except httpx.HTTPError:
        return False


def review(page: Page, address: str, folder: Path) -> list[tuple[str, str]]:
    """Drop the folder, then decide by keyboard until nothing is left; decisions with the files' names."""
    page.set_default_timeout(PATIENCE * 1e3)
    page.goto(f"{address}/review")
    expect(page.locator("#nothing")).to_be_visible()
    drop(page, folder)
    expect(page.locator("#add-chosen")).to_contain_text(f"{len(list(folder.glob('*/*')))} photos")
    page.check("#listing-folders")
    page.select_option("#add-policy", "sensitive")
    page.click("#add-start")
    line = page.locator("#batches li[data-state=done]")
    line.wait_for(timeout=300_000)
    line.get_by_text("Review these").click()
    settled(page)
    made, found = [], products()
    while page.locator("#nothing").is_hidden():
        settled(page)
        name = (page.get_attribute("#photo", "aria-label") or "").removeprefix("Photo ")
        item = page.get_attribute("#stage", "data-item")
        shown = any(f"/{product}-" in name for product in found)
        if shown:
            page.keyboard.press("Space")
        page.keyboard.press("c" if shown else "r")
        made.append(("confirm" if shown else "reject", name))
        if len(made) == 1:
            page.keyboard.press("u")
            page.wait_for_selector(f"#stage[data-item='{item}']")
            in_sight(page)
            page.keyboard.press("c" if shown else "r")
        wait(page, f"document.getElementById('stage').dataset.item !== '{item}'")
        wait(page, f"{SHOWN} || !document.getElementById('nothing').hidden")
    wait(page, "!Number(document.body.dataset.waiting)")
    return made
