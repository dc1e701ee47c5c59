"""What a CRM sends to be kept: each item answered for itself, in every form that a body may have, on both databases."""

import itertools
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from bundles import bundle
from crm import EMAIL, NDJSON, crm, held, ndjson, sent, statuses, store_of, url_of
from data.contract import parse_instant
from data.facts import facts_of
from data.funnel import Funnel
from data.schema import PENDING
from databases import NewDatabase
from service import refusal
from serving import rows
from serving.answers_leads import IngestAnswer
from serving.contract import MAX_NAME, MAX_NUMBER, MAX_ROWS, ScoreRequest
from serving.errors import MalformedBody
from serving.scorer import Scorer

AT = "2026-05-02T10:00:00Z"
NUMBERS = itertools.count()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("home")
    with crm(url_of(request.param, folder, new_database), folder) as client:
        yield client


def lead(client: TestClient, id: str, **columns: Any) -> str:
    results = sent(client, "PUT", f"/v1/leads/{id}", {"created_at": "2026-05-01T08:00:00Z"} | columns)
    assert statuses(results) == ["created"]
    return id


def event(lead_id: str, **columns: Any) -> dict[str, Any]:
    return {"lead_id": lead_id, "occurred_at": AT, "type": "call"} | columns


def test_each_item_is_answered_for_itself_in_order(client: TestClient) -> None:
    id = lead(client, "order")
    items = [event(id, event_id="order-1"), event("nobody"), {"lead_id": id}, event(id, event_id="order-1"), 7, event(id, occurred_at="02/03/2026")]
    response = client.post("/v1/events", json={"items": items})
    IngestAnswer.model_validate_json(response.content)
    results = response.json()["results"]
    assert statuses(results) == ["created", "UnknownLead", "MalformedBody", "unchanged", "MalformedBody", "MalformedBody"]
    assert results[0] == {"status": "created", "id": "order-1", "detail": None}
    assert "occurred_at must be given" in results[2]["detail"]
    assert [row["event_id"] for row in held(client, id)["events"]] == ["order-1"]


@pytest.mark.parametrize(
    ("path", "row"),
    [
        ("/v1/events", {"occurred_at": AT, "type": "call", "event_id": "once"}),
        ("/v1/events", {"occurred_at": AT, "type": "call"}),
        ("/v1/stages", {"entered_at": AT, "stage": "prospect"}),
        ("/v1/deals", {"deal_id": "D-1", "opened_at": AT}),
    ],
)
def test_the_same_again_changes_nothing_in_either_form(client: TestClient, path: str, row: dict[str, Any]) -> None:
    items = [row | {"lead_id": lead(client, f"again{path.replace('/', '-')}-{len(row)}")}]
    assert statuses(sent(client, "POST", path, {"items": items})) == ["created"]
    for body in (ndjson(items), ndjson(items) + b"\n", b"\n \r\n" + ndjson(items) + b"\r\n\n"):
        response = client.post(path, content=body, headers=NDJSON)
        assert statuses(response.json()["results"]) == ["unchanged"]


def test_a_line_that_is_no_json_fails_alone(client: TestClient) -> None:
    id = lead(client, "lines")
    body = b"\n".join([ndjson([event(id)]), b'{"lead_id": "lines"', b"", b"\xff", b"nul", ndjson([event(id, type="mail")])])
    results = client.post("/v1/events", content=body, headers=NDJSON).json()["results"]
    assert statuses(results) == ["created", "MalformedBody", "MalformedBody", "MalformedBody", "created"]
    assert "line 2 " in results[1]["detail"]
    assert "line 5 " in results[3]["detail"]


@pytest.mark.parametrize("body", [[], {}, {"items": {}}, {"items": [], "more": 1}, event("x"), 5, "items"])
def test_a_body_of_another_shape_is_refused_as_a_whole(client: TestClient, body: Any) -> None:
    for path in ("/v1/events", "/v1/stages", "/v1/deals"):
        status, error, detail = refusal(client.post(path, json=body))
        assert (status, error) == (422, "MalformedBody")
        assert '{"items": [...]}' in detail


@pytest.mark.parametrize("body", [b"", b"{", b'{"items": [\xff]}', b'{"items": ["\\ud800"]}', b"[" * 100_000])
def test_a_body_that_is_no_json_is_refused_as_a_whole(client: TestClient, body: bytes) -> None:
    for method, path in (("POST", "/v1/events"), ("PUT", "/v1/leads/whole"), ("POST", "/v1/feedback")):
        response = client.request(method, path, content=body, headers={"Content-Type": "application/json"})
        assert refusal(response)[:2] == (422, "MalformedBody")


