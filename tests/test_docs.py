"""Everything a user can set, call or meet is documented, and the README's commands work as written."""

import csv
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from service.api.app import create_app
from service.api.rules import OPEN
from service.bulk.webhooks import TRIES, pause
from service.cli import main
from service.errors import ErrorCode
from service.settings import Settings
from tests.conftest import ROOT, SAMPLES
from training.recipe import Augmentation, Kernel, Recipe

DOCS = ROOT / "docs"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def headings(page: str) -> set[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return {line.lstrip("# ").replace("`", "").strip() for line in text.splitlines() if line.startswith("#")}


def test_every_setting_has_a_heading() -> None:
    wanted = {f"FAUNALENS_{name.upper()}" for name in Settings.model_fields} | {"FAUNALENS_CONFIG", "FAUNALENS_DATA"}
    assert wanted - headings("settings.md") == set()
    named = {title for title in headings("settings.md") if title.startswith("FAUNALENS_")}
    assert named - wanted <= {"FAUNALENS_TORTURE"}
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    required = set(re.findall(r"\bTESTS_REQUIRE_[A-Z]+", ci))
    assert required and required == {title for title in headings("settings.md") if title.startswith("TESTS_REQUIRE_")}


@pytest.mark.parametrize("name", [name for name, field in Settings.model_fields.items() if _is_number(field.default)])
def test_defaults_and_ranges_of_settings_are_those_of_the_page(name: str) -> None:
    field = Settings.model_fields[name]
    text = (DOCS / "settings.md").read_text(encoding="utf-8").split(f"## FAUNALENS_{name.upper()}\n", 1)[1]
    section = " ".join(text.split("\n## ", 1)[0].split()).replace("10^15", str(10**15))
    default = re.search(r"Default: `([^`]+)`", section)
    assert default is not None and float(default[1]) == field.default
    told = re.search(r"Range: (above )?([\d,]+)(?: to ([\d,]+)| or more)?", section)
    assert told is not None
    least, most = (float(number.replace(",", "")) if number else None for number in (told[2], told[3]))
    bounds = {
        kind: getattr(part, kind) for part in field.metadata for kind in ("gt", "ge", "le") if hasattr(part, kind)
    }
    # of whole numbers above 0 is from 1 on
    above = "gt" in bounds and isinstance(field.default, float)
    assert (least, bool(told[1])) == ((bounds["gt"] + (not above)) if "gt" in bounds else bounds["ge"], above)
    assert most == bounds.get("le")


def test_every_error_code_has_a_heading_and_its_status() -> None:
    text = (DOCS / "errors.md").read_text(encoding="utf-8")
    assert {code.code for code in ErrorCode} - headings("errors.md") == set()
    for code in ErrorCode:
        section = text.split(f"`{code.code}`\n", 1)[1].split("\n## ", 1)[0]
        assert str(code.status) in section, code.code


def test_every_reason_of_one_word_is_on_the_page_of_errors() -> None:
    """Integrators branch on these."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "service").rglob("*.py"))
    given = set(re.findall(r'(?:\brefuse|unreachable|_corrupt)\("(\w+)"|\{"reason": "(\w+)"', code))
    reasons = {word for words in given for word in words if word}
    assert reasons >= {"off", "host", "redirects", "overlap", "member"}
    page = (DOCS / "errors.md").read_text(encoding="utf-8")
    assert {word for word in reasons if f"`{word}`" not in page} == set()


def test_every_endpoint_has_a_heading(tmp_path: Path) -> None:
    app: FastAPI = create_app(Settings(batches="on", store=tmp_path))
    wanted = {
        f"{method.upper()} {path}" for path, methods in app.openapi()["paths"].items() for method in methods
    }  # fmt: skip
    assert len(wanted) >= 30
    assert wanted - headings("api.md") == set()
    for methods in app.openapi()["paths"].values():
        for operation in methods.values():
            refused = operation["responses"].get("422", {}).get("description", "")
            assert "invalid_parameter" in refused or "parameters" not in operation, operation["summary"]
            answers = {status: answer for status, answer in operation["responses"].items() if status in ("200", "202")}
            assert all(answer.get("content") for answer in answers.values()), operation["summary"]
            unread = {"400", "408", "413"} - operation["responses"].keys()
            if "application/json" in operation.get("requestBody", {}).get("content", {}):
                assert not unread, operation["summary"]


def test_every_open_address_is_said_to_be_open() -> None:
    lines = (DOCS / "keys.md").read_text(encoding="utf-8").splitlines()
    row = next(line for line in lines if line.endswith("| open |"))
    assert set(re.findall(r"`(/\S+)`", row)) == OPEN


def test_every_command_and_option_is_documented() -> None:
    text = (DOCS / "commands.md").read_text(encoding="utf-8")
    context = click.Context(main)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        section = name + text.split(f"faunalens {name}\n", 1)[1].split("\n## ", 1)[0]
        for path, parameter in options(name, command):
            assert path in section and parameter.opts[0] in section, f"{path} {parameter.opts[0]}"


def test_every_benchmark_takes_help_and_refuses_other_words() -> None:
    scripts = [path.read_text(encoding="utf-8") for path in (ROOT / "benchmarks").glob("*.py")]
    runnable = [text for text in scripts if "__main__" in text]
    assert len(runnable) >= 14
    assert [text[:80] for text in runnable if "ArgumentParser(description=__doc__" not in text] == []


def lines_with_commands() -> list[tuple[str, str]]:
    """Page and command of every line in a shell block of a page that calls ``faunalens``."""
    found = []
    for page in [ROOT / "README.md", *sorted(DOCS.glob("*.md")), ROOT / "weights" / "MODEL_CARD.md"]:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
            calls = re.findall(r"^(?:.* )?faunalens ([a-z].*)", block, re.MULTILINE)
            found += [(page.name, line) for line in calls]
    return found


def test_commands_shown_exist_with_their_options() -> None:
    shown = lines_with_commands()
    assert len(shown) > 30
    for page, line in shown:
        command: click.Command = main
        words = shlex.split(line, comments=True)
        while isinstance(command, click.Group):
            inner = command.get_command(click.Context(command), words.pop(0))
            assert inner is not None, f"{page}: {line}"
            command = inner
        known = {name for parameter in command.params for name in parameter.opts}
        wrong = [word for word in words if word.startswith("--") and word.split("=")[0] not in known]
        assert wrong == [], f"{page}: {line}"


def test_hours_for_which_a_webhook_is_tried() -> None:
    hours = sum(pause(tried, spread=0) for tried in range(1, TRIES)) / 3600
    text = (DOCS / "batches.md").read_text(encoding="utf-8").replace("\n", " ")
    assert f"{TRIES} times in all (about {hours:.0f} hours)" in text


def test_no_help_names_a_bound_that_is_none() -> None:
    context = click.Context(main)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        for path, option in options(name, command):
            row = option.get_help_record(context)
            assert row is None or "None" not in row[1], f"{path} {row}"


@pytest.mark.parametrize("model", [Recipe, Kernel, Augmentation])
def test_every_field_of_a_recipe_is_documented(model: type[BaseModel]) -> None:
    rows = [line for line in (DOCS / "training.md").read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    for name, field in model.model_fields.items():
        told = [cells[2] for cells in (row.split("|") for row in rows) if f"`{name}`" in cells[1]]
        assert told, name
        if isinstance(field.default, int | float) and not isinstance(field.default, bool):
            numbers = [float(number) for cell in told for number in re.findall(r"[\d.]+(?:e-\d+)?", cell)]
            assert field.default in numbers, name


def options(name: str, command: click.Command) -> Iterator[tuple[str, click.Option]]:
    """The options of a command and of those below it, with the path to each."""
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            yield name, parameter
    if isinstance(command, click.Group):
        for below, inner in command.commands.items():
            yield from options(f"{name} {below}", inner)


def anchors(page: Path) -> set[str]:
    """What a link to a heading of ``page`` ends in, as GitHub makes it."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    titles = re.findall(r"^#+ (.*)", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "SECURITY.md",
        "CHANGELOG.md",
        "weights/MODEL_CARD.md",
        *(f"docs/{p.name}" for p in DOCS.glob("*.md")),
    ],
)
def test_links_lead_to_files_and_headings(page: str) -> None:
    path = ROOT / page
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        file, _, heading = target.partition("#")
        linked = path.parent / file if file else path
        assert linked.exists(), target
        assert not heading or heading in anchors(linked), target


