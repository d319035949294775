"""Traces of the real process, sent by OTLP to a collector that is there, and to one that is not."""

import http.server
import signal
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.live import until
from tests.process import free_port, start, wait


class Collector(http.server.ThreadingHTTPServer):
    """Takes spans as ``/v1/traces`` does."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies: list[bytes] = []

    @property
    def names(self) -> set[str]:
        """What senders call themselves."""
        found = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        said = (one for sent in found for r in sent.resource_spans for one in r.resource.attributes)
        return {one.value.string_value for one in said if one.key == "service.name"}

    @property
    def spans(self) -> list[str]:
        found = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        return [s.name for one in found for r in one.resource_spans for scope in r.scope_spans for s in scope.spans]


class Handler(http.server.BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        assert self.path == "/v1/traces"
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join(60)


def serve(endpoint: str, tusk: bytes, **environment: str) -> tuple[int, str, float]:
    """Exit code, output, and seconds from SIGTERM to the end, of a service that judged three pictures."""
    port = free_port()
    process = start(
        port, FAUNALENS_TRACING="on", FAUNALENS_DRAIN_SECONDS="0", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, **environment
    )
    try:
        wait(port)
        for _ in range(3):
            address = f"http://127.0.0.1:{port}/v1/detect?secret=1"
            request = urllib.request.Request(address, tusk, {"Content-Type": "image/jpeg"})
            with urllib.request.urlopen(request, timeout=60) as response:
                assert response.status == 200
    finally:
        process.send_signal(signal.SIGTERM)
        told = time.monotonic()
        output, _ = process.communicate(timeout=100)
    return process.returncode, output, time.monotonic() - told


def test_a_collector_gets_every_span_also_the_last(collector: Collector, tusk: bytes) -> None:
    code, output, _ = serve(f"http://127.0.0.1:{collector.server_port}", tusk)
    assert code == 0, output
    until(lambda: collector.spans.count("POST /v1/detect") == 3, 10)
    assert [collector.spans.count(stage) for stage in ("wait", "decode", "infer")] == [3, 3, 3]
    assert collector.names == {"faunalens"}
    assert not any(b"secret" in body or b"127.0.0.1" in body for body in collector.bodies)


def test_the_variables_of_opentelemetry_decide_what_is_kept(collector: Collector, tusk: bytes) -> None:
    code, output, _ = serve(f"http://127.0.0.1:{collector.server_port}", tusk, OTEL_TRACES_SAMPLER="always_off")
    assert (code, collector.spans) == (0, []), output


def test_a_service_may_have_another_name(collector: Collector, tusk: bytes) -> None:
    code, output, _ = serve(f"http://127.0.0.1:{collector.server_port}", tusk, OTEL_SERVICE_NAME="moderation")
    assert code == 0, output
    assert collector.names == {"moderation"}


def test_a_collector_that_is_silent_stops_nothing(tusk: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        code, output, seconds = serve(
            f"http://127.0.0.1:{silent.getsockname()[1]}", tusk, OTEL_EXPORTER_OTLP_TIMEOUT="1"
        )
    assert code == 0 and "Traceback" not in output, output
    assert seconds < 30