def test_nothing_sent_is_nothing_answered(client: TestClient) -> None:
    assert sent(client, "POST", "/v1/events", {"items": []}) == []
    assert sent(client, "PUT", "/v1/leads/nothing", {"items": []}) == []
    assert client.post("/v1/events", content=b"\n\n", headers=NDJSON).json() == {"results": []}


def test_as_many_as_allowed_and_one_more(client: TestClient) -> None:
    id = lead(client, "many")
    items = [event(id, event_id=f"many-{n}") for n in range(MAX_ROWS)]
    for ending in (b"", b"\n", b"\n\n \n"):
        results = client.post("/v1/events", content=ndjson(items) + ending, headers=NDJSON).json()["results"]
        assert len(results) == MAX_ROWS
    assert set(statuses(sent(client, "POST", "/v1/events", {"items": items}))) == {"unchanged"}
    more = [*items, items[0]]
    for response in (client.post("/v1/events", json={"items": more}), client.post("/v1/events", content=ndjson(more), headers=NDJSON)):
        status, error, detail = refusal(response)
        assert (status, error) == (422, "MalformedBody")
        assert "at most 10,000 rows" in detail


def test_a_lead_is_put_flat_as_items_or_as_lines(client: TestClient) -> None:
    assert statuses(sent(client, "PUT", "/v1/leads/forms", {"budget": 5})) == ["created"]
    history = [
        {"lead_id": "forms", "budget": 7, "changed_at": "2026-05-03T00:00:00Z"},
        {"budget": 6, "changed_at": "2026-05-02T00:00:00Z"},
        {"lead_id": "another"},
        {"budget": [1]},
    ]
    results = sent(client, "PUT", "/v1/leads/forms", {"items": history})
    assert statuses(results)[2:] == ["MalformedBody", "MalformedBody"]
    assert "lead_id must be the one in the path" in results[2]["detail"]
    lines = client.put("/v1/leads/forms", content=ndjson([{"budget": 8}, {"owner": "kim"}]), headers=NDJSON).json()["results"]
    assert statuses(lines) == ["updated", "updated"]
    document = held(client, "forms")
    assert (document["lead"]["budget"], document["lead"]["owner"]) == ("8", "kim")
    assert {"6", "7", "8"} <= {change["value"] for change in document["changes"]}


def test_an_account_is_put_likewise(client: TestClient) -> None:
    assert statuses(sent(client, "PUT", "/v1/accounts/A-9", {"employees": 800})) == ["created"]
    assert statuses(sent(client, "PUT", "/v1/accounts/A-9", {"items": [{"employees": 800}, {"employees": 900}]})) == ["unchanged", "updated"]
    assert held(client, lead(client, "employee", account_id="A-9"))["account"]["employees"] == "900"


@pytest.mark.parametrize("body", [[], 5, {"budget": [1]}, {"created_at": "yesterday"}, {"lead_id": "other"}, {"aliases": "C"}, {"x": {"y": 1}}])
def test_a_flat_body_that_is_malformed_is_refused_as_a_whole(client: TestClient, body: Any) -> None:
    assert refusal(client.put("/v1/leads/malformed", json=body))[:2] == (422, "MalformedBody")
    assert client.get("/v1/leads/malformed").status_code == 404


def test_ids_in_paths_are_any_text(client: TestClient) -> None:
    for written, id in (("a%2Fb", "a/b"), ("%20x%20", "x"), ("5.0", "5"), ("%C3%A5", "å"), ("a%3Fb%23c", "a?b#c")):
        assert sent(client, "PUT", f"/v1/leads/{written}", {"lead_id": id})[0]["id"] == id
        assert held(client, written)["lead"]["lead_id"] == id
    assert refusal(client.put("/v1/leads/n%2Fa", json={}))[:2] == (422, "MalformedBody")
    assert refusal(client.put("/v1/accounts/-", json={}))[:2] == (422, "MalformedBody")


def test_every_call_accepts_an_alias(client: TestClient) -> None:
    id = lead(client, "own", aliases=[{"object": "contact", "external_id": "other-name"}, {"object": "record", "external_id": 77}])
    assert sent(client, "PUT", "/v1/leads/other-name", {"budget": 1})[0] == {"status": "updated", "id": id, "detail": None}
    for path, row in (("events", event("77")), ("stages", {"entered_at": AT, "stage": "prospect"}), ("deals", {"deal_id": "D", "opened_at": AT})):
        assert statuses(sent(client, "POST", f"/v1/{path}", {"items": [row | {"lead_id": 77}]})) == ["created"]
    document = held(client, "other-name")
    assert document["lead"]["lead_id"] == id
    assert [len(document[name]) for name in ("events", "stages", "deals", "aliases")] == [1, 1, 1, 2]


