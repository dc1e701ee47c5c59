"""The operations calls, on the real application: jobs, promotion, rollback."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from bundles import bundle, store_at
from data import deliveries, jobs, queue, webhooks
from data.home import clock
from data.schema import LEADS
from data.store import Store
from service import refusal, running, wait_for, with_champion
from serving.answers_operations import JobAnswer, JobsAnswer, JobStarted, PromotedAnswer


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


def asked(client: TestClient, **body: Any) -> str:
    response = client.post("/v1/retrain", json=body)
    assert response.status_code == 202, response.text
    JobStarted.model_validate_json(response.content)
    assert {name: value for name, value in response.json().items() if name != "id"} == {"state": "queued", "progress": 0.0, "error": None}
    return str(response.json()["id"])


def job(client: TestClient, id: str) -> dict[str, Any]:
    response = client.get(f"/v1/jobs/{id}")
    assert response.status_code == 200, response.text
    JobAnswer.model_validate_json(response.content)
    body: dict[str, Any] = response.json()
    return body


def test_a_retraining_is_asked_for_and_followed(client: TestClient, store: Store) -> None:
    id = asked(client, since="2026-01-01", promote="never")
    held = jobs.get(store, id)
    assert held is not None
    assert held.arguments == {"since": "2026-01-01T23:59:59.999999Z", "promote": "never"}
    assert (job(client, id)["state"], job(client, id)["started_at"]) == ("queued", None)
    token = jobs.begin(store, id, clock())
    assert token is not None
    jobs.tell(store, id, token, "reading leads", 0.1, clock())
    told = job(client, id)
    assert (told["state"], told["step"], told["progress"], told["log"], told["kind"]) == ("running", "reading leads", 0.1, ["started"], "retrain")
    jobs.fail(store, id, token, "not enough evidence", clock())
    assert (job(client, id)["state"], job(client, id)["error"]) == ("failed", "not enough evidence")
    listed = client.get("/v1/jobs")
    JobsAnswer.model_validate_json(listed.content)
    assert [item["id"] for item in listed.json()["items"]] == [id]


def test_an_empty_body_asks_for_the_usual_and_the_same_twice_waits_once(client: TestClient) -> None:
    response = client.post("/v1/retrain", content=b"", headers={"content-type": "application/json"})
    assert response.status_code == 202
    assert asked(client) == response.json()["id"]


@pytest.mark.parametrize("body", [{"since": "soon"}, {"promote": "maybe"}, {"until": "2026-01-01"}, {"since": 5}])
def test_malformed_bodies_are_refused(client: TestClient, body: dict[str, Any]) -> None:
    assert refusal(client.post("/v1/retrain", json=body))[:2] == (422, "MalformedBody")


def test_jobs_are_cancelled(client: TestClient, store: Store) -> None:
    waiting, running_, done = asked(client), asked(client, promote="never"), asked(client, promote="always")
    answer = client.post(f"/v1/jobs/{waiting}/cancel", json={})
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    assert client.post(f"/v1/jobs/{waiting}/cancel", json={}).json()["state"] == "cancelled"
    token = jobs.begin(store, running_, clock())
    assert token is not None
    assert client.post(f"/v1/jobs/{running_}/cancel", json={}).json()["state"] == "running"
    assert jobs.keep(store, running_, token, clock()) == "cancelling"
    jobs.stop(store, running_, token, clock())
    token = jobs.begin(store, done, clock())
    assert token is not None
    jobs.finish(store, done, token, {}, clock())
    assert refusal(client.post(f"/v1/jobs/{done}/cancel", json={}))[:2] == (409, "Conflict")


def test_unknown_jobs_and_versions_are_refused(client: TestClient) -> None:
    assert refusal(client.get("/v1/jobs/job_none"))[:2] == (404, "UnknownJob")
    assert refusal(client.post("/v1/jobs/job_none/cancel", json={}))[:2] == (404, "UnknownJob")
    assert refusal(client.post("/v1/models/99/promote", json={}))[:2] == (404, "UnknownVersion")
    assert refusal(client.post("/v1/models/rollback", json={}))[:2] == (409, "Conflict")


def test_a_promotion_serves_has_every_lead_scored_anew_and_is_told(client: TestClient, store: Store) -> None:
    webhooks.add_endpoint(store, "https://crm.example.com/", ("model.promoted",), None, 0)
    other = bundle(-2.0)
    store.put_bundle("2", other.hash, other.to_bytes())
    with store.writing.begin() as connection:
        lead = {"lead_id": "L-1", "created_at": 0, "fields": "{}", "ingested_at": 0, "changed_at": 0}
        connection.execute(LEADS.insert().values(lead))
    response = client.post("/v1/models/2/promote", json={"reason": "wins on new deals"})
    PromotedAnswer.model_validate_json(response.content)
    assert (response.json()["version"], response.json()["previous"]) == ("2", "1")
    assert store.champions()[-1].reason == "wins on new deals"
    wait_for(client, lambda answer: answer["version"] == "2")
    until_rescored_by(store, "2")
    back = client.post("/v1/models/rollback", json={}).json()
    assert (back["version"], back["previous"]) == ("1", "2")
    wait_for(client, lambda answer: answer["version"] == "1")
    told = {orjson.loads(d.body)["data"]["version"] for d in deliveries.deliveries(store, None, 10)}
    assert told == {"1", "2"}
    until_rescored_by(store, "1")


def until_rescored_by(store: Store, version: str) -> None:
    """By the service's own rescoring: the version that the queue's current row of L-1 comes from."""
    deadline = time.monotonic() + 20
    while (current := queue.current(store, "L-1")) is None or current["version"] != version:
        assert time.monotonic() < deadline, current
        time.sleep(0.05)


def test_a_key_without_the_scope_may_do_none_of_it(client: TestClient, store: Store) -> None:
    secret, _ = store.create_key(["read", "score", "ingest"])
    headers = {"authorization": f"Bearer {secret}"}
    for method, path in (
        ("POST", "/v1/retrain"), ("GET", "/v1/jobs"), ("GET", "/v1/jobs/x"), ("POST", "/v1/jobs/x/cancel"), ("POST", "/v1/models/1/promote"),
        ("POST", "/v1/models/rollback"),
    ):  # fmt: skip
        assert refusal(client.request(method, path, headers=headers, json={}))[:2] == (403, "Forbidden")
    assert len(jobs.latest(store, 9)) == 0
