import json
import logging
import signal
import urllib.error
import urllib.request
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.load import Load
from tests.process import free_port, start, wait


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [record.__dict__["fields"] for record in caplog.records if record.name == "faunalens.request"]


def test_one_line_a_request(client: TestClient, tusk: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "faunalens.request"):
        client.post("/v1/detect?policy=sensitive", content=tusk, headers={"X-Request-ID": "r-1"})
        client.post("/v1/detect", files=[("f", ("secret.jpg", tusk)), ("f", ("other.jpg", b"text"))])
        client.post("/v1/detect", content=b"text", headers={"X-Request-ID": "r-3"})
        client.get("/nowhere/secret?secret=1")
        client.get("/livez")
    one, several, bad, nowhere = lines(caplog)
    assert one["request_id"] == "r-1" and one["verdict"] == "priority" and one["status"] == 200
    assert one["route"] == "/v1/detect" and one["method"] == "POST" and len(one["model"]) == 12
    assert 0 < one["decode_ms"] + one["infer_ms"] <= one["total_ms"]
    assert several["failed"] == 1 and several["clear"] + several["review"] + several["priority"] == 1
    assert (bad["status"], bad["code"]) == (415, "unsupported_format") and "verdict" not in bad
    assert (nowhere["status"], nowhere["route"], nowhere["code"]) == (404, "other", "not_found")
    assert "secret" not in str([one, several, bad, nowhere])


def test_every_refusal_is_counted(client: TestClient) -> None:
    def count(code: str) -> float:
        text = client.get("/metrics").text
        found = [line for line in text.splitlines() if line.startswith(f'faunalens_failures_total{{code="{code}"}}')]
        return float(found[0].rsplit(" ", 1)[1]) if found else 0.0

    for code, ask in {
        "not_found": lambda: client.get("/nowhere"),
        "method_not_allowed": lambda: client.get("/v1/detect"),
        "invalid_parameter": lambda: client.post("/v1/detect?heatmap=perhaps", content=b"x"),
        "unknown_policy": lambda: client.post("/v1/detect?policy=none", content=b"x"),
        "empty_image": lambda: client.post("/v1/detect", content=b""),
        "unsupported_content_type": lambda: client.post("/v1/detect", json={}),
        "unknown_language": lambda: client.get("/v1/categories?lang=xx"),
    }.items():
        before = count(code)
        assert ask().json()["error"]["code"] == code
        assert count(code) == before + 1, code


def test_labels_are_bounded(client: TestClient) -> None:
    for name in ("a", "b", "c"):
        client.request(f"ODD{name}", f"/{name}")
    text = client.get("/metrics").text
    assert 'method="other",route="other"' in text and "ODD" not in text and 'route="/a"' not in text


def test_stages(client: TestClient, tusk: bytes) -> None:
    client.post("/v1/detect", content=tusk)
    text = client.get("/metrics").text
    for stage in ("wait", "decode", "infer", "total"):
        assert f'faunalens_stage_seconds_count{{stage="{stage}"}}' in text


def test_what_a_real_process_writes_at_debug(tusk: bytes) -> None:
    """JSON lines only; no query, file name or address, from no library either."""
    port = free_port()
    process = start(port, FAUNALENS_LOG_LEVEL="debug")
    wait(port)
    form = (
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="secret-name.jpg"\r\n\r\n' + tusk + b"\r\n--b--\r\n"
    )
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/detect?secret-query=1", form, {"Content-Type": "multipart/form-data; boundary=b"}
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        assert response.status == 200
    request.data = form.replace(b"--b", b"-secret")
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(request, timeout=60)
    with Load(port, tusk, clients=1) as load:
        load.until(2)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    written = [json.loads(line) for line in output.splitlines()]
    requests = [line for line in written if line["logger"] == "faunalens.request" and line["route"] == "/v1/detect"]
    assert len(requests) == 2 + len(load.answers)
    assert "secret" not in output and "multipart" not in output
