"""OpenTelemetry traces, off by default: a span a request, below it one for waiting, decoding and inference.

Needs the extra ``otel``. Where spans go is set by OpenTelemetry's own variables (``OTEL_EXPORTER_OTLP_ENDPOINT`` ...).
A span carries route, status, request id and verdict: no picture, file name, address or URL.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from service import __version__
from service.errors import StartError, how_to_get

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import Span


class Tracing:
    """One tracer per application. ``processor``: what takes finished spans; by default they are sent by OTLP, HTTP."""

    def __init__(self, processor: "SpanProcessor | None" = None) -> None:
        """Raises :class:`StartError` without the extra ``otel``, and where OpenTelemetry's variables cannot be used."""
        try:
            from opentelemetry import propagate, trace
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import OTELResourceDetector, Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError as error:
            raise StartError(f"FAUNALENS_TRACING=on needs the extra otel: {how_to_get('otel')}") from error
        except ValueError as error:
            raise StartError(f"OpenTelemetry's variables cannot be used: {error}") from error
        own = Resource.create({"service.name": "faunalens", "service.version": __version__})
        # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win
        self._provider = TracerProvider(resource=own.merge(OTELResourceDetector().detect()))
        try:
            self._provider.add_span_processor(processor or BatchSpanProcessor(OTLPSpanExporter()))
        except ValueError as error:
            raise StartError(f"OpenTelemetry's variables cannot be used: {error}") from error
        self._tracer = self._provider.get_tracer("faunalens", __version__)
        self._extract = propagate.extract
        self._server = trace.SpanKind.SERVER
        self._failed = trace.StatusCode.ERROR

    @contextmanager
    def request(self, headers: Mapping[str, str]) -> Iterator["Span"]:
        """A span around one request; the parent comes from its ``traceparent``."""
        parent = self._extract({name: headers[name] for name in ("traceparent", "tracestate") if name in headers})
        # what an error says may hold more than a span should
        with self._tracer.start_as_current_span(
            "request", parent, self._server, record_exception=False, set_status_on_exception=False
        ) as span:
            yield span

    def name(self, span: "Span", name: str, status: int, fields: Mapping[str, Any]) -> None:
        """What became of a request; ``fields`` of its log line. An answer of 500 or more makes it an error."""
        span.update_name(name)
        span.set_attributes({f"faunalens.{key}": value for key, value in fields.items()})
        if status >= 500:
            span.set_status(self._failed)

    def stages(self, begun: int, milliseconds: Mapping[str, float]) -> None:
        """Spans below the current one, one after the other from ``begun`` (nanoseconds since the epoch)."""
        for name, duration in milliseconds.items():
            ended = begun + int(duration * 1e6)
            self._tracer.start_span(name, start_time=begun).end(ended)
            begun = ended

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()