def blocks(language: str) -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("block", blocks("python"))
def test_readme_python_blocks_run(block: str) -> None:
    done = subprocess.run([sys.executable, "-c", block], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_readme_shell_blocks_name_real_commands() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    lines = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("make ")]
    assert {line.split()[1] for line in lines} >= {"serve", "test", "scan"}
    assert {line.split()[1] for line in lines} <= targets


def test_what_pages_tell_to_install_is_there() -> None:
    """The package is on no index, so it is the checkout that is installed."""
    pages = [ROOT / "README.md", *DOCS.rglob("*.md")]
    told = [line for page in pages for line in re.findall(r"pip install ([^`\n#]+)", page.read_text(encoding="utf-8"))]
    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    named = [re.search(r"'\.\[([\w,]+)\]'", line) for line in told]
    assert len(named) >= 8
    assert [
        line for line, match in zip(told, named, strict=True) if not match or not set(match[1].split(",")) <= extras
    ] == []


def test_no_message_tells_to_install_from_an_index() -> None:
    paths = [path for folder in ("service", "training") for path in (ROOT / folder).rglob("*.py")]
    assert [path.name for path in paths if re.search(r"faunalens\[\w", path.read_text(encoding="utf-8"))] == []


def test_benchmarks_are_run_in_one_way() -> None:
    """As modules of the checkout: they import each other and what tests have."""
    files = [*DOCS.rglob("*.md"), *(ROOT / "benchmarks").glob("*.py")]
    way = re.compile(r"python ((?:-m )?benchmarks[./][\w.]*\w)")
    told = {name for file in files for name in way.findall(file.read_text(encoding="utf-8"))}
    assert len(told) >= 10 and told <= {f"-m benchmarks.{path.stem}" for path in (ROOT / "benchmarks").glob("*.py")}