def test_further_columns_are_kept_and_must_be_flat(client: TestClient) -> None:
    id = lead(client, "further")
    results = sent(client, "POST", "/v1/events", {"items": [event(id, campaign="spring", rank=2), event(id, campaign=["spring"])]})
    assert statuses(results) == ["created", "MalformedBody"]
    assert "campaign" in results[1]["detail"]
    kept = held(client, id)["events"][0]
    assert (kept["campaign"], kept["rank"]) == ("spring", "2")


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ({"value": MAX_NUMBER}, {"value": MAX_NUMBER * 1.0001}),
        ({"type": "t" * MAX_NAME}, {"type": "t" * (MAX_NAME + 1)}),
        ({"detail": "d" * 10_000}, {"detail": "d" * 10_001}),
        ({"value": None}, {"value": "many"}),
        ({"recorded_at": "-"}, {"occurred_at": "-"}),
        ({"event_id": 5}, {"event_id": True}),
        ({"x": "ok"}, {"x": "\0"}),
        ({"x": 10**299}, {"x": 10**301}),
    ],
)
def test_both_ends_of_each_limit(client: TestClient, good: dict[str, Any], bad: dict[str, Any]) -> None:
    id = lead(client, f"limits-{next(NUMBERS)}")
    told = statuses(sent(client, "POST", "/v1/events", {"items": [event(id, **good), event(id, **bad)]}))
    assert told[0] == "created"
    assert told[1] in ("MalformedBody", "BadText")


@pytest.mark.parametrize(("query", "quiet"), [("", False), ("?backfill=false", False), ("?backfill=true", True)])
def test_a_backfill_is_quiet(client: TestClient, query: str, quiet: bool) -> None:
    id = f"backfill-{quiet}-{len(query)}"
    sent(client, "PUT", f"/v1/leads/{id}{query}", {"created_at": AT})
    sent(client, "POST", f"/v1/events{query}", {"items": [event(id)]})
    with store_of(client).engine.connect() as connection:
        marked = connection.scalar(sa.select(PENDING.c.quiet).where(PENDING.c.lead_id == id))
    # Rescored already where nothing is left of the mark.
    assert marked in (quiet, None)
    assert refusal(client.post("/v1/events?backfill=yes", json={"items": []}))[:2] == (422, "MalformedBody")


def test_stage_names_are_those_of_the_funnel(tmp_path: Path, home: Path) -> None:
    home.mkdir()
    (home / "funnel.toml").write_text('[stages]\nprospect = ["Warmed up"]\n', "utf-8")
    with crm(f"sqlite:///{tmp_path / 'leadscore.db'}", tmp_path) as client:
        id = lead(client, "staged")
        items = [{"lead_id": id, "entered_at": AT, "stage": stage} for stage in ("warmed-up", "boiling", "Lost")]
        assert statuses(sent(client, "POST", "/v1/stages", {"items": items})) == ["created", "UnknownStage", "created"]
        assert {row["stage"] for row in held(client, id)["stages"]} == {"warmed-up", "Lost"}


def test_no_refusal_repeats_who_it_is_about(client: TestClient) -> None:
    calls = [
        ("PUT", f"/v1/leads/{EMAIL}", {"lead_id": "another"}),
        ("PUT", f"/v1/leads/{EMAIL}", {"email": [EMAIL], "created_at": EMAIL}),
        ("PUT", f"/v1/leads/{EMAIL}", {"items": [{"changed_at": EMAIL}, {"aliases": [{"object": EMAIL}]}, [EMAIL]]}),
        ("POST", "/v1/events", {"items": [event(EMAIL), event(EMAIL, occurred_at=EMAIL), event(EMAIL, value=EMAIL), event(EMAIL, detail=[EMAIL])]}),
        ("POST", "/v1/deals", {"items": [{"lead_id": EMAIL, "deal_id": EMAIL, "opened_at": AT}]}),
        ("POST", "/v1/feedback", {"lead_id": EMAIL, "useful": True}),
        ("POST", "/v1/feedback", {"lead_id": EMAIL, "action": EMAIL}),
        ("POST", f"/v1/leads/{EMAIL}/merge", {"other": f"2{EMAIL}"}),
        ("GET", f"/v1/leads/{EMAIL}", None),
        ("DELETE", f"/v1/leads/{EMAIL}", None),
    ]
    for method, path, body in calls:
        response = client.request(method, path, json=body)
        assert EMAIL not in response.text, (method, path)
        assert response.status_code >= 400 or set(response.json()) == {"results"}


