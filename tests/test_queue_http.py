"""`GET /v1/queue` over the real service."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from bundles import store_at
from data.home import clock
from data.queue import KEPT, prune, publish
from data.schema import FEEDBACK
from data.store import Store
from queues import NOW, add_leads, scored
from service import refusal, running, with_champion
from serving.answers_queue import QueueAnswer
from serving.calls.queue import _Cursor
from serving.errors import MalformedBody

IDS = [f"L-{n:02}" for n in range(12)]
REASONS = [{"text": f"Reason {n}"} for n in range(5)]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, Store]]:
    folder = with_champion(tmp_path_factory.mktemp("service"))
    with store_at(folder) as store, running(folder) as client:
        add_leads(store, IDS)
        yield client, store


@pytest.fixture
def client(served: tuple[TestClient, Store]) -> TestClient:
    return served[0]


@pytest.fixture
def store(served: tuple[TestClient, Store]) -> Store:
    """With a queue in which L-00 is the likeliest, and L-11 has the highest expected value."""
    put(served[1], 0.0)
    return served[1]


def put(store: Store, more: float, ids: list[str] = IDS) -> None:
    answer = orjson.dumps({"reasons": REASONS}).decode()
    rows = [
        scored(id, 0.9 - n / 20 + more, value=100.0 * 4**n, owner="ann" if n % 2 else "Bö & co", answer=answer, score=90 - n)
        for n, id in enumerate(IDS)
        if id in ids
    ]
    publish(store, rows, [], NOW)


def get(client: TestClient, **asked: Any) -> dict[str, Any]:
    response = client.get("/v1/queue", params=asked)
    assert response.status_code == 200, response.text
    QueueAnswer.model_validate(response.json())
    return response.json()  # type: ignore[no-any-return]


def walked(client: TestClient, **asked: Any) -> list[str]:
    found, cursor = list[str](), {}
    while True:
        body = get(client, **asked, **cursor)
        found += [item["lead_id"] for item in body["items"]]
        assert len(found) == len(set(found))
        if body["next_cursor"] is None:
            return found
        cursor = {"cursor": body["next_cursor"]}


def test_an_item_says_whom_to_call_and_why(client: TestClient, store: Store) -> None:
    body = get(client, limit=1)
    (item,) = body["items"]
    assert item == {
        "lead_id": "L-00", "stage": "lead", "transition": "lead->prospect", "probability": 0.9, "low": 0.0, "high": 1.0, "horizon_days": 28,
        "score": 90, "grade": "C", "action": "nurture", "recommended_stage": "lead", "next_step": None, "owner": "Bö & co", "value": 100.0,
        "expected_value": 90.0, "trend": None, "as_of": "2027-01-15T08:00:00Z", "scored_at": "2027-01-15T08:00:00Z", "version": "1",
        "reasons": ["Reason 0", "Reason 1", "Reason 2"], "override": None, "handled": False, "stale": False,
    }  # fmt: skip
    assert body["freshness"] == {"oldest_scored_at": item["scored_at"], "newest_scored_at": item["scored_at"], "pending": 0}


def test_a_walk_is_not_moved_by_what_is_published_meanwhile(client: TestClient, store: Store) -> None:
    first = get(client, limit=5)
    put(store, 0.05, IDS[6:])
    put(store, -0.6, IDS[:6])
    second = get(client, limit=5, cursor=first["next_cursor"])
    third = get(client, limit=5, cursor=second["next_cursor"])
    assert [item["lead_id"] for body in (first, second, third) for item in body["items"]] == IDS
    assert first["snapshot"] == second["snapshot"] == third["snapshot"] < get(client)["snapshot"]
    assert walked(client, limit=5) == IDS[6:] + IDS[:6]


@pytest.mark.parametrize("limit", [1, 5, 12, 500])
def test_sorts_and_filters(client: TestClient, store: Store, limit: int) -> None:
    assert walked(client, limit=limit) == IDS
    assert walked(client, limit=limit, sort="expected_value") == IDS[::-1]
    assert walked(client, limit=limit, owner="Bö & co") == IDS[::2]
    assert walked(client, limit=limit, min_probability="0.5") == IDS[:9]
    assert walked(client, limit=limit, stage="lead", grade="C", action="nurture") == IDS
    assert walked(client, limit=limit, stage="prospect") == []


@pytest.mark.parametrize("capacity, limit", [(1, 50), (5, 2), (6, 2), (12, 12), (13, 5), (1_000_000, 3)])
def test_capacity_is_of_all_pages_together(client: TestClient, store: Store, capacity: int, limit: int) -> None:
    assert walked(client, capacity=capacity, limit=limit) == IDS[:capacity]


def test_todays_list_does_not_grow_while_it_is_worked_off(client: TestClient, store: Store) -> None:
    """`day` is the capacity of funnel.toml, 40; a lead that got feedback today keeps its place."""
    before = walked(client, capacity="day", limit=7)
    with store.writing.begin() as connection:
        connection.execute(FEEDBACK.insert().values(lead_id="L-01", action="hold", at=clock()))
    items = get(client, capacity="day")["items"]
    assert [item["lead_id"] for item in items] == before == IDS
    assert [(item["lead_id"], item["override"]) for item in items if item["handled"]] == [("L-01", "hold")]


def test_the_trend_is_the_move_since_the_score_before(client: TestClient, store: Store) -> None:
    publish(store, [scored("L-00", 0.99, score=97)], [], NOW)
    assert get(client, limit=1)["items"][0]["trend"] == 7


@pytest.mark.parametrize(
    "asked, said",
    [
        ("limit=0", "limit must be a whole number from 1 to 500"),
        ("limit=501", "limit must be a whole number from 1 to 500"),
        ("limit=1.5", "limit must be"),
        ("limit=%C2%B2", "limit must be"),
        ("capacity=0", "capacity must be a whole number from 1 to 1,000,000, or day"),
        ("capacity=week", "capacity must be"),
        ("stage=customer", "stage must be one of lead, prospect, opportunity"),
        ("grade=E", "grade must be one of A, B, C, D"),
        ("action=call", "action must be one of"),
        ("sort=name", "sort must be one of likelihood, expected_value"),
        ("min_probability=1.01", "min_probability must be a number from 0 to 1"),
        ("min_probability=nan", "min_probability must be"),
        ("min_probability=high", "min_probability must be"),
        ("owner=", "owner must have"),
        ("owner=%00", "owner must have"),
        ("limit=1&limit=2", "limit must be given once"),
        ("page=2", "this call has no such parameter; it has sort"),
        ("cursor=", "cursor must be the next_cursor"),
        ("cursor=no-cursor", "cursor must be the next_cursor"),
        ("cursor=%2B%2B", "cursor must be the next_cursor"),
    ],
)
def test_what_is_wrong_is_told(client: TestClient, asked: str, said: str) -> None:
    status, error, detail = refusal(client.get(f"/v1/queue?{asked}"))
    assert (status, error) == (422, "MalformedBody")
    assert said in detail


@pytest.mark.parametrize(
    "change",
    [
        lambda parts: parts[:-1],
        lambda parts: [-1, *parts[1:]],
        lambda parts: [2**63, *parts[1:]],
        lambda parts: [str(parts[0]), *parts[1:]],
        lambda parts: [True, *parts[1:]],
        lambda parts: [parts[0], "0.5", *parts[2:]],
        lambda parts: [*parts[:2], None, *parts[3:]],
        lambda parts: [*parts[:2], "a\0", *parts[3:]],
        lambda parts: [*parts[:4], 0],
        lambda parts: {"snapshot": parts[0]},
    ],
)
def test_a_cursor_that_was_tampered_with_is_refused(client: TestClient, store: Store, change: Any) -> None:
    cursor = get(client, limit=1)["next_cursor"]
    parts = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    forged = base64.urlsafe_b64encode(orjson.dumps(change(parts))).decode().rstrip("=")
    assert refusal(client.get("/v1/queue", params={"cursor": forged, "limit": 1}))[:2] == (422, "MalformedBody")


@pytest.mark.parametrize("other", [{"stage": "lead"}, {"sort": "expected_value"}, {"capacity": 5}, {"min_probability": 0.1}])
def test_a_cursor_is_of_one_sort_filter_and_capacity(client: TestClient, store: Store, other: dict[str, Any]) -> None:
    cursor = get(client, limit=1)["next_cursor"]
    status, error, detail = refusal(client.get("/v1/queue", params={"cursor": cursor} | other))
    assert (status, error) == (422, "MalformedBody")
    assert "another sort, filter or capacity" in detail
    assert len(get(client, cursor=cursor, limit=3)["items"]) == 3


def test_a_refused_cursor_leaves_nothing_behind() -> None:
    """One exception raised again and again would hold the frames of every call that it refused."""

    def refused() -> MalformedBody:
        with pytest.raises(MalformedBody) as found:
            _Cursor.of("no-cursor", "")
        return found.value

    first, second = refused(), refused()
    assert first is not second
    assert str(first) == str(second)


def test_a_cursor_whose_rows_were_pruned_has_expired(client: TestClient, store: Store) -> None:
    cursor = get(client, limit=1)["next_cursor"]
    put(store, -0.1)
    assert get(client, cursor=cursor)["items"]
    while prune(store, NOW + KEPT + 1):
        pass
    status, error, detail = refusal(client.get("/v1/queue", params={"cursor": cursor}))
    assert (status, error) == (410, "CursorExpired")
    assert "Leave the cursor out" in detail


def test_an_empty_queue_is_an_empty_page(tmp_path: Path) -> None:
    with running(tmp_path, ready=False) as client:
        assert get(client) == {
            "items": [],
            "next_cursor": None,
            "snapshot": 0,
            "freshness": {"oldest_scored_at": None, "newest_scored_at": None, "pending": 0},
        }
        assert refusal(client.get("/v1/queue?capacity=day"))[:2] == (503, "NoChampion")


def test_the_contract_tells_of_every_parameter(client: TestClient) -> None:
    operation = client.get("/openapi.json").json()["paths"]["/v1/queue"]["get"]
    assert [parameter["name"] for parameter in operation["parameters"]] == [
        "sort", "stage", "owner", "grade", "action", "min_probability", "limit", "cursor", "capacity", "Accept-Language",
    ]  # fmt: skip
    assert {"200", "401", "403", "410", "422", "503"} <= set(operation["responses"])
