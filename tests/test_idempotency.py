"""Calls that are sent again: one effect, one answer, byte for byte."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from bundles import bundle, promote
from data import idempotency
from data.contract import DAY
from data.idempotency import KEPT_FOR, UNDER_WAY_FOR, Claim, Kept, abandon, begin, finish, forget
from data.schema import IDEMPOTENCY
from data.store import Store, open_store
from service import LEAD, refusal, running

NOW = 1_800_000_000_000_000
ANSWER = Kept(200, b"application/json\n\n{}")


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with open_store(store_url) as store:
        yield store


def test_a_key_is_claimed_once_and_its_answer_given_again(store: Store) -> None:
    assert begin(store, "k", "call", NOW) is Claim.STARTED
    assert begin(store, "k", "call", NOW + 1) is Claim.UNDER_WAY
    finish(store, "k", NOW, ANSWER)
    assert begin(store, "k", "call", NOW + 2) == ANSWER
    assert begin(store, "k", "other", NOW + 2) is Claim.OTHER_CALL
    assert begin(store, "l", "other", NOW + 2) is Claim.STARTED


def test_an_abandoned_key_is_free_again(store: Store) -> None:
    begin(store, "k", "call", NOW)
    abandon(store, "k", NOW)
    assert begin(store, "k", "other", NOW + 1) is Claim.STARTED


@pytest.mark.parametrize(("later", "claim"), [(UNDER_WAY_FOR - 1, Claim.UNDER_WAY), (UNDER_WAY_FOR, Claim.STARTED)])
def test_a_call_whose_process_was_killed_blocks_its_key_for_a_minute(store: Store, later: int, claim: Claim) -> None:
    begin(store, "k", "call", NOW)
    assert begin(store, "k", "call", NOW + later) is claim


def test_who_was_taken_over_keeps_nothing_and_frees_nothing(store: Store) -> None:
    begin(store, "k", "call", NOW)
    begin(store, "k", "call", NOW + UNDER_WAY_FOR)
    finish(store, "k", NOW, ANSWER)
    abandon(store, "k", NOW)
    assert begin(store, "k", "call", NOW + UNDER_WAY_FOR + 1) is Claim.UNDER_WAY


@pytest.mark.parametrize(("later", "claim"), [(KEPT_FOR - 1, ANSWER), (KEPT_FOR, Claim.STARTED)])
def test_an_answer_is_kept_for_a_day(store: Store, later: int, claim: Any) -> None:
    begin(store, "k", "call", NOW)
    finish(store, "k", NOW, ANSWER)
    assert begin(store, "k", "call", NOW + later) == claim


def test_what_is_over_is_forgotten(store: Store) -> None:
    for key, at in (("kept", NOW), ("old", NOW - DAY), ("dead", NOW - UNDER_WAY_FOR), ("alive", NOW - UNDER_WAY_FOR + 1)):
        begin(store, key, "call", at)
        if key in ("kept", "old"):
            finish(store, key, at, ANSWER)
    assert forget(store, NOW) == 2
    assert begin(store, "kept", "call", NOW) == ANSWER
    assert begin(store, "alive", "call", NOW) is Claim.UNDER_WAY


def test_of_many_at_once_one_starts(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(lambda n: begin(store, "k", "call", NOW + n), range(16)))
    assert claims.count(Claim.STARTED) == 1
    assert claims.count(Claim.UNDER_WAY) == 15


@contextmanager
def service(folder: Path, url: str) -> Iterator[TestClient]:
    with open_store(url) as store:
        promote(store, "1", bundle())
    with running(folder, url=url) as client:
        yield client


def post(client: TestClient, key: str, path: str = "/v1/score", body: Any = LEAD, **headers: str) -> Any:
    return client.post(path, json=body, headers={"Idempotency-Key": key, **headers})


def test_a_score_sent_again_is_the_same_score(tmp_path: Path, store_url: str) -> None:
    with service(tmp_path, store_url) as client:
        first, again = post(client, "a"), post(client, "a")
        assert (first.status_code, first.content) == (200, again.content)
        assert "idempotency-replayed" not in first.headers
        assert (again.headers["idempotency-replayed"], again.headers["content-type"]) == ("true", "application/json")
        assert first.headers["x-request-id"] != again.headers["x-request-id"]
        assert post(client, "b").json()["score_id"] != first.json()["score_id"]
        assert client.post("/v1/score", json=LEAD).json()["score_id"] != first.json()["score_id"]


@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/score", LEAD | {"stage": "prospect"}), ("/v1/score?reasons=all", LEAD), ("/v1/score/batch", {"items": [LEAD]})],
)
def test_the_same_key_for_another_call_is_a_conflict(tmp_path: Path, store_url: str, path: str, body: Any) -> None:
    with service(tmp_path, store_url) as client:
        post(client, "a")
        assert refusal(post(client, "a", path, body))[:2] == (409, "IdempotencyConflict")


def test_a_refusal_is_given_again_but_not_the_service_s_own_fault(tmp_path: Path, store_url: str) -> None:
    with running(tmp_path, url=store_url, ready=False) as client:
        assert post(client, "a").status_code == 503
        with open_store(store_url) as store:
            promote(store, "1", bundle())
        client.app.state.service.champion.refresh()  # type: ignore[attr-defined]
        assert post(client, "a").status_code == 200
        malformed = post(client, "b", body={"lead": 1})
        assert malformed.status_code == 422
        again = post(client, "b", body={"lead": 1})
        assert (again.status_code, again.content, again.headers["idempotency-replayed"]) == (422, malformed.content, "true")


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there"])
def test_a_key_is_plain_and_short(tmp_path: Path, store_url: str, key: str) -> None:
    with service(tmp_path, store_url) as client:
        assert refusal(post(client, key))[1:] == ("MalformedBody", "the header Idempotency-Key must have 1 to 255 printable characters.")
        assert post(client, "x" * 255).status_code == 200


def test_a_key_belongs_to_who_sent_it(tmp_path: Path, store_url: str) -> None:
    with open_store(store_url) as store:
        one, other = ({"Authorization": f"Bearer {store.create_key(['score'])[0]}"} for _ in range(2))
    with service(tmp_path, store_url) as client:
        first = post(client, "a", **one)
        assert post(client, "a", **other).json()["score_id"] != first.json()["score_id"]
        assert post(client, "a", **one).content == first.content


def test_while_the_first_call_is_under_way_the_second_waits(tmp_path: Path, store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first call's body is held back until the second has been answered."""
    from serving import routes

    entered, go_on, read = threading.Event(), threading.Event(), routes.body_of

    async def slow(request: Any, service: Any) -> bytes:
        body = await read(request, service)
        if request.headers.get("x-request-id") == "slow" and hasattr(request.state, "read"):
            entered.set()
            await asyncio.to_thread(go_on.wait, 20)
        request.state.read = True
        return body

    monkeypatch.setattr("serving.calls.ingest.body_of", slow)
    monkeypatch.setattr("serving.routes.body_of", slow)
    events = {"items": []}
    with service(tmp_path, store_url) as client, ThreadPoolExecutor(1) as pool:
        first = pool.submit(post, client, "a", "/v1/events", events, **{"X-Request-ID": "slow"})
        assert entered.wait(20)
        second = post(client, "a", "/v1/events", events)
        go_on.set()
        assert refusal(second)[:2] == (409, "InProgress")
        assert second.headers["retry-after"] == "1"
        assert first.result().status_code == 200
        assert post(client, "a", "/v1/events", events).headers["idempotency-replayed"] == "true"


