"""The queue's page over the real service: the same leads in the same order as the call, and one click that overrides."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import orjson
import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from bundles import store_at
from data.home import clock
from data.ingest import put_accounts, put_leads
from data.queue import KEPT, prune, publish
from data.schema import FEEDBACK, PENDING
from data.store import Store
from pages import send, sign_in, token_in, visit
from queues import NOW, scored
from service import running, with_champion
from serving.pages.overriding import SAYINGS

IDS = [f"L-{n:02}" for n in range(60)]
ODD = "a/b ö?&<b>"
REASONS = [
    {"feature": "of an older model", "value": 1, "text": "Viewed <b>the</b> pricing page", "effect": 1.5, "level": "interest"},
    {"feature": "budget", "value": 0.5, "text": "Budget is 0.5", "effect": -0.5, "level": "opportunity"},
]
KNOWN = {
    "need": {"state": "known", "because": ["Asked for <i>prices</i>"]},
    "ability": {"state": "unknown", "because": []},
    "desire": {"state": "likely", "because": []},
    "authority": {"state": "unknown", "because": []},
}
GATE = {"name": "organization", "question": "Which industry is the company in?"}
ANSWER = orjson.dumps(
    {
        "stage": "lead", "transitions": {}, "score": 50, "grade": "C", "reach": {}, "fit": 0.5, "engagement": 0.5, "reasons": REASONS,
        "warnings": [], "score_id": "s",
        "recommendation": {"action": "nurture", "stage": "lead", "text": "Worth it.", "next_step": "Call", "gate": GATE, "known": KNOWN},
    }
).decode()  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, Store]]:
    folder = with_champion(tmp_path_factory.mktemp("service"))
    with store_at(folder) as store, running(folder) as client:
        put_accounts(store, [{"account_id": "A", "name": "<Fjord> AB"}], clock())
        put_leads(store, [{"lead_id": id, "account_id": "A", "first_name": "Åsa", "last_name": id} for id in (*IDS, ODD)], clock(), quiet=True)
        fill(store)
        yield client, store


@pytest.fixture
def client(served: tuple[TestClient, Store]) -> TestClient:
    return served[0]


@pytest.fixture
def store(served: tuple[TestClient, Store]) -> Store:
    return served[1]


def fill(store: Store) -> None:
    """L-00 is the likeliest, and L-59 has the highest expected value."""
    with store.writing.begin() as connection:
        connection.execute(PENDING.delete())
        connection.execute(FEEDBACK.delete())
    now = clock()
    rows = [
        scored(id, 0.9 - n / 100, value=100.0 * 1.1**n, owner="ann" if n % 2 else "bo", next_step="Call", answer=ANSWER, scored_at=now)
        for n, id in enumerate(IDS)
    ]
    publish(store, [*rows, scored(ODD, 0.01, stage="prospect", transition="prospect->opportunity", grade="D", answer=ANSWER, scored_at=now)], [], now)


def shown(page: str) -> list[str]:
    """The lead ids of the page in order."""
    return [unescape(found) for found in re.findall(r'<span class="stage">[^<]*</span> · ([^<]*?)(?: · (?:ann|bo))?</p>', page)]


def following(page: str) -> str | None:
    found = re.search(r'href="([^"]*)" rel="next"', page)
    return None if found is None else unescape(found[1])


def walked(client: TestClient, path: str) -> list[str]:
    found: list[str] = []
    while True:
        page = visit(client, path).text
        found += shown(page)
        further = following(page)
        if further is None:
            return found
        path = further


def said(store: Store) -> list[dict[str, Any]]:
    with store.engine.connect() as connection:
        rows = connection.execute(sa.select(FEEDBACK).order_by(FEEDBACK.c.id)).all()
    return [{name: getattr(row, name) for name in ("lead_id", "action", "reason", "score_id", "useful", "by")} for row in rows]


@pytest.mark.parametrize(
    ("page", "call"),
    [
        ("", {}),
        ("sort=expected_value", {"sort": "expected_value"}),
        ("stage=prospect&owner=&grade=", {"stage": "prospect"}),
        ("owner=ann&min_percent=40", {"owner": "ann", "min_probability": 0.4}),
        ("min_percent=40%2C5", {"min_probability": 0.405}),
        ("grade=C&action=nurture", {"grade": "C", "action": "nurture"}),
        ("capacity=day", {"capacity": "day"}),
        ("capacity=day&owner=bo", {"capacity": "day", "owner": "bo"}),
        ("action=recycle", {"action": "recycle"}),
    ],
)
def test_it_shows_what_the_call_answers(client: TestClient, page: str, call: dict[str, Any]) -> None:
    expected = [item["lead_id"] for item in client.get("/v1/queue", params={"limit": 500, **call}).json()["items"]]
    assert walked(client, f"/queue?{page}") == expected


def test_the_days_list_is_one_page(client: TestClient) -> None:
    page = visit(client, "/queue?capacity=day").text
    assert shown(page) == IDS[:40]
    assert following(page) is None


def test_a_walk_keeps_its_filter(client: TestClient) -> None:
    further = following(visit(client, "/queue?owner=ann&sort=expected_value").text)
    assert further is not None
    asked = dict(parse_qsl(urlsplit(further).query))
    assert asked.pop("cursor")
    assert asked == {"owner": "ann", "sort": "expected_value"}
    assert "Back to the first page" in visit(client, further).text


def test_what_people_wrote_is_text(client: TestClient) -> None:
    page = visit(client, "/queue?grade=D").text
    assert shown(page) == [ODD]
    assert "&lt;Fjord&gt; AB" in page
    assert "Viewed &lt;b&gt;the&lt;/b&gt; pricing page" in page
    assert "<Fjord>" not in page
    assert "<b>" not in page


def test_an_expired_walk_begins_again(client: TestClient, store: Store) -> None:
    further = following(visit(client, "/queue?owner=ann").text)
    assert further is not None
    fill(store)
    while prune(store, clock() + KEPT + 1_000_000):
        pass
    answer = visit(client, further)
    assert (answer.status_code, answer.headers["location"]) == (303, "/queue?owner=ann")


@pytest.mark.parametrize("asked", ["stage=customer", "min_percent=200", "min_percent=much", "grade=E", "cursor=forged"])
def test_what_can_not_be_asked_is_refused_in_a_page(client: TestClient, asked: str) -> None:
    answer = visit(client, f"/queue?{asked}")
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("text/html")


def test_nothing_found_says_so(client: TestClient) -> None:
    assert "No lead is like that" in visit(client, "/queue?action=recycle").text


def test_one_click_stores_the_action_and_the_reason(client: TestClient, store: Store) -> None:
    fill(store)
    token = token_in(client.get("/queue").text)
    for key in SAYINGS:
        form = {"said": key, "score_id": "of L-03", "rank": "4", "back": "/queue?owner=ann", "csrf_token": token}
        answer = client.post("/queue/L-03", data=form, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "/queue?owner=ann")
    row = {"lead_id": "L-03", "score_id": "of L-03", "useful": None, "by": None}
    assert said(store) == [row | {"action": saying.action, "reason": saying.reason} for saying in SAYINGS.values()]


def test_htmx_gets_the_line_as_it_is_then(client: TestClient, store: Store) -> None:
    fill(store)
    form = {"said": "no_fit", "reason": "Sells <i>cars</i>", "rank": "1"}
    answer = send(client, "/queue/a%2Fb%20%C3%B6%3F%26%3Cb%3E", form, of="/queue", **{"hx-request": "true"})
    assert answer.status_code == 200
    assert shown(answer.text) == [ODD]
    assert "<html" not in answer.text
    assert "done today" in answer.text
    assert "autofocus" in answer.text, "the next key goes on from here"
    assert re.search(r'action-disqualify">Disqualify</strong>\s*<span class="hint">a person', answer.text)
    assert [(row["lead_id"], row["action"], row["reason"]) for row in said(store)] == [(ODD, "disqualify", "Sells <i>cars</i>")]
    item = client.get("/v1/queue", params={"grade": "D"}).json()["items"][0]
    assert (item["override"], item["handled"]) == ("disqualify", True)


def test_a_lead_that_left_meanwhile_is_said_to_have(client: TestClient, store: Store) -> None:
    fill(store)
    token = token_in(client.get("/queue").text)
    publish(store, [], ["L-05"], NOW)
    answer = client.post("/queue/L-05", data={"said": "reached", "csrf_token": token}, headers={"hx-request": "true"})
    assert "no longer in the queue" in answer.text
    fill(store)


@pytest.mark.parametrize(("form", "status"), [({"said": "anything"}, 422), ({}, 422), ({"action": "call"}, 422)])
def test_what_is_no_feedback_is_refused(client: TestClient, store: Store, form: dict[str, str], status: int) -> None:
    fill(store)
    assert send(client, "/queue/L-03", form, of="/queue").status_code == status
    assert send(client, "/queue/nobody", {"said": "reached"}, of="/queue").status_code == 404
    assert client.post("/queue/L-03", data={"said": "reached"}).status_code == 403
    assert said(store) == []


@pytest.mark.parametrize("walk", ["/queue", "/queue?owner=ann", "/queue?sort=expected_value&capacity=day", "/queue?grade=D"])
def test_from_lead_to_lead_in_the_order_of_the_queue(client: TestClient, store: Store, walk: str) -> None:
    fill(store)
    page = visit(client, walk).text
    found, path = list[str](), unescape(re.findall(r'href="(/leads/[^"]*)"', page)[0])
    for _ in range(4):
        lead = visit(client, path).text
        assert f'href="{walk}"'.replace("&", "&amp;") in lead, "the way back"
        found.append(next(id for id in (ODD, *IDS) if f"· {id}</p>".replace("&", "&amp;").replace("<b>", "&lt;b&gt;") in lead))
        further = re.search(r'href="([^"]*)" rel="next"', lead)
        if further is None:
            break
        path = unescape(further[1])
    assert found == shown(page)[:4]


def test_a_leads_page_says_which_gate_holds_it_back_and_what_is_known(client: TestClient, store: Store) -> None:
    fill(store)
    page = visit(client, "/leads/L-03").text
    assert "Which industry is the company in?" in page
    assert "Held back by the organization" in page
    assert "Asked for &lt;i&gt;prices&lt;/i&gt;" in page
    states = re.findall(r"<strong>(Need|Ability to buy|Desire|Authority to decide)</strong>\s*<span [^>]*>(\w+)</span>", page)
    assert states == [("Need", "known"), ("Ability to buy", "unknown"), ("Desire", "likely"), ("Authority to decide", "unknown")]


@pytest.mark.parametrize("back", ["https://elsewhere.example", "//elsewhere.example", "/queue-else", "/queue/../jobs", "javascript:alert(1)"])
def test_back_is_the_queue_and_nothing_else(client: TestClient, store: Store, back: str) -> None:
    assert back not in visit(client, f"/leads/L-03?{urlencode({'back': back})}").text
    assert send(client, "/queue/L-03", {"said": "reached", "back": back}, of="/queue").headers["location"] == "/queue"


def test_the_days_progress_is_told(client: TestClient, store: Store) -> None:
    fill(store)
    send(client, "/queue/L-03", {"said": "reached"}, of="/queue")
    assert "1 of the 40 leads below are done today" in visit(client, "/queue?capacity=day").text


def test_other_languages_have_their_own_numbers(client: TestClient) -> None:
    page = client.get("/queue?owner=bo", headers={"accept-language": "de"}).text
    assert 'lang="de"' in page
    assert "90\xa0%" in page
    item = client.get("/v1/queue?owner=bo", headers={"accept-language": "de"}).json()["items"][0]
    assert "0,5" in item["reasons"][1]
    assert all(text in unescape(page) for text in (*item["reasons"], item["next_step"]))


def test_without_a_model_the_page_says_what_to_do(tmp_path: Path) -> None:
    with running(tmp_path, ready=False) as client:
        for path in ("/queue", "/queue?capacity=day"):
            page = visit(client, path)
            assert page.status_code == 200
            assert "No model serves yet" in page.text


def test_a_key_reads_its_own_leads_and_overrides_only_if_it_may(tmp_path: Path) -> None:
    folder = with_champion(tmp_path)
    with store_at(folder) as store:
        put_leads(store, [{"lead_id": id} for id in (*IDS, ODD)], clock(), quiet=True)
        fill(store)
        reader, _ = store.create_key(["read", "operate"], "ann")
        rep, _ = store.create_key(["read", "ingest", "operate"], "ann")
    with running(folder) as client:
        assert visit(client, "/queue").status_code == 303
        sign_in(client, reader)
        page = visit(client, "/queue").text
        assert "/queue?owner=ann&amp;capacity=day" in page
        assert "data-override" not in page
        assert send(client, "/queue/L-03", {"said": "reached"}, of="/queue").status_code == 403
    with running(folder) as client, store_at(folder) as store:
        sign_in(client, rep)
        assert send(client, "/queue/L-03", {"said": "reached"}, of="/queue").status_code == 303
        assert [row["by"] for row in said(store)] == ["ann"]
