"""One lead as a whole: feedback, merging, all that is held, and erasure, on both databases."""

import csv
import io
import logging
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from crm import EMAIL, crm, held, sent, statuses, store_of, url_of
from data.contract import parse_instant
from data.schema import AUDIT, ERASED_SCORES, METADATA, SCORES
from data.store import open_store
from databases import NewDatabase
from service import refusal, wait_for
from serving.answers_leads import ErasureAnswer, HeldAnswer, IngestAnswer, MergeAnswer
from serving.calls import ingest, leads
from serving.logs import JsonLines

AT = "2026-05-02T10:00:00Z"
FORMULA = '=HYPERLINK("http://example.com";"x")'


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("home")
    with crm(url_of(request.param, folder, new_database), folder) as client:
        yield client


def full(client: TestClient, id: str) -> str:
    """A lead that has some of everything."""
    columns = {"created_at": "2026-05-01T08:00:00Z", "email": EMAIL, "budget": 5, "account_id": f"A-{id}", "note": FORMULA}
    sent(client, "PUT", f"/v1/accounts/A-{id}", {"industry": "it"})
    sent(client, "PUT", f"/v1/leads/{id}", columns | {"aliases": [{"object": "contact", "external_id": f"C-{id}"}]})
    sent(client, "PUT", f"/v1/leads/{id}", {"budget": -6})
    sent(client, "POST", "/v1/events", {"items": [{"lead_id": id, "occurred_at": AT, "type": "call", "event_id": f"E-{id}", "detail": "+46 70 12"}]})
    sent(client, "POST", "/v1/stages", {"items": [{"lead_id": id, "entered_at": AT, "stage": "prospect"}]})
    sent(client, "POST", "/v1/deals", {"items": [{"lead_id": id, "deal_id": f"D-{id}", "opened_at": AT, "amount": -12.5}]})
    sent(client, "POST", "/v1/feedback", {"lead_id": id, "action": "nurture", "reason": "later"})
    return id


def scored(client: TestClient, id: str) -> str:
    """A score of the lead, in the ledger."""
    answer = client.post("/v1/score", json={"lead": {"lead_id": id, "created_at": "2026-05-01T08:00:00Z"}}).json()
    wait_for(client, lambda _: answer["score_id"] in {row["score_id"] for row in held(client, id)["scores"]})
    return str(answer["score_id"])


def test_all_that_is_held_on_a_lead(client: TestClient) -> None:
    id = full(client, "held")
    score = scored(client, id)
    response = client.get(f"/v1/leads/C-{id}")
    HeldAnswer.model_validate_json(response.content)
    document = response.json()
    assert document["lead"].items() >= {"lead_id": id, "created_at": "2026-05-01T08:00:00Z", "email": EMAIL, "budget": "-6", "note": FORMULA}.items()
    assert document["account"]["industry"] == "it"
    assert [row["external_id"] for row in document["aliases"]] == [f"C-{id}"]
    assert [(row["field"], row["value"]) for row in document["changes"]] == [("budget", "5"), ("budget", "-6")]
    assert document["events"][0].items() >= {"occurred_at": AT, "type": "call", "event_id": f"E-{id}"}.items()
    assert document["stages"][0].items() >= {"entered_at": AT, "stage": "prospect"}.items()
    assert document["deals"][0].items() >= {"deal_id": f"D-{id}", "opened_at": AT, "amount": -12.5}.items()
    assert document["feedback"][0].items() >= {"action": "nurture", "reason": "later", "by": None}.items()
    assert score in {row["score_id"] for row in document["scores"]}
    times = [
        row[name] for rows in document.values() if isinstance(rows, list) for row in rows for name in row if name.endswith("_at") or name == "at"
    ]
    assert all(time is None or parse_instant(time) for time in times)


def test_the_same_as_files_that_a_spreadsheet_does_not_run(client: TestClient) -> None:
    id = full(client, "files")
    response = client.get(f"/v1/leads/{id}?format=csv")
    assert response.headers["content-type"] == "application/zip"
    assert response.headers["content-disposition"] == 'attachment; filename="lead.zip"'
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        files = {name: list(csv.DictReader(io.StringIO(archive.read(name).decode("utf-8-sig")))) for name in archive.namelist()}
    assert set(files) == {f"{name}.csv" for name in HeldAnswer.model_fields}
    assert (files["lead.csv"][0]["note"], files["lead.csv"][0]["budget"]) == (f"'{FORMULA}", "-6")
    assert (files["events.csv"][0]["detail"], files["deals.csv"][0]["amount"]) == ("'+46 70 12", "-12.5")
    assert refusal(client.get(f"/v1/leads/{id}?format=xml"))[:2] == (422, "MalformedBody")


