"""The calls about webhooks, on the real application."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from starlette.testclient import TestClient

from bundles import store_at
from data import deliveries, webhooks
from data.home import clock
from data.schema import DELIVERIES, WEBHOOKS
from data.store import Store
from receiver import receiving
from service import refusal, running, with_champion
from serving.answers_operations import DeliveriesAnswer, DeliveryAnswer, WebhookCreated, WebhookRemoved, WebhooksAnswer
from serving.calls.webhooks import DELIVERIES_SHOWN, MAX_ENDPOINTS

URL = "https://crm.example.com/hooks/leadscore"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("LEADSCORE_HOME", str(tmp_path))
    with_champion(tmp_path)
    with store_at(tmp_path) as opened:
        yield opened


@pytest.fixture
def client(tmp_path: Path, store: Store) -> Iterator[TestClient]:
    with running(tmp_path) as opened:
        yield opened


def answered(response: Any, model: type[BaseModel], status: int = 200) -> dict[str, Any]:
    """The body, having checked that it is what the contract says."""
    assert response.status_code == status, response.text
    model.model_validate_json(response.content)
    body: dict[str, Any] = response.json()
    return body


def created(client: TestClient, **fields: Any) -> dict[str, Any]:
    return answered(client.post("/v1/webhooks", json={"url": URL, "types": ["score.changed"]} | fields), WebhookCreated)


def post(client: TestClient, path: str) -> Any:
    return client.post(path, json={})


def dead(client: TestClient, store: Store, url: str) -> str:
    """A delivery that has been given up before the service's own dispatcher saw it."""
    created(client, url=url)
    with store.writing.begin() as connection:
        webhooks.enqueue(connection, "score.changed", "L-1", {"lead_id": "L-1"}, clock())
        connection.execute(DELIVERIES.update().values(state="dead", next_at=None))
    return deliveries.deliveries(store, "dead", 1)[0].id


def test_a_secret_is_shown_when_it_is_made_and_never_again(client: TestClient) -> None:
    made = created(client, types=["model.promoted", "score.changed"], description="the CRM")
    assert made["secret"].startswith("whsec_")
    listed = client.get("/v1/webhooks")
    assert answered(listed, WebhooksAnswer)["items"] == [{name: value for name, value in made.items() if name != "secret"}]
    assert made["secret"] not in listed.text
    rotated = answered(post(client, f"/v1/webhooks/{made['id']}/rotate"), WebhookCreated)
    assert rotated["id"] == made["id"]
    assert rotated["secret"] != made["secret"]


@pytest.mark.parametrize(
    "url", ["http://10.0.0.5/", "http://[::1]:8080/", "https://169.254.169.254/latest", "ftp://a.example/", "https://u:p@a.example/"]
)
def test_urls_that_must_not_be_called_are_refused(client: TestClient, url: str) -> None:
    status, error, detail = refusal(client.post("/v1/webhooks", json={"url": url, "types": ["score.changed"]}))
    assert (status, error) == (422, "MalformedBody")
    assert detail.startswith("url: ")
    assert client.get("/v1/webhooks").json() == {"items": []}


@pytest.mark.parametrize(
    "body",
    [{}, {"url": URL}, {"url": URL, "types": []}, {"url": URL, "types": ["lead.created"]}, {"url": URL, "types": ["score.changed"], "secret": "x"}],
)
def test_malformed_bodies_are_refused(client: TestClient, body: dict[str, Any]) -> None:
    assert refusal(client.post("/v1/webhooks", json=body))[:2] == (422, "MalformedBody")


def test_a_private_address_is_taken_where_funnel_toml_allows_it(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "funnel.toml").write_text("[webhooks]\nallow_private = true\n")
    assert created(client, url="http://10.0.0.5/")["url"] == "http://10.0.0.5/"


def test_unknown_ids_are_refused(client: TestClient) -> None:
    for response in (
        client.request("DELETE", "/v1/webhooks/wh_none", json={}),
        post(client, "/v1/webhooks/wh_none/rotate"),
        post(client, "/v1/webhooks/deliveries/msg_none/replay"),
    ):
        assert refusal(response)[:2] == (404, "UnknownWebhook")