def test_an_erased_lead_is_not_in_an_answer_that_is_kept(tmp_path: Path, store_url: str) -> None:
    with service(tmp_path, store_url) as client:
        client.put("/v1/leads/L-1", json={"created_at": "2026-05-01T08:00:00Z"})
        first = post(client, "a")
        assert client.delete("/v1/leads/L-1").status_code == 200
        again = post(client, "a")
        assert "idempotency-replayed" not in again.headers
        assert again.content != first.content


@pytest.mark.parametrize(("path", "body"), [("/v1/score", LEAD), ("/v1/score/batch", {"items": [LEAD]})])
def test_no_answer_is_kept_that_names_a_lead_which_is_erased_by_then(tmp_path: Path, store_url: str, path: str, body: Any) -> None:
    """Its first call was under way while the lead was erased, or came after that."""
    with service(tmp_path, store_url) as client, open_store(store_url) as store:
        assert client.put("/v1/leads/L-1", json={}).status_code == 200
        assert client.delete("/v1/leads/L-1").status_code == 200
        given = post(client, "k", path, body)
        assert given.status_code == 200
        with store.engine.connect() as connection:
            assert connection.execute(sa.select(IDEMPOTENCY)).all() == []
        assert "Idempotency-Replayed" not in post(client, "k", path, body).headers


def test_without_the_header_the_store_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: Any) -> None:
        raise AssertionError("asked")

    with service(tmp_path, f"sqlite:///{tmp_path / 'leadscore.db'}") as client:
        monkeypatch.setattr(idempotency, "begin", asked)
        assert client.post("/v1/score", json=LEAD).status_code == 200
