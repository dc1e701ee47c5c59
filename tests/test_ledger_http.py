"""The calls about scores that were given, over the real service and both databases."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from bundles import bundle, promote
from data.store import Store, open_store
from outages import outage
from service import LEAD, refusal, running
from serving.answers_ledger import HistoryAnswer, ReplayAnswer, StoredScore
from serving.spool import waiting
from test_spool import small_disk

L1 = {"lead_id": "L-1", "created_at": "2026-05-01T08:00:00Z", "budget": 20000}


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with open_store(store_url) as store:
        promote(store, "1", bundle())
        yield store


@pytest.fixture
def client(store: Store, store_url: str, home: Path) -> Iterator[TestClient]:
    home.mkdir()
    with running(home, url=store_url) as client:
        yield client


def settled(client: TestClient, path: str, state: Any) -> Any:
    """The answer, once it is as it should be."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        response = client.get(path)
        if response.status_code == 200 and state(response.json()):
            return response.json()
        time.sleep(0.05)
    raise AssertionError(f"not reached: {response.status_code} {response.text[:500]}")


def test_a_score_is_given_again_right_after_it_was_given(client: TestClient) -> None:
    given = client.post("/v1/score", json=LEAD).json()
    response = client.get(f"/v1/scores/{given['score_id']}")
    again = response.json()
    ReplayAnswer.model_validate(again)
    assert (response.status_code, again["same"], again["different"]) == (200, True, [])
    assert all(again["replayed"][name] == given[name] for name in again["replayed"])
    assert (again["lead_id"], again["source"], again["version"]) == ("L-1", "request", "1")
    everything = client.get(f"/v1/scores/{given['score_id']}?reasons=all").json()
    assert len(everything["replayed"]["reasons"]) >= len(again["replayed"]["reasons"])


def test_batch_scores_come_back_too(client: TestClient) -> None:
    items = [LEAD | {"lead": {"created_at": "2026-05-01", "budget": n}} for n in range(20)] + [LEAD | {"stage": "lost"}]
    for given in client.post("/v1/score/batch", json={"items": items}).json()["results"]:
        again = client.get(f"/v1/scores/{given['score_id']}").json()
        assert (again["same"], again["source"], again["probability"]) == (True, "batch", given["probability"])


def test_the_latest_score_its_trend_and_its_history(client: TestClient) -> None:
    assert client.put("/v1/leads/L-1", json={"created_at": L1["created_at"], "budget": 20000}).status_code < 300
    first = settled(client, "/v1/leads/L-1/score", lambda a: not a["stale"])
    StoredScore.model_validate(first)
    assert (first["trend"], first["model"]["version"]) == (None, "1")
    events = [{"lead_id": "L-1", "occurred_at": "2026-11-20T10:00:00Z", "type": "pricing_page_view", "event_id": f"e{n}"} for n in range(3)]
    assert client.post("/v1/stages", json={"items": [{"lead_id": "L-1", "entered_at": "2026-05-02", "stage": "lead"}]}).status_code < 300
    assert client.put("/v1/leads/L-1", json={"created_at": L1["created_at"], "budget": 90000}).status_code < 300
    assert client.post("/v1/events", json={"items": events}).status_code < 300
    second = settled(client, "/v1/leads/L-1/score", lambda a: not a["stale"] and a["score_id"] != first["score_id"] and a["score"] > first["score"])
    assert second["trend"] is not None
    history = settled(client, "/v1/leads/L-1/history", lambda a: a["items"] and a["items"][0]["score_id"] == second["score_id"])
    HistoryAnswer.model_validate(history)
    assert {item["source"] for item in history["items"]} == {"store"}
    for item in history["items"][:-1]:
        for told in (item["change"]["score"], item["change"]["probability"]):
            assert told["lead"] + told["time"] + told["model"] + told["population"] == told["after"] - told["before"]
    assert history["items"][-1]["change"] is None
    pages, more = list[Any](), "?limit=1"
    while more:
        page = client.get(f"/v1/leads/L-1/history{more}").json()
        pages += page["items"]
        more = page["next_cursor"] and f"?limit=1&cursor={page['next_cursor']}"
    assert pages == history["items"]