good_items = st.builds(lambda n: event("L", event_id=str(n)), st.integers(0, 10**6))
bad_items = st.sampled_from([5, None, {}, event("L", value="x"), event("L", occurred_at=5), event("L", more=[1]), MalformedBody("line 1")])


@given(st.integers(0, 1_100), st.dictionaries(st.sampled_from([0, 1, 498, 499, 500, 501, 998, 999, 1000, 1001]), bad_items))
@settings(deadline=None, max_examples=40)
def test_many_are_checked_as_one_by_one(n: int, bad: dict[int, Any]) -> None:
    items = [bad.get(place, event("L", event_id=str(place))) for place in range(n)]
    together, alone = rows.EVENTS.check(items), [rows.EVENTS.check([item])[0] for item in items]
    assert [str(found) for found in together] == [str(found) for found in alone]
    assert [isinstance(found, MalformedBody) for found in together] == [place in bad for place in range(n)]


def test_others_are_answered_while_one_waits_for_the_store(client: TestClient) -> None:
    """A store that is busy holds up who writes to it, and nobody else."""
    id, done, results = lead(client, "waiting"), threading.Event(), []

    def write() -> None:
        results.append(sent(client, "POST", "/v1/events", {"items": [event(id)]}))
        done.set()

    store = store_of(client)
    with store.engine.execution_options(write=True).begin() as connection:
        if store.engine.dialect.name == "postgresql":
            connection.execute(sa.text("LOCK TABLE events IN EXCLUSIVE MODE"))
        writing = threading.Thread(target=write)
        writing.start()
        assert client.get("/healthz").json() == {"status": "ok"}
        assert client.post("/v1/score", json={"lead": {"lead_id": id}}).status_code == 200
        assert not done.is_set()
    writing.join(30)
    assert statuses(results[0]) == ["created"]


values = st.sampled_from([20_000, 20_000.0, "20000", 1e22, 123456789012345678901234567890, 0.1, -5, "5.0", " 7 ", True, "-", None, "it", "1e3"])
instants = st.integers(0, 40).map(lambda n: f"2026-05-{1 + n % 28:02}T{n % 24:02}:{n:02}:00Z")
histories = st.lists(
    st.fixed_dictionaries(
        {"occurred_at": instants, "type": st.sampled_from(["pricing_page_view", "email_open", "call", "unheard"])},
        optional={"value": st.sampled_from([0, 1.5, 10**6]), "recorded_at": instants, "channel": st.just("web"), "campaign": st.just("x")},
    ),
    max_size=6,
)
spells = st.lists(st.fixed_dictionaries({"entered_at": instants, "stage": st.sampled_from(["prospect", "MQL", "lost", "lead"])}), max_size=2)


@given(st.dictionaries(st.sampled_from(["budget", "email", "shoe"]), values), values, histories, spells)
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_lead_from_the_store_is_scored_as_one_that_is_sent(
    client: TestClient, attributes: dict[str, Any], industry: Any, events: list[dict[str, Any]], stages: list[dict[str, Any]]
) -> None:
    id, scorer, now = f"parity-{next(NUMBERS)}", Scorer.of(bundle(), "1", Funnel()), parse_instant("2026-06-15T00:00:00Z")
    body = {"lead": {"created_at": "2026-05-01T08:00:00Z"} | attributes, "account": {"industry": industry}, "events": events, "stages": stages}
    asked = ScoreRequest.model_validate_json(json.dumps(body | {"lead": body["lead"] | {"lead_id": id}}))
    sent(client, "PUT", f"/v1/accounts/A-{id}", {"industry": industry})
    sent(client, "PUT", f"/v1/leads/{id}", body["lead"] | {"account_id": f"A-{id}"})
    sent(client, "POST", "/v1/events", {"items": [row | {"lead_id": id, "event_id": f"{id}-{place}"} for place, row in enumerate(events)]})
    sent(client, "POST", "/v1/stages", {"items": [row | {"lead_id": id} for row in stages]})
    facts = facts_of(store_of(client), [id])[id]
    stored = ScoreRequest.model_construct(
        lead=facts.lead, account=facts.account, events=facts.events, stages=facts.stages, deals=facts.deals, account_events=[], stage=None, as_of=None
    )
    told, kept = scorer.answer(asked, now), scorer.answer(stored, now)
    assert kept["transitions"] == told["transitions"]
    assert (kept["stage"], kept["probability"], kept["reach"], kept["reasons"]) == (
        told["stage"],
        told["probability"],
        told["reach"],
        told["reasons"],
    )
