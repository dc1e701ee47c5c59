"""Spans: none unless the environment asks; then one a call, sent to a real receiver, in the caller's own trace, and naming nobody."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from data.contract import DataError
from service import LEAD, running, with_champion
from serving import tracing
from serving.tracing import wanted
from test_http_server import ROOT, started

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


class Receiver(ThreadingHTTPServer):
    """An OTLP collector over HTTP; `requests` are what came."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def spans(self) -> list[Any]:
        return [span for request in self.requests for of in request.resource_spans for scope in of.scope_spans for span in scope.spans]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        assert self.path == "/v1/traces"
        message = ExportTraceServiceRequest()
        message.ParseFromString(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(message)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{receiver.server_port}")
        yield receiver
        receiver.shutdown()
        thread.join()


def attributes(span: Any) -> dict[str, Any]:
    return {a.key: a.value.int_value or a.value.string_value for a in span.attributes}


def test_each_call_is_a_span_in_the_caller_s_trace(tmp_path: Path, receiver: Receiver) -> None:
    with running(with_champion(tmp_path)) as client:
        client.post("/v1/score", json=LEAD, headers={"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Request-ID": "r1"})
        client.get("/v1/leads/L-secret?reasons=none", headers={"traceparent": "nonsense"})
    found = {span.name: span for span in receiver.spans}
    scored, lead = found["POST /v1/score"], found["GET /v1/leads/{lead_id}"]
    assert (scored.trace_id.hex(), scored.parent_span_id.hex(), scored.kind) == (TRACE, PARENT, 2)
    assert attributes(scored) == {
        "http.request.method": "POST", "http.route": "/v1/score", "http.response.status_code": 200, "leadscore.request_id": "r1",
    }  # fmt: skip
    assert attributes(lead)["http.response.status_code"] == 404
    assert (lead.trace_id.hex() != TRACE, lead.parent_span_id) == (True, b"")
    told = {a.key: a.value.string_value for a in receiver.requests[0].resource_spans[0].resource.attributes}
    assert told["service.name"] == "leadscore"
    assert "L-secret" not in str(receiver.requests)


def test_the_log_names_the_trace(tmp_path: Path, receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    with running(with_champion(tmp_path)) as client, caplog.at_level("INFO", "leadscore.http"):
        client.get("/v1/model", headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
    assert [r.fields["trace_id"] for r in caplog.records if getattr(r, "fields", {}).get("path") == "/v1/model"] == [TRACE]  # type: ignore[attr-defined]


def test_a_collector_that_is_gone_stops_no_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with running(with_champion(tmp_path)) as client:
        assert client.post("/v1/score", json=LEAD).status_code == 200


@pytest.mark.parametrize(
    ("environ", "answer"),
    [
        ({}, False),
        (ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"}, False),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "true"}, False),
        (ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, True),
    ],
)
def test_the_environment_decides(environ: dict[str, str], answer: bool) -> None:
    assert wanted(environ) is answer


@pytest.mark.parametrize("environ", [{"OTEL_TRACES_EXPORTER": "zipkin"}, ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}])
def test_what_can_not_be_done_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(DataError, match="OTEL_"):
        wanted(environ)


def test_without_the_packages_a_service_that_should_trace_refuses_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "_NEEDED", ("opentelemetry.not_there", "nor.this"))
    with pytest.raises(DataError, match=r"pip install 'leadscore\[telemetry\]'"):
        wanted(ENDPOINT)
    assert not wanted({})


def test_serve_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")
    process = started(tmp_path)
    _, told = process.communicate(timeout=30)
    assert (process.returncode, told.strip()) == (1, "OTEL_TRACES_EXPORTER must be otlp or none; got 'zipkin'.")


def test_without_a_wish_nothing_of_the_sdk_is_loaded() -> None:
    code = "import sys, serving.app; print([m for m in sys.modules if m.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))])"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout.strip() == "[]"
