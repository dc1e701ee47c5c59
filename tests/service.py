"""The real application over a real store, for tests that call it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from bundles import bundle, promote, store_at
from serving.app import create_app
from serving.settings import Settings

LEAD: dict[str, Any] = {
    "lead": {"lead_id": "L-1", "created_at": "2026-05-01T08:00:00Z", "budget": 20000},
    "account": {"industry": "it"},
    "events": [{"occurred_at": "2026-05-30T10:00:00Z", "type": "pricing_page_view"}],
    "as_of": "2026-06-01T00:00:00Z",
}


@contextmanager
def running(
    folder: Path,
    *,
    url: str | None = None,
    ready: bool = True,
    until: Callable[[dict[str, Any]], bool] | None = None,
    host: str = "127.0.0.1",
    called: str = "http://localhost:8000",
    limit: int = 100_000,
    **settings: Any,
) -> Iterator[TestClient]:
    """A client of the service over the store at `url` (default: the one in `folder`), once it is ready or (`ready=False`) has found no champion,
    or once `until(answer of /readyz)`.

    `called` is the Host header, `settings` whatever else `Settings` takes.
    """
    app = create_app(Settings(url or f"sqlite:///{folder / 'leadscore.db'}", host, limit, folder, **settings))
    with TestClient(app, base_url=called) as client:
        wait_for(client, until or (lambda answer: answer["ready"] if ready else "no model has been promoted" in answer["detail"].get("champion", "")))
        yield client


def wait_for(client: TestClient, state: Any, seconds: float = 60) -> dict[str, Any]:
    """Polls /readyz until `state(answer)`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer: dict[str, Any] = client.get("/readyz").json()
        if state(answer):
            return answer
        time.sleep(0.02)
    raise AssertionError(f"not reached in {seconds} s: {answer}")


def with_champion(folder: Path) -> Path:
    with store_at(folder) as store:
        promote(store, "1", bundle())
    return folder


def stamp(seconds: int) -> str:
    """Seconds since 1970 as a body says them."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def refusal(response: Any) -> tuple[int, str, str]:
    """(status, error, detail), having checked that the body is exactly that."""
    body = response.json()
    assert set(body) == {"error", "detail"}
    return response.status_code, body["error"], body["detail"]