def test_a_lead_that_is_not_there(client: TestClient) -> None:
    calls = [("GET", "/v1/leads/nobody"), ("DELETE", "/v1/leads/nobody"), ("GET", "/v1/leads/-"), ("DELETE", "/v1/leads/-")]
    for method, path in calls:
        assert refusal(client.request(method, path))[:2] == (404, "UnknownLead")
    assert refusal(client.post("/v1/leads/nobody/merge", json={"other": "x"}))[:2] == (404, "UnknownLead")
    assert refusal(client.post("/v1/feedback", json={"lead_id": "nobody", "useful": True}))[:2] == (404, "UnknownLead")


def test_two_leads_become_one_with_both_histories(client: TestClient) -> None:
    into, other = full(client, "into"), full(client, "other")
    response = client.post(f"/v1/leads/{into}/merge", json={"other": f"C-{other}"})
    MergeAnswer.model_validate_json(response.content)
    assert response.json() == {"status": "updated", "lead_id": into, "merged": f"C-{other}"}
    document = held(client, other)
    assert document["lead"]["lead_id"] == into
    assert {row["event_id"] for row in document["events"]} == {f"E-{into}", f"E-{other}"}
    assert {row["external_id"] for row in document["aliases"]} == {f"C-{into}", f"C-{other}", other}
    again = client.post(f"/v1/leads/{into}/merge", json={"other": other})
    assert again.json() == {"status": "unchanged", "lead_id": into, "merged": other}


def test_what_can_not_be_merged(client: TestClient) -> None:
    id, gone = full(client, "stays"), full(client, "gone")
    client.delete(f"/v1/leads/{gone}")
    assert refusal(client.post(f"/v1/leads/{id}/merge", json={"other": id}))[:2] == (409, "Conflict")
    assert refusal(client.post(f"/v1/leads/{id}/merge", json={"other": "nobody"}))[:2] == (404, "UnknownLead")
    assert refusal(client.post(f"/v1/leads/{id}/merge", json={"other": gone}))[:2] == (410, "Erased")
    assert refusal(client.post(f"/v1/leads/{gone}/merge", json={"other": id}))[:2] == (410, "Erased")
    for body in ({}, {"other": ""}, {"other": "-"}, {"other": [id]}, {"other": id, "more": 1}, [], 5):
        assert refusal(client.post(f"/v1/leads/{id}/merge", json=body))[:2] == (422, "MalformedBody")


def test_feedback_is_kept_alone_and_in_lists(client: TestClient) -> None:
    id = full(client, "rated")
    items: list[Any] = [
        {"lead_id": f"C-{id}", "stage": "MQL", "action": "advance", "by": "kim"},
        {"lead_id": id, "useful": False, "score_id": "s-1", "reason": "no budget"},
        {"lead_id": "nobody", "useful": True},
        {"lead_id": id},
        {"lead_id": id, "stage": "boiling"},
        {"lead_id": id, "action": "boil"},
        {"lead_id": id, "useful": True, "more": 1},
        {"lead_id": id, "reason": "a\0b"},
        {"lead_id": "-", "useful": True},
        5,
    ]
    response = client.post("/v1/feedback", json={"items": items})
    IngestAnswer.model_validate_json(response.content)
    refused = ["UnknownLead", "MalformedBody", "UnknownStage", "MalformedBody", "MalformedBody", "MalformedBody", "UnknownLead", "MalformedBody"]
    assert statuses(response.json()["results"]) == ["created", "created", *refused]
    kept = held(client, id)["feedback"][1:]
    assert [(row["stage"], row["action"], row["useful"], row["by"]) for row in kept] == [
        ("prospect", "advance", None, "kim"),
        (None, None, False, None),
    ]
    for item, result in zip(items[2:], response.json()["results"][2:], strict=True):
        assert refusal(client.post("/v1/feedback", json=item))[1] == result["error"]
    assert client.post("/v1/feedback", json={"items": items[:1] * 100}).status_code == 200
    assert refusal(client.post("/v1/feedback", json={"items": items[:1] * 101}))[:2] == (422, "MalformedBody")


def everything(client: TestClient) -> str:
    """All text that the store holds."""
    with store_of(client).engine.connect() as connection:
        return "\n".join(str(row) for table in METADATA.sorted_tables if table.name != "bundles" for row in connection.execute(sa.select(table)))


