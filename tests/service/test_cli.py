import csv
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import click
import pytest
from click.testing import CliRunner

from service import __version__
from service.cli import main
from tests.conftest import ROOT, SAMPLES

COMMANDS = {
    "audit", "compose", "decisions", "evaluate", "evidence", "export", "keys", "quantize", "scan", "serve",
    "thresholds", "train",
}  # fmt: skip


def run(*arguments: str, stdin: str | bytes | None = None) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, list(arguments), input=stdin)
    return done.exit_code, done.stdout, done.stderr


def below(command: click.Command, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """The command and all those below it, with the words to call each."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from below(inner, *path, name)


def test_every_command_explains_itself() -> None:
    assert set(main.list_commands(click.Context(main))) == COMMANDS
    for path, command in below(main):
        code, text, _ = run(*path, "--help")
        assert code == 0 and command.help and command.help.split("\n")[0].endswith((".", ";")), path
        assert text.startswith(f"Usage: {' '.join(('main', *path))} ")
        for parameter in command.params:
            assert isinstance(parameter, click.Argument) or parameter.help, (path, parameter.name)


def test_scan_says_what_it_left_out(tmp_path: Path) -> None:
    for name in ("a.heic", "b.HEIC", "c.zip"):
        (tmp_path / name).touch()
    code, _, err = run("scan", str(tmp_path))
    assert code == 0 and err.endswith("0 failed\n3 left out: 2 .heic, 1 .zip\n")


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
    tusk, bananas, no_picture = (str(SAMPLES / name) for name in ("tusk-single.jpg", "bananas.jpg", "samples.csv"))
    code, out, _ = run("scan", "--policy", "sensitive", tusk)
    assert code == 4 and json.loads(out)["findings"][0]["category"] == "ivory"
    for files, expected in (([bananas], 0), ([bananas, no_picture], 8), ([tusk, no_picture], 12)):
        for kind in ("jsonl", "csv", "table"):
            assert run("scan", "--policy", "sensitive", "--format", kind, *files)[0] == expected
    assert run("scan", "--policy", "no-such", bananas)[0] == 3


def test_an_address_of_another_scheme_is_refused() -> None:
    for address in ("az://container/prefix", "https://ann:secret@example.com/a.jpg", "S3://bucket/a.jpg"):
        code, out, err = run("scan", str(SAMPLES / "bananas.jpg"), address)
        assert code == 2 and not out and "secret" not in err
        assert f"{address.partition('//')[0]}// is not read; give files, folders, or s3:// or gs:// addresses" in err
    code, out, _ = run("scan", stdin=f"az://container/a.zip\n{SAMPLES / 'bananas.jpg'}\n")
    failure, answer = (json.loads(line) for line in out.splitlines())
    assert code == 8 and "az:// is not read" in failure["error"]["details"]["reason"] and answer["verdict"] == "clear"


def test_a_file_may_be_called_like_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "az:").mkdir()
    shutil.copy(SAMPLES / "bananas.jpg", tmp_path / "az:" / "a.jpg")
    monkeypatch.chdir(tmp_path)
    assert run("scan", "az://a.jpg")[0] == 0


def test_paths_from_standard_input() -> None:
    for words in (["scan"], ["scan", "-"]):
        code, out, _ = run(*words, stdin=f"{SAMPLES / 'bananas.jpg'}\n\n{SAMPLES / 'leaves.jpg'}\r\n")
        assert code == 0 and [Path(json.loads(line)["file"]).name for line in out.splitlines()] == [
            "bananas.jpg",
            "leaves.jpg",
        ]


def test_hidden_files_are_skipped(tmp_path: Path) -> None:
    for name in (".hidden.jpg", ".cache/a.jpg", "seen.JPG"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(SAMPLES / "bananas.jpg", tmp_path / name)
    code, out, _ = run("scan", str(tmp_path))
    assert code == 0 and [json.loads(line)["file"] for line in out.splitlines()] == [str(tmp_path / "seen.JPG")]


def test_a_name_that_is_no_text_is_written_as_escapes(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/\xff.jpg"
    shutil.copy(SAMPLES / "bananas.jpg", path)
    output = str(tmp_path / "out.jsonl")
    name = f"{tmp_path}/\\udcff.jpg"
    for kind in ("jsonl", "csv"):
        code, out, _ = run("scan", "--format", kind, "-", stdin=path)
        assert code == 0 and name in (out if kind == "csv" else json.loads(out)["file"])
    for _ in range(2):
        assert run("scan", "--resume", output, str(tmp_path))[0] == 0
    assert [json.loads(line)["file"] for line in Path(output).read_text().splitlines()] == [name]


def test_resume_goes_on(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    first, second = str(SAMPLES / "bananas.jpg"), str(SAMPLES / "leaves.jpg")
    assert run("scan", "--resume", str(output), first)[0] == 0
    before = output.read_text()
    output.write_text(before + '{"file": "torn')
    assert run("scan", "--resume", str(output), first, second)[0] == 0
    lines = output.read_text().splitlines()
    assert lines[0] + "\n" == before and [json.loads(line)["file"] for line in lines] == [first, second]
    assert run("scan", "--resume", str(output), "--format", "csv", first)[0] == 2


def test_the_exit_code_of_a_resumed_run_is_that_of_the_whole(tmp_path: Path) -> None:
    output = str(tmp_path / "out.jsonl")
    tusk, bananas, no_picture = (str(SAMPLES / name) for name in ("tusk-single.jpg", "bananas.jpg", "samples.csv"))
    for files, code, counts in (
        ([tusk], 4, "1 priority, 0 review, 1 clear, 0 failed"),
        ([no_picture], 12, "1 priority, 0 review, 1 clear, 1"),
    ):
        run("scan", "--resume", output, *files)
        again = run("scan", "--resume", output, *files, bananas)
        assert again[0] == code and counts in again[2]


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
    assert "the records cannot be written: No space left on device; go on with --resume" in done.output
    assert isinstance(done.exception, SystemExit)
    done = CliRunner().invoke(main, ["scan", str(SAMPLES), "--format", "csv", "--output", "/dev/full"])
    assert done.exit_code == 1 and "--resume" not in done.output


def process(*words: str, out: int | IO[bytes] | None) -> "subprocess.CompletedProcess[str]":
    """The command as a process of its own, which buffers what it writes to ``out``."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-m", "service.cli", *words]
    return subprocess.run(
        command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.PIPE, text=True, check=False
    )


