"""Scoring over HTTP: the answer's shape and sums, every refusal, and batches that mix good and bad."""

import json
from collections.abc import Iterator
from math import exp, log
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from bundles import SCHEMA, Bundle, Linear, bundle, hop
from data.contract import parse_instant
from data.funnel import Funnel
from service import LEAD, refusal, running, with_champion
from serving.answers import BatchAnswer, Health, Readiness, ScoreAnswer
from serving.answers_model import ModelAnswer
from serving.calls.scoring import _scored
from serving.errors import InternalError
from serving.scorer import Scorer

NOW = parse_instant("2026-06-01T00:00:00Z")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with running(with_champion(tmp_path_factory.mktemp("store"))) as client:
        yield client


def score(client: TestClient, body: Any = LEAD, query: str = "") -> dict[str, Any]:
    response = client.post(f"/v1/score{query}", json=body)
    assert response.status_code == 200, response.text
    ScoreAnswer.model_validate_json(response.content)
    answer: dict[str, Any] = response.json()
    return answer


def test_the_answer_is_what_the_model_says(client: TestClient) -> None:
    answer = score(client)
    logit = -1.2 + 0.5 + 0.3 + 0.2
    assert answer["probability"] == pytest.approx(1 / (1 + exp(-logit)), abs=1e-12)
    assert (answer["lead_id"], answer["stage"], answer["as_of"]) == ("L-1", "lead", "2026-06-01T00:00:00Z")
    assert list(answer["transitions"]) == ["lead->prospect", "prospect->opportunity"]
    first, second = answer["transitions"].values()
    assert answer["reach"] == {"prospect": first["probability"], "opportunity": first["probability"] * second["probability"]}
    assert first["low"] < first["probability"] < first["high"]
    assert answer["model"] == {"version": "1", "trained_at": "2026-11-01T00:00:00Z"}


@pytest.mark.parametrize("query", ["", "?reasons=top", "?reasons=all"])
def test_reasons_add_up_to_the_probability(client: TestClient, query: str) -> None:
    answer = score(client, query=query)
    told = answer["base"] + answer["other"] + sum(reason["effect"] for reason in answer["reasons"])
    assert told == pytest.approx(log(answer["probability"] / (1 - answer["probability"])), abs=1e-9)


def test_an_event_after_as_of_changes_nothing_and_one_at_as_of_counts(client: TestClient) -> None:
    def with_view(at: str) -> float:
        view = {"occurred_at": at, "type": "pricing_page_view"}
        return float(score(client, LEAD | {"events": [*LEAD["events"], view]})["probability"])

    before, after, at = score(client)["probability"], with_view("2026-06-01T00:00:00.000001Z"), with_view("2026-06-01T00:00:00Z")
    assert before == after < at


def test_a_lead_without_anything_is_scored_with_warnings(client: TestClient) -> None:
    answer = score(client, {"lead": {}})
    assert answer["lead_id"] is None
    assert any("created_at" in warning for warning in answer["warnings"])


def test_unknown_attributes_and_types_warn(client: TestClient) -> None:
    odd = LEAD | {"lead": LEAD["lead"] | {"shoe_size": 44}, "events": [{"occurred_at": "2026-05-02", "type": "seance"}]}
    warnings = " ".join(score(client, odd)["warnings"])
    assert "shoe_size" in warnings
    assert "seance" in warnings


def test_a_prospect_has_one_transition_and_an_exit_none(client: TestClient) -> None:
    assert list(score(client, LEAD | {"stage": "prospect"})["transitions"]) == ["prospect->opportunity"]
    gone = score(client, LEAD | {"stage": "lost"})
    assert (gone["transitions"], gone["probability"]) == ({}, None)


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ({"as_of": "2999-01-01T00:00:00Z"}, "FutureAsOf", "as_of"),
        ({"stage": "wizard"}, "UnknownStage", "stage must be one of"),
        ({"as_of": "2026-04-01T00:00:00Z"}, "NotYetCreated", "created_at"),
        ({"lead": 5}, "MalformedBody", "lead must be an object"),
    ],
)
def test_a_refused_lead(client: TestClient, change: dict[str, Any], error: str, told: str) -> None:
    status, name, detail = refusal(client.post("/v1/score", json=LEAD | change))
    assert (status, name) == (422, error)
    assert told in detail


@pytest.mark.parametrize("body", ["", "no", "{", "[[[[", "\x00", '{"lead": {"budget": NaN}}', '{"a":' * 5000, "9" * 4000])
@pytest.mark.parametrize("path", ["/v1/score", "/v1/score/batch"])
def test_a_body_that_is_no_request(client: TestClient, path: str, body: str) -> None:
    response = client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert refusal(response)[:2] == (422, "MalformedBody")


def test_reasons_must_be_top_or_all(client: TestClient) -> None:
    assert refusal(client.post("/v1/score?reasons=some", json=LEAD))[:2] == (422, "MalformedBody")


