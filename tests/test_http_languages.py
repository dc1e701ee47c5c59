"""Answers in the language that a call asks for: scores just made, and those that the store has kept."""

import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from bundles import store_at
from data.schema import QUEUE
from data.store import Store
from service import LEAD, running, stamp, with_champion
from serving.answers import BatchAnswer, ScoreAnswer
from serving.answers_ledger import HistoryAnswer, StoredScore
from serving.answers_queue import QueueAnswer
from serving.words import LANGUAGES, Words

OTHERS = [language for language in LANGUAGES if language != "en"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, Store]]:
    folder = with_champion(tmp_path_factory.mktemp("service"))
    with store_at(folder) as store, running(folder) as client:
        now = int(time.time())
        client.put("/v1/leads/L-1", json={"created_at": stamp(now - 90_000), "budget": 20_000}).raise_for_status()
        events = [{"event_id": "E-1", "lead_id": "L-1", "occurred_at": stamp(now - 3_600), "type": "pricing_page_view"}]
        client.post("/v1/events", json={"items": events}).raise_for_status()
        yield client, store


@pytest.fixture
def client(served: tuple[TestClient, Store]) -> TestClient:
    return served[0]


def asked(client: TestClient, path: str, language: str | None) -> Any:
    response = client.get(path, headers={"Accept-Language": language} if language else {})
    assert response.status_code == 200, response.text
    return response.json()


def stored(client: TestClient) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        response = client.get("/v1/leads/L-1/score")
        if response.status_code == 200 and not response.json()["stale"]:
            return dict(response.json())
        time.sleep(0.02)
    raise AssertionError(response.text)


def numbers(document: Any) -> Any:
    """The document without what is told in words, and without what differs from call to call."""
    if isinstance(document, dict):
        return {name: numbers(part) for name, part in document.items() if name not in ("text", "next_step", "question", "because", "score_id")}
    if isinstance(document, list):
        return [numbers(part) for part in document]
    return document


def words_of(document: Any) -> list[str]:
    if isinstance(document, dict):
        own = [part for name, part in document.items() if name in ("text", "next_step", "question") and isinstance(part, str)]
        facts = [fact for name, part in document.items() if name == "because" for fact in part]
        return own + facts + [text for part in document.values() for text in words_of(part)]
    return [text for part in document for text in words_of(part)] if isinstance(document, list) else []


@pytest.mark.parametrize("language", OTHERS)
def test_a_score_is_told_in_the_language_and_is_the_same_score(client: TestClient, language: str) -> None:
    english = client.post("/v1/score", json=LEAD).json()
    told = client.post("/v1/score", json=LEAD, headers={"Accept-Language": f"fr, {language};q=0.5"}).json()
    ScoreAnswer.model_validate(told)
    assert numbers(told) == numbers(english)
    assert len(words_of(told)) == len(words_of(english)) >= 3
    assert not set(words_of(told)) & set(words_of(english))


def test_without_a_wish_and_with_one_that_cannot_be_met_it_is_english(client: TestClient) -> None:
    english = client.post("/v1/score", json=LEAD, headers={"Accept-Language": "en"}).json()
    for header in ("fr", "*", "", "en-GB,sv;q=0.5"):
        assert words_of(client.post("/v1/score", json=LEAD, headers={"Accept-Language": header}).json()) == words_of(english)
    assert "Viewed the pricing page" in english["reasons"][0]["text"] + english["reasons"][-1]["text"]


def test_a_batch_is_told_in_the_language(client: TestClient) -> None:
    body = {"items": [LEAD, {"lead": 5}]}
    told = client.post("/v1/score/batch", json=body, headers={"Accept-Language": "sv"}).json()
    BatchAnswer.model_validate(told)
    alone = client.post("/v1/score", json=LEAD, headers={"Accept-Language": "sv"}).json()
    assert words_of(told["results"][0]) == words_of(alone)
    assert set(told["results"][1]) == {"error", "detail"}


@pytest.mark.parametrize("language", OTHERS)
def test_a_stored_score_is_told_in_any_language(client: TestClient, language: str) -> None:
    english = stored(client)
    told = asked(client, "/v1/leads/L-1/score", language)
    StoredScore.model_validate(told)
    assert numbers(told) == numbers(english)
    assert not set(words_of(told)) & set(words_of(english))


def test_what_is_stored_is_english_and_told_as_it_was(served: tuple[TestClient, Store]) -> None:
    client, store = served
    english = stored(client)
    with store.engine.connect() as connection:
        kept = orjson.loads(connection.scalar(sa.select(QUEUE.c.answer).where(QUEUE.c.until.is_(None))) or "{}")
    assert "recommendation.text" in kept.pop("said")
    assert {name: english[name] for name in kept} == kept


def test_the_queue_is_told_in_the_language(client: TestClient) -> None:
    stored(client)
    english, told = (asked(client, "/v1/queue", language)["items"] for language in (None, "de"))
    QueueAnswer.model_validate(asked(client, "/v1/queue", "de"))
    assert len(told[0]["reasons"]) == len(english[0]["reasons"]) > 0
    assert not set(told[0]["reasons"]) & set(english[0]["reasons"])
    if english[0]["next_step"] is not None:
        assert told[0]["next_step"] == Words("de").text(english[0]["next_step"]) != english[0]["next_step"]


def test_why_a_score_changed_is_told_in_the_language(client: TestClient) -> None:
    stored(client)
    event = {"event_id": "E-2", "lead_id": "L-1", "occurred_at": stamp(int(time.time()) - 60), "type": "pricing_page_view"}
    client.post("/v1/events", json={"items": [event]}).raise_for_status()
    deadline = time.monotonic() + 30
    while not (english := changes(asked(client, HISTORY, None))) and time.monotonic() < deadline:
        time.sleep(0.05)
    document = asked(client, HISTORY, "nb")
    HistoryAnswer.model_validate(document)
    told = changes(document)
    assert english
    for score_id, change in english.items():
        assert numbers(told[score_id]) == numbers(change)
        assert len(words_of(told[score_id])) == len(change["moved"]) > 0
        assert not set(words_of(told[score_id])) & set(words_of(change))


def changes(history: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By score; of two scores in one instant nothing need have moved."""
    return {item["score_id"]: item["change"] for item in history["items"] if item["change"] and item["change"]["moved"]}


HISTORY = "/v1/leads/L-1/history"


def test_the_contract_tells_of_the_header(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    for path, method in (("/v1/score", "post"), ("/v1/score/batch", "post"), ("/v1/queue", "get"), (HISTORY.replace("L-1", "{lead_id}"), "get"),
                         ("/v1/leads/{lead_id}/score", "get")):  # fmt: skip
        assert "Accept-Language" in [parameter["name"] for parameter in paths[path][method]["parameters"]], path
