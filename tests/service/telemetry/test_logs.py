import json
import logging
import queue
import sys

from service.telemetry.logs import JsonLine, TextLine, _Enqueue, dropped_lines


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
