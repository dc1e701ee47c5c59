"""Who is let in: keys and scopes; without a key, this machine alone."""

import asyncio
import re
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from bundles import store_at
from data.store import SCOPES, Store
from service import LEAD, refusal, running, with_champion
from serving import security
from serving.app import ROUTES
from serving.errors import Forbidden, ServiceError, StoreDown, Unauthorized
from serving.routes import Route
from serving.security import Gate, is_loopback

JSON = {"content-type": "application/json"}
HERE = JSON | {"host": "localhost:8000"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with store_at(tmp_path) as store:
        yield store


def run(call: Coroutine[Any, Any, None]) -> None:
    asyncio.run(call)


async def admit(gate: Gate, headers: dict[str, str], method: str = "POST", scope: str = "score") -> None:
    gate.permit(await gate.identify(headers), method, headers, scope)


def verdict(gate: Gate, headers: dict[str, str], method: str = "POST", scope: str = "score") -> str:
    try:
        run(admit(gate, headers, method, scope))
    except ServiceError as error:
        return type(error).__name__
    return "admitted"


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        *((host, True) for host in ("127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost")),
        *((host, False) for host in ("0.0.0.0", "::", "10.0.0.1", "example.org", "", "localhost.example.org")),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("host", "answer"),
    [
        ("localhost", "admitted"),
        ("LOCALHOST:80", "admitted"),
        ("127.0.0.1:8000", "admitted"),
        ("[::1]:8000", "admitted"),
        ("[::1]", "admitted"),
        ("", "Forbidden"),
        ("evil.example", "Forbidden"),
        ("localhost.evil.example:8000", "Forbidden"),
        ("127.0.0.1.evil.example", "Forbidden"),
        ("evil.example:localhost", "Forbidden"),
        ("10.0.0.1:8000", "Forbidden"),
    ],
)
def test_without_a_key_the_host_header_must_be_local(store: Store, host: str, answer: str) -> None:
    assert verdict(Gate(store, "127.0.0.1"), JSON | {"host": host}) == answer


@pytest.mark.parametrize("header", security.FORWARDING)
def test_without_a_key_no_proxy_is_answered(store: Store, header: str) -> None:
    assert verdict(Gate(store, "127.0.0.1"), HERE | {header: "10.0.0.1"}) == "Forbidden"


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp"])
def test_a_body_must_be_declared_as_json(store: Store, kind: str) -> None:
    assert verdict(Gate(store, "127.0.0.1"), HERE | {"content-type": kind}) == "MalformedBody"


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8"])
def test_json_may_say_its_charset(store: Store, kind: str) -> None:
    assert verdict(Gate(store, "127.0.0.1"), HERE | {"content-type": kind}) == "admitted"


def test_without_a_key_nobody_else_is_answered_whatever_they_claim(store: Store) -> None:
    assert verdict(Gate(store, "0.0.0.0"), HERE) == "Unauthorized"


@pytest.mark.parametrize(
    ("scopes", "needed", "answer"),
    [
        (["score"], "score", "admitted"),
        (["read", "score"], "score", "admitted"),
        (["admin"], "score", "admitted"),
        (["admin"], "read", "admitted"),
        (["read"], "score", "Forbidden"),
        (["score", "ingest", "operate"], "read", "Forbidden"),
    ],
)
def test_a_key_opens_what_its_scopes_say(store: Store, scopes: list[str], needed: str, answer: str) -> None:
    secret, _ = store.create_key(scopes)
    for host in ("127.0.0.1", "0.0.0.0"):
        assert verdict(Gate(store, host), JSON | {"authorization": f"Bearer {secret}"}, scope=needed) == answer


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer ", "Bearer nonsense", "Basic {}", "{}", "Bearer {}x", "Bearer ü"])
def test_anything_but_a_living_key_is_refused(store: Store, given: str) -> None:
    secret, _ = store.create_key(["score"])
    assert verdict(Gate(store, "127.0.0.1"), HERE | {"authorization": given.format(secret)}) == "Unauthorized"


def test_with_a_key_in_the_store_a_call_without_one_is_refused(store: Store) -> None:
    store.create_key(["score"])
    assert verdict(Gate(store, "127.0.0.1"), HERE) == "Unauthorized"


def test_a_scheme_in_another_case_and_a_proxy_are_fine_with_a_key(store: Store) -> None:
    secret, _ = store.create_key(["score"])
    headers = JSON | {"authorization": f"bearer  {secret}", "via": "proxy", "host": "crm.example"}
    assert verdict(Gate(store, "127.0.0.1"), headers) == "admitted"


