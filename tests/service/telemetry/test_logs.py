import json
import logging
import queue
import subprocess
import sys
from pathlib import Path

from service.telemetry.logs import JsonLine, TextLine, _Enqueue, dropped_lines
from tests.conftest import ROOT


def record(message: str, **extra: object) -> logging.LogRecord:
    try:
        raise ValueError("why")
    except ValueError:
        info = sys.exc_info() if extra.pop("error", None) else None
    made = logging.LogRecord("faunalens", logging.WARNING, "file.py", 1, message, (), info)
    made.__dict__.update(extra)
    return made


def test_json_is_one_line_with_its_fields() -> None:
    text = JsonLine().format(record("two\nlines", fields={"request_id": "r", "status": 200}, error=True))
    assert "\n" not in text
    line = json.loads(text)
    assert line["message"] == "two\nlines" and line["request_id"] == "r" and line["status"] == 200
    assert line["level"] == "warning" and line["time"].endswith("+00:00")
    assert "ValueError: why" in line["exception"]


def test_text_is_for_people() -> None:
    text = TextLine().format(record("hello", fields={"status": 200}))
    assert text.endswith("WARNING faunalens hello status=200")
    assert "ValueError: why" in TextLine().format(record("hello", error=True))


def test_a_line_without_room_is_dropped_and_counted() -> None:
    lines: queue.Queue[str] = queue.Queue(2)
    handler, before = _Enqueue(lines), dropped_lines()
    for number in range(5):
        handler.handle(record(f"line {number}"))
    assert [lines.get(), lines.get()] == ["line 0", "line 1"]
    assert dropped_lines() == before + 3


def test_a_line_torn_by_a_full_disk_spoils_no_other(tmp_path: Path) -> None:
    """A real process whose file may not grow for a while."""
    code = (
        "import logging, resource\n"
        "from service.settings import Settings\n"
        "from service.telemetry import logs\n"
        "def line(text): logging.error(text); logging.root.handlers[0].lines.join()\n"
        "def room(size): resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))\n"
        "with logs.written(Settings()):\n"
        "    line('a'); room(250); line('b' * 200); line('c'); room(resource.RLIM_INFINITY); line('d'); line('e')\n"
        "print(logs.dropped_lines())\n"
    )
    with (tmp_path / "log").open("w") as log:
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=log, check=True)
    first, torn, *rest = (tmp_path / "log").read_text().splitlines()
    assert json.loads(first)["message"] == "a" and torn.endswith("bbb")
    assert [json.loads(line)["message"] for line in rest] == ["d", "e"]
    assert done.stdout.split() == [b"2"]


def test_a_path_that_is_no_utf8_ends_no_log() -> None:
    code = (
        "import logging\n"
        "from service.settings import Settings\n"
        "from service.telemetry.logs import written\n"
        "with written(Settings(log_format='text')):\n"
        "    logging.warning('no file %s', '/tmp/\\udcff')\n"
        "    logging.warning('the next')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert [line.partition(" root ")[2] for line in done.stderr.splitlines()] == ["no file /tmp/\\udcff", "the next"]