def test_erasure_leaves_nothing_and_says_so(client: TestClient) -> None:
    id = full(client, "erased-lead")
    score = scored(client, id)
    assert id in everything(client)
    response = client.delete(f"/v1/leads/C-{id}", headers={"X-Request-ID": "receipt-1"})
    ErasureAnswer.model_validate_json(response.content)
    receipt = response.json()
    assert (receipt["receipt_id"], receipt["lead_id"], receipt["spools_cleared"]) == ("receipt-1", f"C-{id}", True)
    expected = {"leads": 1, "events": 1, "stages": 1, "deals": 1, "changes": 2, "aliases": 1, "feedback": 1}
    assert {name: count for name, count in receipt["erased"].items() if name in expected} == expected
    assert receipt["erased"]["scores"] >= 1
    left = everything(client).replace(f"A-{id}", "")
    assert id not in left
    with store_of(client).engine.connect() as connection:
        assert connection.scalar(sa.select(ERASED_SCORES.c.score_id).where(ERASED_SCORES.c.score_id == score)) == score
        assert connection.scalar(sa.select(AUDIT.c.status).where(AUDIT.c.request_id == "receipt-1")) == 200
    for name in (id, f"C-{id}"):
        assert refusal(client.get(f"/v1/leads/{name}"))[:2] == (410, "Erased")
        assert statuses(sent(client, "PUT", f"/v1/leads/{name}", {})) == ["Erased"]
        assert statuses(sent(client, "POST", "/v1/events", {"items": [{"lead_id": name, "occurred_at": AT, "type": "call"}]})) == ["Erased"]
    assert statuses(sent(client, "PUT", "/v1/leads/new", {"aliases": [{"object": "contact", "external_id": f"C-{id}"}]})) == ["Erased"]
    again = client.delete(f"/v1/leads/{id}").json()
    assert again["erased_at"] > receipt["erased_at"]
    assert sum(again["erased"].values()) == 0


def test_a_score_on_its_way_does_not_bring_an_erased_lead_back(client: TestClient) -> None:
    """What was answered a moment before, and what is answered after, is not in the ledger once the receipt is there."""
    id = full(client, "on-its-way")
    for _ in range(5):
        client.post("/v1/score", json={"lead": {"lead_id": id}})
    assert client.delete(f"/v1/leads/{id}").json()["spools_cleared"] is True
    client.post("/v1/score", json={"lead": {"lead_id": id}})
    client.delete(f"/v1/leads/{id}")
    with store_of(client).engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).where(SCORES.c.lead_id == id)) == 0


def test_a_lead_that_was_only_scored_is_held_explained_and_erased_at_once(client: TestClient) -> None:
    """The ledger alone knows it, and the spool alone a moment before."""
    id = "only scored"
    lead = {"lead": {"lead_id": id, "created_at": "2026-05-01T08:00:00Z"}}
    score = client.post("/v1/score", json=lead).json()["score_id"]
    assert client.get(f"/v1/scores/{score}").status_code == 200
    document = held(client, id)
    HeldAnswer.model_validate(document)
    assert [row["score_id"] for row in document.pop("scores")] == [score]
    assert not any(document.values())
    assert client.get(f"/v1/leads/{id}?format=csv").status_code == 200
    history = client.get(f"/v1/leads/%20{id}%20/history").json()
    assert [(item["score_id"], item["change"]) for item in history["items"]] == [(score, None)]
    assert refusal(client.get(f"/v1/leads/{id}/score"))[:2] == (404, "UnknownLead")
    assert client.delete(f"/v1/leads/{id}").json()["erased"]["scores"] == 1
    assert refusal(client.get(f"/v1/leads/{id}/history"))[:2] == (410, "Erased")
    client.post("/v1/score", json={"lead": lead["lead"] | {"lead_id": "just scored"}})
    assert client.delete("/v1/leads/just scored").json()["erased"]["scores"] == 1
    assert refusal(client.delete("/v1/leads/never scored"))[:2] == (404, "UnknownLead")


def test_no_log_line_says_who_a_lead_is(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        full(client, EMAIL)
        for method, path in (("GET", ""), ("GET", "?format=csv"), ("POST", "/merge"), ("DELETE", ""), ("GET", "")):
            client.request(method, f"/v1/leads/{EMAIL}{path}", json={"other": f"2{EMAIL}"} if method == "POST" else None)
    ours = [JsonLines().format(record) for record in caplog.records if record.name.startswith("leadscore")]
    assert len(ours) > 5
    assert not [line for line in ours if "planted" in line]


def test_each_call_needs_its_scope_and_feedback_says_who_gave_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'leadscore.db'}"
    with open_store(url) as store:
        keys = {scope: store.create_key([scope], owner="kim" if scope == "ingest" else None, name="crm")[0] for scope in ("ingest", "read", "admin")}
    with crm(url, tmp_path, key=keys["ingest"]) as client:
        id = full(client, "keyed")
        assert refusal(client.get(f"/v1/leads/{id}"))[:2] == (403, "Forbidden")
        assert refusal(client.delete(f"/v1/leads/{id}"))[:2] == (403, "Forbidden")
        reading = {"Authorization": f"Bearer {keys['read']}"}
        assert client.get(f"/v1/leads/{id}", headers=reading).json()["feedback"][0]["by"] == "kim"
        for route in (*ingest.ROUTES, *leads.ROUTES):
            path = route.path.format(lead_id=id, account_id="A")
            allowed = client.request(route.method, path, headers=reading).status_code != 403
            assert allowed == (route.scope == "read"), route.path
        assert client.delete(f"/v1/leads/{id}", headers={"Authorization": f"Bearer {keys['admin']}"}).status_code == 200
