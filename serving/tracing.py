"""A span for each call, sent by OTLP over HTTP where the environment asks for it; otherwise nothing of it is even imported."""

import os
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

from data.contract import DataError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer
    from starlette.types import Scope

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
_FAULT = 500


def wanted(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether spans are to be sent, by OpenTelemetry's own variables. DataError where they ask for what is not there."""
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip()
    if exporter == "none" or environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if exporter not in ("", "otlp"):
        raise DataError(f"OTEL_TRACES_EXPORTER must be otlp or none; got {exporter[:20]!r}.")
    if not exporter and not any(environ.get(name) for name in _ENDPOINTS):
        return False
    protocol = next((environ[name] for name in _PROTOCOLS if environ.get(name)), "http/protobuf")
    if protocol != "http/protobuf":
        raise DataError(f"spans are sent by http/protobuf; OTEL_EXPORTER_OTLP_PROTOCOL asks for {protocol[:20]!r}. Set it so, or leave it out.")
    if not _installed():
        raise DataError("tracing is asked for (OTEL_...), but OpenTelemetry is not installed. Install it with: pip install 'leadscore[telemetry]'")
    return True


def _installed() -> bool:
    try:
        return all(find_spec(name) for name in _NEEDED)
    except ModuleNotFoundError:
        return False


class Tracing:
    """The spans of one service; until it is opened, and where none are wanted, there are none."""

    def __init__(self) -> None:
        self._provider: TracerProvider | None = None
        self._tracer: Tracer | None = None

    def open(self) -> None:
        """Begins to send where the environment asks for it. Raises DataError."""
        if not wanted():
            return
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        name = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "leadscore"}
        self._provider = TracerProvider(resource=Resource.create(name), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("leadscore")

    def close(self) -> None:
        """Sends what is left, and ends."""
        provider, self._provider, self._tracer = self._provider, None, None
        if provider is not None:
            provider.shutdown()

    def begin(self, scope: "Scope") -> "Span | None":
        """The span of a call that has just come in; it continues the caller's W3C `traceparent`."""
        if self._tracer is None:
            return None
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        told = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"] if name in (b"traceparent", b"tracestate")}
        return self._tracer.start_span(scope["method"], TraceContextTextMapPropagator().extract(told), SpanKind.SERVER)


def end(span: "Span", method: str, route: str, status: int, request_id: str) -> str:
    """Ends the span of a call, known by its route's template; returns the id of its trace."""
    from opentelemetry.trace import StatusCode

    span.update_name(f"{method} {route}")
    span.set_attributes({"http.request.method": method, "http.route": route, "http.response.status_code": status, "leadscore.request_id": request_id})
    if status >= _FAULT:
        span.set_status(StatusCode.ERROR)
    span.end()
    return f"{span.get_span_context().trace_id:032x}"