def test_a_removed_webhook_is_gone(client: TestClient) -> None:
    id = created(client)["id"]
    assert answered(client.request("DELETE", f"/v1/webhooks/{id}", json={}), WebhookRemoved) == {"id": id, "removed": True}
    assert client.get("/v1/webhooks").json() == {"items": []}


def test_there_may_be_only_so_many(client: TestClient, store: Store) -> None:
    for _ in range(MAX_ENDPOINTS):
        webhooks.add_endpoint(store, URL, ("score.changed",), None, 0)
    assert refusal(client.post("/v1/webhooks", json={"url": URL, "types": ["score.changed"]}))[:2] == (409, "Conflict")


def test_dead_deliveries_are_seen_and_replayed_to_the_receiver(client: TestClient, store: Store, tmp_path: Path) -> None:
    """The service's own dispatcher sends it."""
    (tmp_path / "funnel.toml").write_text("[webhooks]\nallow_private = true\n")
    with receiving() as receiver:
        id = dead(client, store, receiver.url)
        (seen,) = answered(client.get("/v1/webhooks/deliveries?state=dead"), DeliveriesAnswer)["items"]
        assert (seen["id"], seen["state"], seen["body"]["data"]) == (id, "dead", {"lead_id": "L-1"})
        replayed = answered(post(client, f"/v1/webhooks/deliveries/{id}/replay"), DeliveryAnswer)
        assert (replayed["id"], replayed["attempts"] in (0, 1)) == (id, True)
        deadline = time.monotonic() + 20
        while not client.get("/v1/webhooks/deliveries?state=delivered").json()["items"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert receiver.requests[-1].headers["webhook-id"] == id


def test_every_dead_delivery_can_be_paged_to(client: TestClient, store: Store) -> None:
    created(client, url=URL)
    at = clock()
    with store.writing.begin() as connection:
        for n in range(2 * DELIVERIES_SHOWN + 1):
            webhooks.enqueue(connection, "score.changed", f"L-{n}", {"lead_id": f"L-{n}"}, at + n // 7)
        connection.execute(DELIVERIES.update().values(state="dead", next_at=None))
    seen, cursor = list[str](), ""
    for size in (DELIVERIES_SHOWN, DELIVERIES_SHOWN, 1):
        page = answered(client.get(f"/v1/webhooks/deliveries?state=dead{cursor}"), DeliveriesAnswer)
        assert len(page["items"]) == size
        seen += [delivery["body"]["data"]["lead_id"] for delivery in page["items"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert page["next_cursor"] is None
    assert set(seen) == {f"L-{n}" for n in range(2 * DELIVERIES_SHOWN + 1)}
    assert refusal(client.get("/v1/webhooks/deliveries?cursor=none"))[:2] == (422, "MalformedBody")


def test_a_delivery_that_waits_or_whose_webhook_is_disabled_is_not_replayed(client: TestClient, store: Store) -> None:
    id = dead(client, store, URL)
    with store.writing.begin() as connection:
        connection.execute(WEBHOOKS.update().values(disabled_at=1))
    assert refusal(post(client, f"/v1/webhooks/deliveries/{id}/replay"))[:2] == (409, "Conflict")
    with store.writing.begin() as connection:
        connection.execute(DELIVERIES.update().values(state="pending", next_at=2**60))
    assert refusal(post(client, f"/v1/webhooks/deliveries/{id}/replay"))[:2] == (409, "Conflict")
    assert refusal(client.get("/v1/webhooks/deliveries?state=lost"))[:2] == (422, "MalformedBody")


def test_a_key_without_the_scope_sees_nothing(client: TestClient, store: Store) -> None:
    secret, _ = store.create_key(["read", "score", "ingest"])
    headers = {"authorization": f"Bearer {secret}"}
    for method, path in (
        ("GET", "/v1/webhooks"), ("POST", "/v1/webhooks"), ("GET", "/v1/webhooks/deliveries"), ("DELETE", "/v1/webhooks/x"),
        ("POST", "/v1/webhooks/x/rotate"), ("POST", "/v1/webhooks/deliveries/x/replay"),
    ):  # fmt: skip
        assert refusal(client.request(method, path, headers=headers, json={}))[:2] == (403, "Forbidden")