@pytest.mark.parametrize("size, status", [(100_000, 200), (100_001, 413)])
def test_both_sides_of_the_body_limit(client: TestClient, size: int, status: int) -> None:
    body = json.dumps(LEAD)
    response = client.post("/v1/score", content=body + " " * (size - len(body)), headers={"Content-Type": "application/json"})
    assert response.status_code == status
    if status == 413:
        assert refusal(response)[1] == "TooLarge"


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("GET", "/nowhere", 404, "NotFound"),
        ("GET", "/v1/", 404, "NotFound"),
        ("POST", "/v1/score/", 404, "NotFound"),
        ("GET", "/v1/score", 405, "MethodNotAllowed"),
        ("DELETE", "/v1/model", 405, "MethodNotAllowed"),
        ("OPTIONS", "/v1/score", 405, "MethodNotAllowed"),
    ],
)
def test_what_is_not_served(client: TestClient, method: str, path: str, status: int, error: str) -> None:
    response = client.request(method, path)
    assert refusal(response)[:2] == (status, error)
    assert ("allow" in response.headers) == (status == 405)


def test_a_batch_answers_each_item_in_order(client: TestClient) -> None:
    emoji = LEAD | {"lead": LEAD["lead"] | {"lead_id": "🦄 Ünï \u0000", "huge": 10**200}}
    items = [LEAD, 5, emoji, {"lead": {"a": []}}, LEAD | {"as_of": "2999-01-01"}, None, LEAD]
    response = client.post("/v1/score/batch", json={"items": items})
    assert response.status_code == 200
    BatchAnswer.model_validate_json(response.content)
    results = response.json()["results"]
    assert [r.get("error", "") for r in results] == ["", "MalformedBody", "", "MalformedBody", "FutureAsOf", "MalformedBody", ""]
    assert results[2]["lead_id"] == emoji["lead"]["lead_id"]
    assert results[0]["probability"] == results[6]["probability"] == score(client)["probability"]
    assert results[0]["score_id"] != results[6]["score_id"]


def test_both_sides_of_the_batch_limit(client: TestClient) -> None:
    assert len(client.post("/v1/score/batch", json={"items": [{"lead": {}}] * 1000}).json()["results"]) == 1000
    status, error, detail = refusal(client.post("/v1/score/batch", json={"items": [{"lead": {}}] * 1001}))
    assert (status, error) == (422, "MalformedBody")
    assert "1000" in detail


def test_an_item_that_breaks_the_program_fails_alone_and_is_not_quoted(caplog: pytest.LogCaptureFixture) -> None:
    narrow = Linear(0.0, *[bundle().hops[0].model.coefficient[:3]] * 7)  # type: ignore[attr-defined, arg-type]
    broken = Bundle(SCHEMA, ("lead", "prospect"), (hop("lead", "lead->prospect", narrow),), Funnel().training_document(), {})
    (failed,) = _scored(Scorer.of(broken, "2", Funnel()), [LEAD], NOW, False)
    assert isinstance(failed, InternalError)
    assert "L-1" not in failed.document["detail"]


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(st.characters(codec="utf-8"), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["lead", "events", "stages", "stage", "as_of", "type", "occurred_at", "items"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=60)
@given(body=JSON)
def test_no_body_ever_breaks_the_service(client: TestClient, body: Any) -> None:
    for path in ("/v1/score", "/v1/score/batch"):
        response = client.post(path, content=json.dumps(body), headers={"Content-Type": "application/json"})
        assert response.status_code in (200, 422)
        if response.status_code == 422:
            refusal(response)


def test_the_model_page_of_the_api(client: TestClient) -> None:
    response = client.get("/v1/model")
    answer = ModelAnswer.model_validate_json(response.content)
    made = bundle()
    assert (answer.version, answer.hash, answer.schema_hash) == ("1", made.hash, made.schema.hash)
    assert answer.transitions["lead->prospect"].evaluation["test"] == {"auc": 0.8, "brier": 0.1}
    assert answer.transitions["prospect->opportunity"].candidate == "base_rate"
    assert [(m.stage, m.transition) for m in answer.ahead] == [("lead", "prospect->opportunity")]


def test_the_probes(client: TestClient) -> None:
    Health.model_validate_json(client.get("/healthz").content)
    ready = Readiness.model_validate_json(client.get("/readyz").content)
    assert (ready.ready, ready.version, ready.down) == (True, "1", [])


def test_a_request_id_is_kept_or_made(client: TestClient) -> None:
    assert client.get("/healthz", headers={"X-Request-ID": "crm-42"}).headers["x-request-id"] == "crm-42"
    odd = client.get("/healthz", headers={"X-Request-ID": "a b"}).headers["x-request-id"]
    assert len(odd) == 16


def test_nothing_is_promoted_yet(tmp_path: Path) -> None:
    with running(tmp_path, ready=False) as client:
        for path in ("/v1/score", "/v1/score/batch"):
            status, error, detail = refusal(client.post(path, json={"lead": {}} if path == "/v1/score" else {"items": []}))
            assert (status, error) == (503, "NoChampion")
            assert "leadscore train" in detail
        assert refusal(client.get("/v1/model"))[:2] == (503, "NoChampion")
        ready = client.get("/readyz")
        assert ready.status_code == 503
        assert Readiness.model_validate_json(ready.content).down == ["champion"]
        assert client.get("/healthz").status_code == 200
