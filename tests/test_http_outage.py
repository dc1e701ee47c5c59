"""What goes on while the database is gone, or nothing can be written, what the rest says, and that it all comes back without a restart."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import exc
from starlette.testclient import TestClient

from bundles import bundle, promote
from data.ledger import get
from data.store import open_store
from service import LEAD, refusal, running, wait_for
from serving.app import ROUTES
from serving.errors import StoreBusy, StoreDown, refusal_of


@contextmanager
def sqlite_gone(url: str) -> Iterator[None]:
    """The file is replaced by what is none, and put back."""
    path = Path(url.removeprefix("sqlite:///"))
    kept = {file: file.read_bytes() for file in path.parent.glob(f"{path.name}*")}
    for file in kept:
        file.unlink()
    path.write_bytes(b"not a database" * 1000)
    yield
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    for file, content in kept.items():
        file.write_bytes(content)


@contextmanager
def postgres_gone(url: str) -> Iterator[None]:
    """The server lets nobody into this database, and throws out who is in it."""
    name = sa.make_url(url).database
    with psycopg.connect(url.replace(f"/{name}?", "/postgres?"), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        yield
        connection.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")


def gone(url: str) -> Any:
    return sqlite_gone(url) if url.startswith("sqlite") else postgres_gone(url)


def of_store(client: TestClient, headers: dict[str, str]) -> Iterator[tuple[str, Any]]:
    """Each call that needs the store, made with its own example."""
    paths = client.get("/openapi.json").json()["paths"]
    for route in ROUTES:
        if route.scope in (None, "score") or route.path in ("/v1/model", "/v1/icp"):
            continue
        body = paths[route.path][route.method.lower()].get("requestBody", {"content": {"application/json": {"example": {}}}})
        path = route.path.format(lead_id="L-1", account_id="A-1", version="1", id="x", score_id="x")
        example = body["content"]["application/json"]["example"]
        yield f"{route.method} {route.path}", client.request(route.method, path, json=example, headers=headers)


def test_the_database_is_gone_and_comes_back(tmp_path: Path, store_url: str) -> None:
    with open_store(store_url) as store:
        promote(store, "1", bundle())
        headers = {"Authorization": f"Bearer {store.create_key(['admin'])[0]}"}
    with running(tmp_path, url=store_url) as client:
        assert client.post("/v1/score", json=LEAD, headers=headers).status_code == 200
        client.app.state.service.store.close()  # type: ignore[attr-defined]
        with gone(store_url):
            wait_for(client, lambda answer: "database" in answer["down"])
            answer = client.get("/readyz")
            assert (answer.status_code, answer.json()["ready"], answer.json()["down"]) == (200, True, ["database"])
            scored = client.post("/v1/score", json=LEAD, headers=headers)
            assert scored.status_code == 200
            for call, response in of_store(client, headers):
                assert refusal(response)[:2] == (503, "StoreDown"), call
                assert response.headers["retry-after"] == "1"
            repeated = client.post("/v1/score", json=LEAD, headers=headers | {"Idempotency-Key": "a"})
            assert refusal(repeated)[:2] == (503, "StoreDown")
        wait_for(client, lambda answer: not answer["down"])
        assert client.put("/v1/leads/L-1", json={"created_at": "2026-05-01T08:00:00Z"}, headers=headers).status_code == 200
        _until(lambda: _kept(store_url, scored.json()["score_id"]))


def _kept(url: str, score_id: str) -> bool:
    with open_store(url) as store:
        return get(store, score_id) is not None


def _until(done: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_spool_that_can_not_be_written_is_named_and_no_score_is_given(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'leadscore.db'}") as store:
        promote(store, "1", bundle())
    (tmp_path / "spool").write_text("a file stands where the folder should")
    with running(tmp_path, until=lambda answer: answer["version"] == "1") as client:
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["ready"], answer.json()["down"]) == (503, False, ["ledger"])
        assert "LEADSCORE_HOME" in answer.json()["detail"]["ledger"]
        assert refusal(client.post("/v1/score", json=LEAD))[:2] == (503, "LedgerDown")
        (tmp_path / "spool").unlink()
        wait_for(client, lambda answer: answer["ready"])
        assert client.post("/v1/score", json=LEAD).status_code == 200


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (exc.OperationalError("", {}, Exception("unable to open database file")), StoreDown),
        (exc.OperationalError("", {}, Exception("database is locked")), StoreBusy),
        (exc.OperationalError("", {}, psycopg.errors.DeadlockDetected()), StoreBusy),
        (exc.OperationalError("", {}, psycopg.errors.SerializationFailure()), StoreBusy),
        (exc.OperationalError("", {}, psycopg.errors.AdminShutdown()), StoreDown),
        (exc.InterfaceError("", {}, Exception()), StoreDown),
        (exc.DatabaseError("", {}, Exception("file is not a database")), StoreDown),
        (exc.TimeoutError(), StoreBusy),
        (exc.IntegrityError("", {}, Exception()), type(None)),
        (exc.ProgrammingError("", {}, Exception()), type(None)),
        (exc.DataError("", {}, Exception()), type(None)),
    ],
)
def test_whose_fault_it_is(error: exc.SQLAlchemyError, answer: type) -> None:
    assert type(refusal_of(error)) is answer


@pytest.mark.parametrize("keyed", [True, False])
def test_a_service_that_was_never_called_before_the_outage_knows_who_may(store_url: str, tmp_path: Path, keyed: bool) -> None:
    with open_store(store_url) as store:
        promote(store, "1", bundle())
        headers = {"Authorization": f"Bearer {store.create_key(['score'])[0]}"} if keyed else {}
    with running(tmp_path, url=store_url) as client:
        client.app.state.service.store.close()  # type: ignore[attr-defined]
        with gone(store_url):
            assert client.post("/v1/score", json=LEAD, headers=headers).status_code == 200
            assert refusal(client.post("/v1/score", json=LEAD, headers={"Authorization": "Bearer ls_another"}))[:2] == (503, "StoreDown")
