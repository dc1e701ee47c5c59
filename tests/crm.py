"""The service as a CRM sees it, over either database, and what such a CRM sends."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from bundles import bundle, promote
from data.store import Store, open_store
from databases import NewDatabase
from service import wait_for
from serving.app import create_app
from serving.settings import Settings

NDJSON = {"Content-Type": "application/x-ndjson"}
EMAIL = "kim.planted@example.com"


def url_of(kind: str, folder: Path, new_database: NewDatabase) -> str:
    """A database of its own."""
    return f"sqlite:///{folder / 'leadscore.db'}" if kind == "sqlite" else new_database()


@contextmanager
def crm(url: str, folder: Path, *, key: str = "") -> Iterator[TestClient]:
    """A client of the service over the store at `url`, scoring."""
    with open_store(url) as store:
        promote(store, "1", bundle())
    app = create_app(Settings(url, home=folder))
    with TestClient(app, base_url="http://localhost:8000", headers={"Authorization": f"Bearer {key}"} if key else {}) as client:
        wait_for(client, lambda answer: answer["ready"])
        yield client


def store_of(client: TestClient) -> Store:
    """The store that the service of this client has open."""
    store: Store = client.app.state.service.store  # type: ignore[attr-defined]
    return store


def ndjson(items: list[Any]) -> bytes:
    return b"\n".join(json.dumps(item).encode() for item in items)


def sent(client: TestClient, method: str, path: str, body: Any) -> list[dict[str, Any]]:
    """The results of a call that is answered."""
    response = client.request(method, path, json=body)
    assert response.status_code == 200, response.text
    results: list[dict[str, Any]] = response.json()["results"]
    return results


def statuses(results: list[dict[str, Any]]) -> list[str]:
    """What became of each: its status, or the refusal's name."""
    return [result.get("status") or result["error"] for result in results]


def held(client: TestClient, lead_id: str) -> dict[str, Any]:
    response = client.get(f"/v1/leads/{lead_id}")
    assert response.status_code == 200, response.text
    document: dict[str, Any] = response.json()
    return document
