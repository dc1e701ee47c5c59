"""Every call with whatever its contract lets one generate, and with what it does not: no fault of the service, no answer outside the contract."""

import threading
import time
from collections.abc import Iterator

import httpx2
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from bundles import bundle, promote, store_at
from serving.app import create_app
from serving.openapi import openapi_3_1
from serving.settings import Settings

SCHEMA = schemathesis.openapi.from_dict(openapi_3_1(create_app(Settings("sqlite://"))))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """(URL, headers) of a service over a store that knows a few leads."""
    home = tmp_path_factory.mktemp("home")
    with store_at(home) as store:
        promote(store, "1", bundle(-1.0))
        promote(store, "2", bundle())
        headers = {"Authorization": f"Bearer {store.create_key(['admin'])[0]}"}
    app = create_app(Settings(f"sqlite:///{home / 'leadscore.db'}", home=home, rate_per_second=1e6, burst=1e6))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="on"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        url = _url(server)
        _fill(url, headers)
        yield url, headers
    finally:
        server.should_exit = True
        thread.join(20)


def _url(server: uvicorn.Server) -> str:
    deadline = time.monotonic() + 60
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"


def _fill(url: str, headers: dict[str, str]) -> None:
    """The contract's own examples, once each: what they need is there afterwards."""
    for operation in (result.ok() for result in SCHEMA.get_all_operations()):
        body = operation.definition.raw.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
        path = operation.path.format(lead_id="L-1", account_id="A-1", version="1", score_id="none", id="none")
        if operation.method in ("put", "post"):
            answer = httpx2.request(operation.method.upper(), url + path, json=body, headers=headers)
            assert answer.status_code < 500, (path, answer.text)


@schemathesis.serializer("application/x-ndjson")
def lines(_: schemathesis.SerializationContext, value: object) -> bytes:
    return str(value).encode()


BOUNDED = settings(
    max_examples=10, deadline=None, derandomize=True, database=None, phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck)
)


@pytest.mark.slow
@SCHEMA.parametrize()
@BOUNDED
def test_any_call_is_answered_as_the_contract_says(case: schemathesis.Case, served: tuple[str, dict[str, str]]) -> None:
    url, headers = served
    case.call_and_validate(base_url=url, headers=headers, checks=CHECKS, timeout=20)