@pytest.mark.parametrize("words", [["--help"], ["scan", str(SAMPLES / "bananas.jpg")]])
def test_a_full_disk_behind_standard_output_ends_every_command_with_a_sentence(words: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = process(*words, out=full)
    assert done.returncode == 1
    assert re.fullmatch(r"faunalens: the (output|records) cannot be written: No space left on device\n", done.stderr)


def test_the_module_is_the_command() -> None:
    done = process("--version", out=subprocess.PIPE)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"faunalens, version {__version__}\n", "")


def test_a_scan_without_standard_output_says_what_to_do() -> None:
    """As with ``>&-``."""
    words = ["scan", str(SAMPLES / "bananas.jpg")]
    script = f"{shlex.quote(sys.executable)} -m service.cli {shlex.join(words)} >&-"
    done = subprocess.run(["sh", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (3, "faunalens: standard output is closed: name a file with --output\n")


def test_a_file_that_cannot_be_opened_for_records_is_named(tmp_path: Path) -> None:
    missing, pipe = tmp_path / "missing" / "out.jsonl", tmp_path / "pipe"
    os.mkfifo(pipe)
    for option, file in (("--output", missing), ("--resume", missing), ("--resume", pipe), ("--resume", "/dev/null")):
        done = CliRunner().invoke(main, ["scan", str(SAMPLES / "bananas.jpg"), option, str(file)])
        assert done.exit_code == 3 and f"faunalens: {file} cannot be" in done.output, (option, file)
        assert "--resume" not in done.output


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


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_records_are_utf8_whatever_the_locale(kind: str, tmp_path: Path) -> None:
    name = tmp_path / "\u8c61\u7259.jpg"
    shutil.copy(SAMPLES / "tusk-single.jpg", name)
    done = subprocess.run(
        [sys.executable, "-c", "from service.cli import main; main()", "scan", "--format", kind, str(name)], cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "latin-1"}, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 4) and str(name) in done.stdout.decode(), done.stderr
