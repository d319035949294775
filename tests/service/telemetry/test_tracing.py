import sys
from collections.abc import Iterator
from typing import cast

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from service.api.app import create_app
from service.errors import StartError
from service.settings import Settings
from service.telemetry.tracing import Tracing
from tests.live import ready

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture(scope="module")
def traced(exporter: InMemorySpanExporter) -> Iterator[TestClient]:
    app = create_app(Settings())
    app.state.faunalens.tracing = Tracing(SimpleSpanProcessor(exporter))
    with ready(app) as client:
        yield client


def test_a_request_and_its_stages(traced: TestClient, exporter: InMemorySpanExporter, tusk: bytes) -> None:
    exporter.clear()
    answer = traced.post("/v1/detect?secret=1", content=tusk, headers={"traceparent": PARENT, "X-Request-ID": "r-1"})
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert set(spans) == {"POST /v1/detect", "wait", "decode", "infer"}
    root = spans["POST /v1/detect"]
    assert root.context is not None and root.parent is not None and root.attributes is not None
    assert (
        f"{root.context.trace_id:032x}" == PARENT.split("-")[1]
        and f"{root.parent.span_id:016x}" == PARENT.split("-")[2]
    )
    assert root.attributes["faunalens.request_id"] == "r-1"
    assert root.attributes["faunalens.verdict"] == answer.json()["verdict"]
    for name in ("wait", "decode", "infer"):
        stage = spans[name]
        assert stage.parent is not None and stage.parent.span_id == root.context.span_id
        assert stage.start_time is not None and stage.end_time is not None and root.start_time is not None
        assert root.start_time - 1e6 <= stage.start_time <= stage.end_time
    infer = spans["infer"]
    assert infer.end_time is not None and infer.start_time is not None
    assert (infer.end_time - infer.start_time) / 1e6 == pytest.approx(answer.json()["timing_ms"]["infer"], abs=0.01)
    assert "secret" not in str([(span.name, span.attributes) for span in spans.values()])


def test_a_refusal_has_its_code(traced: TestClient, exporter: InMemorySpanExporter) -> None:
    exporter.clear()
    traced.post("/v1/detect", content=b"text")
    (span,) = exporter.get_finished_spans()
    assert span.attributes is not None
    assert span.attributes["faunalens.code"] == "unsupported_format" and span.attributes["faunalens.status"] == 415


def test_what_failed_is_marked_and_says_nothing_of_why(traced: TestClient, exporter: InMemorySpanExporter) -> None:
    app = cast(FastAPI, traced.app)

    @app.get("/boom")
    async def boom() -> None:
        raise RuntimeError("a secret")

    exporter.clear()
    traced.get("/boom")
    traced.get("/nowhere")
    failed, missing = exporter.get_finished_spans()
    assert failed.attributes is not None and failed.attributes["faunalens.code"] == "internal_error"
    assert (failed.status.status_code, missing.status.status_code) == (StatusCode.ERROR, StatusCode.UNSET)
    assert "secret" not in failed.to_json()


def test_off_by_default() -> None:
    assert create_app(Settings()).state.faunalens.tracing is None


def test_without_the_extra_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(StartError, match=r"pip install .\.\[otel\]"):
        create_app(Settings(tracing="on"))


@pytest.mark.parametrize(
    ("name", "value"), [("OTEL_PROPAGATORS", "tracecontext,b3"), ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "100000")]
)
def test_variables_that_opentelemetry_cannot_use_stop_the_start(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    # propagators are looked up when this is imported
    monkeypatch.delattr("opentelemetry.propagate", raising=False)
    monkeypatch.delitem(sys.modules, "opentelemetry.propagate", raising=False)
    with pytest.raises(StartError, match="OpenTelemetry's variables cannot be used"):
        create_app(Settings(tracing="on"))


def test_the_framework_tells_collectors_nothing_by_itself(exporter: InMemorySpanExporter, tusk: bytes) -> None:
    """A host program may have a tracer for the whole process; FastAPI would put paths and queries into its spans."""
    exporter.clear()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trace, "get_tracer_provider", lambda: provider)
        with ready(create_app(Settings())) as client:
            assert client.post("/v1/detect?secret=1", content=tusk).status_code == 200
            assert client.get("/nothing/mine.jpg").status_code == 404
    assert exporter.get_finished_spans() == ()