def test_samples_are_described() -> None:
    with (SAMPLES / "samples.csv").open(newline="") as stream:
        listed = {row["file"] for row in csv.DictReader(stream)}
    assert listed == {path.name for path in SAMPLES.glob("*.jpg")}


def test_the_file_map_has_every_module() -> None:
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    modules = [path.relative_to(ROOT) for folder in ("service", "training") for path in (ROOT / folder).rglob("*.py")]
    assert [str(path) for path in modules if "migrations" not in path.parts and f"`{path}`" not in text] == []


def test_no_photo_of_the_collection_is_committed() -> None:
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    pictures = [Path(f) for f in done.stdout.split() if f.endswith((".jpg", ".jpeg", ".png", ".webp", ".gif"))]
    allowed = {Path("docs/samples"), Path("docs/pictures"), Path("docs/results"), Path("weights")}
    assert [str(p) for p in pictures if p.parent not in allowed and p.parent.parent != Path("docs/results")] == []


def test_every_fault_and_every_threat_names_what_shows_it() -> None:
    """A file of tests that exists, or a command."""
    faults = (DOCS / "reliability.md").read_text(encoding="utf-8").split("\n## Faults\n", 1)[1]
    threats = (ROOT / "SECURITY.md").read_text(encoding="utf-8").split("\n## Threats, by STRIDE\n", 1)[1]
    threats = threats.split("\n## Supply chain\n", 1)[0]
    rows = [line for line in (faults + threats).splitlines() if line.startswith("| ") and " | " in line]
    shown = {row: re.findall(r"`([^`]+)`", row.strip("| ").rsplit(" | ", 1)[-1]) for row in rows}
    headers = ("| what happens |", "| threat |")
    assert [row for row, names in shown.items() if not names and not row.startswith(headers)] == []
    files = [name for names in shown.values() for name in names if name.endswith(".py")]
    assert len(files) > 40
    assert [name for name in files if not (ROOT / name).is_file()] == []