def test_a_revoked_key_ends_when_it_is_asked_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    secret, key = store.create_key(["score"])
    gate, headers = Gate(store, "0.0.0.0"), JSON | {"authorization": f"Bearer {secret}"}
    assert verdict(gate, headers) == "admitted"
    store.revoke_key(key.id)
    assert verdict(gate, headers) == "admitted", "the answer of a moment ago still counts"
    monkeypatch.setattr(security, "FRESH_SECONDS", 0.0)
    assert verdict(gate, headers) == "Unauthorized"


def test_revoking_the_last_key_opens_nothing(store: Store) -> None:
    _, key = store.create_key(["admin"])
    store.revoke_key(key.id)
    assert verdict(Gate(store, "127.0.0.1"), HERE) == "Unauthorized"


def test_use_of_a_key_is_noted(store: Store) -> None:
    secret, _ = store.create_key(["score"])
    verdict(Gate(store, "0.0.0.0"), JSON | {"authorization": f"Bearer {secret}"})
    assert store.list_keys()[0].last_used_at is not None


def test_while_the_store_is_down_known_keys_go_on_and_unknown_ones_wait(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "FRESH_SECONDS", 0.0)
    known, other = (JSON | {"authorization": f"Bearer {store.create_key(['score'])[0]}"} for _ in range(2))
    gate = Gate(store, "0.0.0.0")
    assert verdict(gate, known) == "admitted"
    _break(store, tmp_path)
    assert verdict(gate, known) == "admitted"
    with pytest.raises(StoreDown, match="does not answer"):
        run(admit(gate, other))


def test_while_the_store_is_down_an_open_service_stays_open_only_if_it_knew(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "FRESH_SECONDS", 0.0)
    knew, did_not = Gate(store, "127.0.0.1"), Gate(store, "127.0.0.1")
    assert verdict(knew, HERE) == "admitted"
    _break(store, tmp_path)
    assert (verdict(knew, HERE), verdict(did_not, HERE)) == ("admitted", "StoreDown")


def _break(store: Store, folder: Path) -> None:
    """The database file is replaced by what is none."""
    store.close()
    for file in folder.glob("leadscore.db*"):
        file.unlink()
    (folder / "leadscore.db").write_bytes(b"not a database" * 1000)


def test_every_call_under_v1_is_guarded_and_the_rest_is_open(tmp_path: Path) -> None:
    with store_at(with_champion(tmp_path)) as store:
        keys = {scope: store.create_key([scope])[0] for scope in SCOPES}
    with running(tmp_path, host="0.0.0.0", called="http://crm.example") as client:
        listed = {
            (method.upper(), path)
            for path, methods in client.get("/openapi.json").json()["paths"].items()
            for method in methods
            if path.startswith("/v1")
        }
        assert listed == {(route.method, route.path) for route in ROUTES if route.scope is not None}
        for route in ROUTES:
            if route.scope is not None:
                _check_guarded(client, route, keys)
        for path in ("/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/openapi-3.0.json"):
            assert client.get(path).status_code == 200


def _check_guarded(client: TestClient, route: Route, keys: dict[str, str]) -> None:
    assert route.scope is not None
    path = re.sub(r"{\w+}", "nobody", route.path)
    nobody = client.request(route.method, path, json={})
    assert refusal(nobody)[:2] == (Unauthorized.status, "Unauthorized")
    assert nobody.headers["www-authenticate"] == "Bearer"
    wrong = next(scope for scope in SCOPES if scope not in (route.scope, "admin"))
    refused = client.request(route.method, path, json={}, headers={"Authorization": f"Bearer {keys[wrong]}"})
    assert refusal(refused)[:2] == (Forbidden.status, "Forbidden"), route
    allowed = client.request(route.method, path, json={}, headers={"Authorization": f"Bearer {keys[route.scope]}"})
    assert allowed.status_code not in (401, 403), route
    assert allowed.status_code < 500, route


def test_the_key_is_asked_for_before_the_body_is_read(tmp_path: Path) -> None:
    with running(with_champion(tmp_path), host="0.0.0.0", limit=10) as client:
        assert client.post("/v1/score", content=b"x" * 100).status_code == 401


def test_a_page_of_another_origin_gets_nothing(tmp_path: Path) -> None:
    with running(with_champion(tmp_path)) as client:
        origin = {"Origin": "https://evil.example"}
        answered = client.post("/v1/score", json=LEAD, headers=origin)
        assert not [name for name in answered.headers if name.startswith("access-control")]
        assert client.post("/v1/score", data={"lead": "{}"}, headers=origin).status_code == 422
        assert client.get("/v1/model", headers=origin | {"Host": "evil.example"}).status_code == 403
