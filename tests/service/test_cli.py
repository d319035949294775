import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from service.cli import main
from tests.conftest import SAMPLES

COMMANDS = ("evaluate", "export", "scan", "serve", "train")


def run(*arguments: str, stdin: str | None = None) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, list(arguments), input=stdin)
    return done.exit_code, done.stdout, done.stderr


def test_every_command_explains_itself() -> None:
    listed = run("--help")[1]
    for command in COMMANDS:
        assert command in listed
        code, text, _ = run(command, "--help")
        assert code == 0 and len(text.splitlines()) > 8


def test_jsonl_csv_and_table() -> None:
    paths = [str(SAMPLES / "bananas.jpg"), str(SAMPLES / "samples.csv")]
    code, out, err = run("scan", *paths)
    answer, failure = (json.loads(line) for line in out.splitlines())
    assert code == 8 and "1 clear, 1 failed" in err
    assert answer["file"] == paths[0] and answer["verdict"] == "clear" and len(answer["scores"]) == 14
    assert failure["error"]["code"] == "unsupported_format"
    rows = list(csv.DictReader(io.StringIO(run("scan", "--format", "csv", *paths)[1])))
    assert float(rows[0]["p_ivory"]) == answer["scores"]["ivory"] and rows[1]["error"] == "unsupported_format"
    assert "bananas.jpg" in run("scan", "--format", "table", *paths)[1]


def test_exit_code_tells_findings() -> None:
    code, out, _ = run("scan", "--policy", "sensitive", str(SAMPLES / "tusk-single.jpg"))
    assert code == 4 and json.loads(out)["findings"][0]["category"] == "ivory"


def test_paths_from_standard_input() -> None:
    code, out, _ = run("scan", stdin=f"{SAMPLES / 'bananas.jpg'}\n\n{SAMPLES / 'tusks.jpg'}\n")
    assert code == 0 and len(out.splitlines()) == 2


def test_resume_goes_on(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    first, second = str(SAMPLES / "bananas.jpg"), str(SAMPLES / "tusks.jpg")
    assert run("scan", "--resume", str(output), first)[0] == 0
    before = output.read_text()
    output.write_text(before + '{"file": "torn')
    assert run("scan", "--resume", str(output), first, second)[0] == 0
    lines = output.read_text().splitlines()
    assert lines[0] + "\n" == before and [json.loads(line)["file"] for line in lines] == [first, second]
    assert run("scan", "--resume", str(output), "--format", "csv", first)[0] == 2


def test_bad_settings_stop_with_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAUNALENS_QUEUE", "0")
    for command in (["serve"], ["scan", "x"]):
        code, _, err = run(*command)
        assert code == 3 and "queue" in err


def test_help_needs_no_torch() -> None:
    code = "import sys; from click.testing import CliRunner; from service.cli import main; " \
           "r = CliRunner().invoke(main, ['train', '--help']); print(r.exit_code, 'torch' in sys.modules)"  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "False"]


def test_a_full_disk_ends_a_scan_with_a_sentence() -> None:
    done = CliRunner().invoke(main, ["scan", str(SAMPLES), "--format", "jsonl", "--output", "/dev/full"])
    assert done.exit_code == 1
    assert "the records cannot be written: No space left on device" in done.output
    assert isinstance(done.exception, SystemExit)


def test_truncated_files_are_judged_when_asked(tmp_path: Path) -> None:
    whole = (SAMPLES / "tusk-single.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) * 9 // 10])
    assert json.loads(run("scan", str(tmp_path))[1])["error"]["code"] == "truncated_image"
    code, out, _ = run("scan", "--tolerate-truncated", str(tmp_path), str(SAMPLES / "bananas.jpg"))
    cut, sound = (json.loads(line) for line in out.splitlines())
    assert code in (0, 4) and cut["image"]["truncated"] is True and "truncated" not in sound["image"]
    rows = csv.DictReader(io.StringIO(run("scan", "--format", "csv", "--tolerate-truncated", str(tmp_path))[1]))
    assert next(rows)["truncated"] == "true"
    assert "(truncated)" in run("scan", "--format", "table", "--tolerate-truncated", str(tmp_path))[1]
