"""The audit: every call of the scopes operate and admin, refused ones too, and none that could not be written down."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from bundles import bundle, promote, store_at
from data import audit
from data.audit import UNDER_WAY, Entry, entries, forget, write
from data.store import open_store
from service import LEAD, refusal, running

NOW = 1_800_000_000_000_000


def prepared(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The headers of a key that may operate, and of one that may only read."""
    with store_at(folder) as store:
        promote(store, "1", bundle(-1.0))
        promote(store, "2", bundle())
        operator, reader = (store.create_key([scope])[0] for scope in ("operate", "read"))
    return {"Authorization": f"Bearer {operator}"}, {"Authorization": f"Bearer {reader}"}


def told(folder: Path) -> list[tuple[Any, ...]]:
    with store_at(folder) as store:
        return [(entry.key_id, entry.action, entry.target, entry.status) for entry in reversed(entries(store))]


def test_what_was_done_and_what_was_refused_is_written(tmp_path: Path) -> None:
    operator, reader = prepared(tmp_path)
    with running(tmp_path) as client:
        for headers, path in ((operator, "/v1/models/1/promote"), (operator, "/v1/models/9/promote"), (reader, "/v1/models/1/promote")):
            client.post(path, json={}, headers=headers | {"X-Request-ID": "r1"})
        client.post("/v1/models/1/promote", json={})
        client.post("/v1/score", json=LEAD, headers=operator)
        client.get("/v1/model", headers=reader)
    action = "POST /v1/models/{version}/promote"
    assert told(tmp_path) == [(1, action, "1", 200), (1, action, "9", 404), (2, action, "1", 403)]
    with store_at(tmp_path) as store:
        assert {entry.request_id for entry in entries(store)} == {"r1"}


def test_of_a_lead_only_a_hash_is_written_that_nobody_can_guess_at(tmp_path: Path) -> None:
    prepared(tmp_path)
    with store_at(tmp_path) as store:
        admin = {"Authorization": f"Bearer {store.create_key(['admin'])[0]}"}
    with running(tmp_path) as client:
        for lead in ("anna%40example.org", "bo%40example.org", "anna%40example.org"):
            client.delete(f"/v1/leads/{lead}", headers=admin)
    assert {entry[1] for entry in told(tmp_path)} == {"DELETE /v1/leads/{lead_id}"}
    anna, bo, again = (entry[2] for entry in told(tmp_path))
    assert anna == again != bo, "one lead can be followed through the audit"
    assert anna not in ("anna@example.org", hashlib.sha256(b"anna@example.org").hexdigest())


def test_a_call_that_can_not_be_written_down_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    operator, _ = prepared(tmp_path)
    with running(tmp_path) as client:
        with store_at(tmp_path) as store, store.engine.begin() as connection:
            connection.exec_driver_sql("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END")
        response = client.post("/v1/models/1/promote", json={}, headers=operator)
        assert response.status_code >= 500
        assert client.get("/readyz").json()["version"] == "2"
    with store_at(tmp_path) as store:
        assert [promotion.version for promotion in store.champions()] == ["1", "2"]


def test_a_call_whose_process_is_killed_stays_as_begun(store_url: str) -> None:
    with open_store(store_url) as store:
        id = write(store, Entry(NOW, None, "POST /v1/retrain", None, UNDER_WAY, "r"))
        assert [entry.status for entry in entries(store)] == [UNDER_WAY]
        audit.end(store, id, 202)
        assert [entry.status for entry in entries(store)] == [202]


@pytest.mark.parametrize(("before", "left"), [(NOW, 1), (NOW + 1, 0)])
def test_entries_are_kept_until_they_are_older(store_url: str, before: int, left: int) -> None:
    with open_store(store_url) as store:
        write(store, Entry(NOW, 1, "POST /v1/retrain", None, 202, "r"))
        assert forget(store, before) == 1 - left
        assert len(entries(store)) == left


def test_with_one_key_s_guesses_nothing_is_written(tmp_path: Path) -> None:
    prepared(tmp_path)
    with running(tmp_path) as client:
        assert refusal(client.post("/v1/retrain", json={}, headers={"Authorization": "Bearer guess"}))[0] == 401
    assert told(tmp_path) == []
