"""Random multipart bodies at the endpoint: answers, or the one error shape."""

from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.errors import ErrorCode
from tests.conftest import SAMPLES

STATUS = {code.code: code.status for code in ErrorCode}
PICTURE = (SAMPLES / "bananas.jpg").read_bytes()[:300]
pieces = st.lists(
    st.sampled_from(
        [
            b"--b\r\n", b"--b--\r\n", b"\r\n", b"\n", b"\0", b'Content-Disposition: form-data; name="f"; filename="a"',
            b'Content-Disposition: form-data; name="f"', b"Content-Type: image/jpeg", b"Content-Disposition:", b"--b",
            b'filename*=utf-8\'\'%ff', b"a" * 5_000, PICTURE, b"Content-Transfer-Encoding: base64\r\n",
        ]
    )
    | st.binary(max_size=20),
    max_size=30,
)  # fmt: skip
kinds = st.sampled_from(
    [
        "multipart/form-data; boundary=b",
        'multipart/form-data; boundary="b"',
        "multipart/form-data",
        "multipart/form-data; boundary=" + "b" * 300,
        "multipart/form-data; charset=x; boundary=b",
        "multipart/form-data; charset=undefined; boundary=b",
    ]
)


@settings(max_examples=150, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(parts=pieces, kind=kinds)
def test_any_multipart_body(client: TestClient, parts: list[bytes], kind: str) -> None:
    response = client.post("/v1/detect", content=b"".join(parts), headers={"Content-Type": kind})
    body = response.json()
    if response.status_code == 200:
        assert body["results"] or body["failures"]
    else:
        assert STATUS[body["error"]["code"]] == response.status_code < 500