def test_merged_leads_have_both_histories(client: TestClient) -> None:
    ids = {id: client.post("/v1/score", json=LEAD | {"lead": L1 | {"lead_id": id}}).json()["score_id"] for id in ("L-1", "L-2")}
    for id in ids:
        client.put(f"/v1/leads/{id}", json={"created_at": L1["created_at"]})
    merged = client.post("/v1/leads/L-1/merge", json={"other": "L-2"})
    assert merged.status_code == 200, merged.text
    late = client.post("/v1/score", json=LEAD | {"lead": L1 | {"lead_id": "L-2"}}).json()["score_id"]
    wanted = {*ids.values(), late}
    for id in ("L-1", "L-2"):
        history = settled(client, f"/v1/leads/{id}/history", lambda a: wanted <= {item["score_id"] for item in a["items"]})
        assert history["lead_id"] == "L-1"


def test_what_there_is_not(client: TestClient) -> None:
    assert refusal(client.get("/v1/scores/abc"))[:2] == (404, "UnknownScore")
    for call in ("score", "history"):
        assert refusal(client.get(f"/v1/leads/L-9/{call}"))[:2] == (404, "UnknownLead")
    client.put("/v1/leads/L-2", json={"created_at": L1["created_at"]})
    client.post("/v1/stages", json={"items": [{"lead_id": "L-2", "entered_at": "2026-05-02", "stage": "lost"}]})
    deadline = time.monotonic() + 30
    while (response := client.get("/v1/leads/L-2/score")).status_code == 200 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert refusal(response)[:2] == (404, "NotScored")
    for query in ("limit=0", "limit=501", "limit=x", "limit=٣", "cursor=abc", "cursor=WzEsMl0", "cursor=WzFlMzAsIngiXQ"):
        assert refusal(client.get(f"/v1/leads/L-2/history?{query}"))[:2] == (422, "MalformedBody"), query
    assert client.get("/v1/leads/L-2/history?limit=500").status_code == 200


def test_an_erased_lead_is_gone_from_ledger_spool_and_answers(client: TestClient, home: Path) -> None:
    client.put("/v1/leads/L-1", json={"created_at": L1["created_at"]})
    given = [client.post("/v1/score", json=LEAD).json()["score_id"] for _ in range(3)]
    receipt = client.delete("/v1/leads/L-1")
    assert receipt.status_code == 200, receipt.text
    assert receipt.json()["spools_cleared"] is True
    for score_id in given:
        assert refusal(client.get(f"/v1/scores/{score_id}"))[:2] == (410, "Erased")
    assert refusal(client.get("/v1/leads/L-1/history"))[:2] == (410, "Erased")
    assert all(b"L-1" not in path.read_bytes() for path in (home / "spool").rglob("*") if path.is_file())
    after = client.post("/v1/score", json=LEAD).json()["score_id"]
    assert refusal(client.get(f"/v1/scores/{after}"))[:2] == (410, "Erased")


def test_scores_go_on_while_the_database_is_down_and_are_there_afterwards(client: TestClient, store: Store) -> None:
    client.post("/v1/score", json=LEAD)
    with outage(store):
        given = [client.post("/v1/score", json=LEAD) for _ in range(5)]
        assert [response.status_code for response in given] == [200] * 5
    for response in given:
        again = settled(client, f"/v1/scores/{response.json()['score_id']}", bool)
        assert again["same"] is True


def test_a_full_disk_refuses_the_score_and_room_brings_it_back(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk, open_store(f"sqlite:///{tmp_path / 'leadscore.db'}") as store:
        promote(store, "1", bundle())
        with running(disk, url=str(store.engine.url)) as client:
            assert client.post("/v1/score", json=LEAD).status_code == 200
            while waiting(disk / "spool"):
                time.sleep(0.02)
            ballast = disk / "ballast"
            subprocess.run(["dd", "if=/dev/zero", f"of={ballast}", "bs=4k"], capture_output=True, check=False)
            status, error, detail = refusal(client.post("/v1/score", json=LEAD))
            assert (status, error) == (503, "LedgerDown")
            assert "No space left on device" in detail
            ballast.unlink()
            assert client.post("/v1/score", json=LEAD).status_code == 200
