import base64
import hashlib
import io

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from service.detector import Detector
from tests.conftest import SAMPLES, encoded

JPEG = {"Content-Type": "image/jpeg"}


def test_raw_body(client: TestClient, detector: Detector, tusk: bytes) -> None:
    response = client.post("/v1/detect", content=tusk, headers={**JPEG, "X-Request-ID": "abc-1"})
    answer = response.json()
    assert response.status_code == 200 and response.headers["X-Request-ID"] == answer["request_id"] == "abc-1"
    assert answer["scores"] == detector.see(tusk).probabilities
    assert answer["model"] == {"name": "faunalens-2-int8", "sha256": detector.contract.sha256}
    assert answer["verdict"] in ("clear", "review", "priority") and "heatmap_png" not in answer


def test_an_answer_has_every_field_that_was_promised(client: TestClient, detector: Detector, tusk: bytes) -> None:
    answer = client.post("/v1/detect?policy=sensitive", content=tusk, headers=JPEG).json()
    assert set(answer) == {
        "request_id", "verdict", "findings", "scores", "image", "model", "policy", "judged_at", "timing_ms",
    }  # fmt: skip
    assert set(answer["scores"]) == set(detector.contract.ids)
    assert answer["image"] == {
        "sha256": hashlib.sha256(tusk).hexdigest(), "format": "JPEG", "width": 480, "height": 360, "frames": 1,
        "orientation": 1,
    }  # fmt: skip
    assert set(answer["policy"]) == {"name", "version", "sha256"}
    timing = answer["timing_ms"]
    assert set(timing) == {"decode", "infer", "total"}
    assert 0 < timing["decode"] + timing["infer"] <= timing["total"] + 0.02


def test_a_finding_has_every_field_that_was_promised(client: TestClient, detector: Detector, tusk: bytes) -> None:
    answer = client.post("/v1/detect?policy=sensitive", content=tusk, headers=JPEG).json()
    assert answer["findings"]
    for finding in answer["findings"]:
        assert set(finding) == {
            "category", "name", "maturity", "probability", "threshold", "verdict", "box", "cites", "notice_key",
        }  # fmt: skip
        entry = detector.catalog[finding["category"]]
        assert (finding["name"], finding["maturity"], finding["notice_key"]) == (
            entry.name, entry.maturity, f"notice.{entry.id}",
        )  # fmt: skip
        assert 1 >= finding["probability"] == answer["scores"][entry.id] >= finding["threshold"]
        assert finding["verdict"] in ("review", "priority")
        box = finding["box"]
        assert 0 <= box["left"] < box["right"] <= 480 and 0 <= box["top"] < box["bottom"] <= 360
        assert len(finding["cites"]) == len(entry.cites)
        for listing in finding["cites"]:
            assert set(listing) == {"taxon", "appendix", "note", "as_of", "source", "verified"}


def test_several_files_and_a_bad_one(client: TestClient, detector: Detector, tusk: bytes) -> None:
    parts = [("file", ("a.jpg", tusk)), ("file", ("bad.jpg", b"no picture")), ("image", ("b.png", tusk))]
    response = client.post("/v1/detect", files=parts)
    body = response.json()
    assert response.status_code == 200
    assert [result["file"] for result in body["results"]] == ["a.jpg", "b.png"]
    assert body["results"][1]["scores"] == detector.see(tusk).probabilities
    assert [failure["file"] for failure in body["failures"]] == ["bad.jpg"]
    assert body["failures"][0]["error"]["code"] == "unsupported_format"
    assert body["failures"][0]["error"]["request_id"] == body["request_id"]


def test_policy_by_name(client: TestClient, tusk: bytes) -> None:
    answer = client.post("/v1/detect?policy=sensitive", content=tusk, headers=JPEG).json()
    assert answer["policy"]["name"] == "sensitive" and answer["findings"][0]["category"] == "ivory"
    assert answer["findings"][0]["cites"][0]["appendix"]
    assert client.post("/v1/detect?policy=no", content=tusk, headers=JPEG).json()["error"]["code"] == "unknown_policy"


def test_heat_maps(client: TestClient, detector: Detector, tusk: bytes) -> None:
    answer = client.post("/v1/detect?heatmap=true", content=tusk, headers=JPEG).json()
    embedded = base64.b64decode(answer["heatmap_png"])
    assert Image.open(io.BytesIO(embedded)).size == (480, 360)
    without = client.post("/v1/detect", content=tusk, headers=JPEG).json()
    assert set(answer) == {*without, "heatmap_png"} and answer["image"] == without["image"]
    response = client.post("/v1/heatmap?category=ivory", content=tusk, headers=JPEG)
    assert response.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(response.content)).size == (480, 360)
    maps = {category: detector.heatmap(tusk, category) for category in (None, "ivory", "coral")}
    assert len(set(maps.values())) > 1 and embedded == maps["ivory"]
    for category, png in maps.items():
        query = f"?category={category}" if category else ""
        assert client.post(f"/v1/heatmap{query}", content=tusk, headers=JPEG).content == png, category
    assert (
        client.post("/v1/heatmap?category=x", content=tusk, headers=JPEG).json()["error"]["code"] == "unknown_category"
    )


def test_content_decides_not_the_header(client: TestClient) -> None:
    png = encoded(Image.new("RGB", (20, 10)), "PNG")
    assert client.post("/v1/detect", content=png, headers=JPEG).json()["image"]["format"] == "PNG"
    response = client.post("/v1/detect", content=b"%PDF-1.4", headers=JPEG)
    assert (response.status_code, response.json()["error"]["code"]) == (415, "unsupported_format")


def test_refusals(client: TestClient, tusk: bytes) -> None:
    def code(**request: object) -> tuple[int, str]:
        response = client.post("/v1/detect", **request)  # type: ignore[arg-type]
        return response.status_code, response.json()["error"]["code"]

    assert code(content=b"", headers=JPEG) == (422, "empty_image")
    assert code(content=tusk[:9000], headers=JPEG) == (422, "truncated_image")
    assert code(content=b"x" * 300_001, headers=JPEG) == (413, "too_many_bytes")
    assert code(content=b"x" * 300_000, headers=JPEG) == (415, "unsupported_format"), "as many as it may have"
    assert code(content=iter([b"x" * 150_000] * 2), headers=JPEG) == (415, "unsupported_format")
    assert code(content=iter([b"x" * 200_000] * 3), headers=JPEG) == (413, "too_many_bytes")
    assert code(content=b"x", headers={"Content-Type": "text/html"}) == (415, "unsupported_content_type")
    assert code(files=[("f", (str(i), b"x")) for i in range(5)]) == (413, "too_many_files")
    assert client.post("/v1/detect", files=[("f", (str(i), b"x")) for i in range(4)]).status_code == 200
    assert code(files=[("f", ("a", b"x" * 700_000))]) == (413, "too_many_bytes")
    assert code(files={"text": (None, "words")}) == (422, "no_image")
    assert code(content=b"x", headers={"Content-Type": "multipart/form-data"}) == (400, "malformed_body")
    unclosed = b'--b\r\nContent-Disposition: form-data; name="f"; filename="%d"\r\n\r\nx\r\n'
    parts = {"content": unclosed % 1 + unclosed % 2, "headers": {"Content-Type": "multipart/form-data; boundary=b"}}
    assert code(**parts) == (400, "malformed_body")
    assert code(content=tusk, headers=JPEG, params={"heatmap": "perhaps"}) == (422, "invalid_parameter")


def test_names_are_shown_back_never_used(client: TestClient) -> None:
    data = (SAMPLES / "bananas.jpg").read_bytes()
    body = client.post("/v1/detect", files=[("file", ("../../etc/passwd", data))]).json()
    assert body["results"][0]["file"] == "../../etc/passwd"


def test_a_file_with_an_extended_name_alone_is_judged(client: TestClient) -> None:
    part = b"--b\r\nContent-Disposition: form-data; name=f; filename*=utf-8''%c3%a9\r\n\r\nx\r\n--b--\r\n"
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    assert client.post("/v1/detect", content=part, headers=kind).json()["failures"][0]["file"] == "é"


@pytest.mark.parametrize("charset", ["undefined", "punycode", "unicode_escape"])
def test_names_are_utf8_whatever_the_client_says(client: TestClient, charset: str) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="f"; filename="\xe9\\ud800"\r\n\r\nx\r\n--b--\r\n'
    kind = {"Content-Type": f"multipart/form-data; boundary=b; charset={charset}"}
    assert client.post("/v1/detect", content=part, headers=kind).json()["failures"][0]["file"] == "é\\ud800"
