"""One lead's page over the real service: what is held, what was scored, why it changed, and what would be if."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from bundles import bundle, promote, store_at
from data.contract import DAY, HOUR
from data.erasing import erase
from data.facts import facts_of
from data.funnel import Funnel
from data.home import clock
from data.ingest import add_events, add_stages, put_accounts, put_deals, put_leads
from data.queue import current
from data.schema import FEEDBACK, PENDING, SCORES
from data.store import Store
from pages import send, token_in, visit
from profiles import PROFILE
from service import running, wait_for
from serving.colleagues import request_of
from serving.pages import what_if
from serving.pages.timeline import Entry, Timeline
from serving.words import ENGLISH, words_for

ODD = "a/b ö"
ODD_PATH = "/leads/a%2Fb%20%C3%B6"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, Store]]:
    folder, now = tmp_path_factory.mktemp("service"), clock()
    with store_at(folder) as store:
        promote(store, "1", replace(bundle(), about=dict(bundle().about) | {"icp": PROFILE.document()}))
    with store_at(folder) as store:
        put_accounts(store, [{"account_id": "A", "name": "<Fjord> AB", "industry": "it"}], now)
        lead = {"lead_id": ODD, "created_at": now - 60 * DAY, "account_id": "A", "email": "eva@fjord.se", "phone": "+46 70 1", "owner": "ann"}
        put_leads(store, [{**lead, "name": "Eva <Berg>", "budget": 1_000, "job_title": "VD"}], now)
        put_leads(store, [{"lead_id": "gone"}, {"lead_id": "lost", "created_at": now - 60 * DAY, "account_id": "A"}], now)
        put_leads(
            store, [{"lead_id": ODD, "budget": 90_000, "changed_at": now - 9 * DAY, "aliases": [{"object": "contact", "external_id": "C-1"}]}], now
        )
        views = [(now - 3 * DAY, "pricing_page_view"), (now - 3 * DAY - 60, "pricing_page_view"), (now - 8 * DAY, "call")]
        add_events(store, [{"lead_id": ODD, "occurred_at": at, "type": type, "channel": "web"} for at, type in views], now)
        add_stages(store, [{"lead_id": "lost", "entered_at": now - 5 * DAY, "stage": "lost", "reason": "price"}], now, funnel=Funnel())
        put_deals(store, [{"deal_id": "D", "lead_id": ODD, "opened_at": now - 2 * DAY, "amount": 1500, "currency": "EUR"}], now)
    with store_at(folder) as store, running(folder) as client:
        settle(client, store)
        add_events(store, [{"lead_id": ODD, "occurred_at": clock() - HOUR, "type": "pricing_page_view"}], clock())
        settle(client, store)
        yield client, store


def settle(client: TestClient, store: Store) -> None:
    """Until the service has scored all that waits, and the ledger holds it."""

    def waits(_: object) -> bool:
        with store.engine.connect() as connection:
            pending = connection.scalar(sa.select(sa.func.count()).select_from(PENDING))
            row = current(store, ODD)
            return (
                not pending and row is not None and connection.scalar(sa.select(SCORES.c.at).where(SCORES.c.score_id == row["score_id"])) is not None
            )

    wait_for(client, waits)


@pytest.fixture
def client(served: tuple[TestClient, Store]) -> TestClient:
    return served[0]


@pytest.fixture
def store(served: tuple[TestClient, Store]) -> Store:
    return served[1]


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_it_tells_the_score_as_the_call_does(client: TestClient) -> None:
    answer = client.get(f"/v1{ODD_PATH}/score").json()
    page = text_of(visit(client, ODD_PATH).text)
    first = answer["transitions"]["lead->prospect"]
    assert f"{first['probability']:.0%} chance to become a prospect within 28 days" in page
    assert f"between {first['low']:.0%} and {first['high']:.0%}" in page
    assert f"Better than {answer['score']} of 100" in page
    assert answer["recommendation"]["text"] in page
    assert all(reason["text"] in page for reason in answer["reasons"])


def test_it_tells_what_happened(client: TestClient) -> None:
    page = visit(client, ODD_PATH).text
    told = text_of(page)
    for line in ("Viewed the pricing page 2 times web", "Was called web", "A deal was opened €1,500", "Budget is now 90000", "Became known to us"):
        assert line in told
    assert "Eva &lt;Berg&gt;" in page
    assert "&lt;Fjord&gt; AB" in page
    assert "<Fjord>" not in page
    assert "mailto:eva%40fjord.se" in page
    assert "tel:+46701" in page


def test_it_tells_how_well_the_lead_matches_the_profile(client: TestClient) -> None:
    page = text_of(visit(client, ODD_PATH).text)
    assert "A better match than 80 of 100 leads that the profile was learned from." in page
    assert "What matches: Account: Industry: it Job title: seniority: Chief or owner" in page
    assert "Not known yet: Account: Employees." in page
    assert "What does not:" not in page


def test_it_tells_why_the_score_changed(client: TestClient) -> None:
    items = client.get(f"/v1{ODD_PATH}/history").json()["items"]
    change = next(item["change"] for item in items if item["change"] and item["change"]["score"]["lead"])
    page = text_of(visit(client, ODD_PATH).text)
    assert f"new facts +{change['score']['lead']}" in page
    assert change["moved"][0]["text"] in page


def test_the_curve_ends_where_the_score_is(client: TestClient) -> None:
    page = visit(client, ODD_PATH).text
    assert "Score as Lead" in page
    assert "Told by the model that serves today" in page
    score = client.get(f"/v1{ODD_PATH}/score").json()["score"]
    last = re.findall(r'<tr><th scope="row">[^<]*</th><td class="number">(\d+)</td>', page)[-1]
    assert abs(int(last) - score) <= 1


def test_an_alias_leads_to_the_same_page(client: TestClient) -> None:
    assert "Eva &lt;Berg&gt;" in visit(client, "/leads/C-1").text


def test_a_lead_that_left_the_funnel_is_told_what_to_do(client: TestClient) -> None:
    page = text_of(visit(client, "/leads/lost").text)
    assert "Left the funnel: Lost price" in page
    assert "this lead is not in the queue" in page
    assert "Nothing further is predicted in this stage" in page
    assert "See what the score would be" not in page


def test_one_that_the_ledger_alone_knows_has_a_page(client: TestClient, store: Store) -> None:
    client.post("/v1/score", json={"lead": {"lead_id": "passing"}})

    def known(_: object) -> bool:
        with store.engine.connect() as connection:
            return connection.scalar(sa.select(SCORES.c.score_id).where(SCORES.c.lead_id == "passing")) is not None

    wait_for(client, known)
    page = text_of(visit(client, "/leads/passing").text)
    assert "No score yet" in page
    assert "Scores given, newest first" in page


def test_one_that_is_not_there_or_was_erased(client: TestClient, store: Store) -> None:
    assert visit(client, "/leads/nobody").status_code == 404
    erase(store, "gone", clock())
    assert visit(client, "/leads/gone").status_code == 410


def test_what_if_is_the_score_of_the_changed_facts(client: TestClient, store: Store) -> None:
    before = client.get(f"/v1{ODD_PATH}").json()
    token = token_in(visit(client, ODD_PATH).text)
    form = {"lead.budget": "400000", "account.industry": "it", "event": "", "csrf_token": token}
    answer = client.post(f"{ODD_PATH}/what-if", data=form, headers={"hx-request": "true"})
    facts, service = facts_of(store, [ODD])[ODD], client.app.state.service  # type: ignore[attr-defined]
    asked = request_of(facts, None).model_copy(update={"lead": facts.lead | {"budget": "400000"}})
    expected = service.champion.take().scorer.answer(asked, clock())
    assert f"<dd>{expected['score']} (+" in answer.text
    assert "Budget is 400,000" in answer.text
    assert "<html" not in answer.text
    after = client.get(f"/v1{ODD_PATH}").json()
    assert {name: after[name] for name in ("lead", "events", "changes")} == {name: before[name] for name in ("lead", "events", "changes")}
    assert len(after["scores"]) == len(before["scores"])


def test_what_if_without_scripts_is_a_page(client: TestClient) -> None:
    answer = send(client, f"{ODD_PATH}/what-if", {"lead.budget": "400000"}, of=ODD_PATH)
    assert "Back to the lead" in answer.text
    assert send(client, f"{ODD_PATH}/what-if", {"event": "unheard_of"}, of=ODD_PATH).status_code == 422
    assert send(client, "/leads/nobody/what-if", {}, of=ODD_PATH).status_code == 404


def test_an_event_that_would_happen_counts_at_once(client: TestClient, store: Store) -> None:
    scorer = client.app.state.service.champion.take().scorer  # type: ignore[attr-defined]
    facts, now = facts_of(store, [ODD])[ODD], clock()
    viewed = what_if.compared(scorer, facts, None, {"event": "pricing_page_view"}, now, ENGLISH)
    assert viewed.points is not None
    assert viewed.points > 0
    assert [one["feature"] for one in viewed.moved] == ["pricing_page_view_count_7d"]
    assert viewed.moved[0]["effect"] == pytest.approx(0.5)
    same = what_if.compared(scorer, facts, None, {"lead.budget": "90000", "account.industry": " it "}, now, ENGLISH)
    assert (same.points, same.moved) == (0, [])
    emptied = what_if.compared(scorer, facts, None, {"lead.budget": ""}, now, words_for("sv"))
    assert emptied.points is not None
    assert emptied.points < 0


def test_fields_are_what_the_model_reads(client: TestClient, store: Store) -> None:
    bundle = client.app.state.service.champion.take().scorer.bundle  # type: ignore[attr-defined]
    found = what_if.fields(bundle, facts_of(store, [ODD])[ODD], ENGLISH)
    assert [(field.name, field.label, field.value, field.levels) for field in found] == [
        ("account.industry", "Account: Industry", "it", ("it", "retail")),
        ("lead.budget", "Budget", "90000", ()),
    ]


def test_what_is_said_is_kept_and_told(client: TestClient, store: Store) -> None:
    answer = send(client, f"{ODD_PATH}/feedback", {"said": "no_budget"}, of=ODD_PATH)
    assert (answer.status_code, answer.headers["location"]) == (303, ODD_PATH)
    htmx = send(client, f"{ODD_PATH}/feedback", {"useful": "no", "reason": "Wrong <b>person</b>"}, of=ODD_PATH, **{"hx-request": "true"})
    assert htmx.headers["hx-redirect"] == ODD_PATH
    with store.engine.connect() as connection:
        rows = connection.execute(sa.select(FEEDBACK.c.action, FEEDBACK.c.useful, FEEDBACK.c.reason).order_by(FEEDBACK.c.id)).all()
    assert [tuple(row) for row in rows] == [("nurture", None, "No budget right now"), (None, False, "Wrong <b>person</b>")]
    page = visit(client, ODD_PATH).text
    assert "A person chose otherwise: Nurture" in page
    assert "the score was not useful" in page
    assert "Wrong &lt;b&gt;person&lt;/b&gt;" in page


def test_without_a_model_the_facts_are_there(tmp_path: Path) -> None:
    with store_at(tmp_path) as store:
        put_leads(store, [{"lead_id": "L-1", "name": "Eva"}], clock())
    with running(tmp_path, ready=False) as client:
        page = visit(client, "/leads/L-1")
        assert page.status_code == 200
        assert "No score yet" in page.text
        assert "Became known to us" in page.text
        assert send(client, "/leads/L-1/what-if", {}, of="/leads/L-1").status_code == 503


def test_a_timeline_counts_what_repeats_and_leaves_out_what_has_not_happened() -> None:
    at = 20_000 * DAY
    event = {"type": "pricing_page_view", "channel": None, "value": None, "detail": None}
    times = (at, at + 2, at + HOUR, at + DAY - 1, at + DAY, at + 3 * DAY)
    held = {"lead": {}, "stages": [], "deals": [], "changes": [], "feedback": [], "events": [event | {"occurred_at": t} for t in times]}
    timeline = Timeline(ENGLISH, Funnel())
    viewed = "Viewed the pricing page"
    assert timeline.entries(held, at + 2 * DAY) == [Entry(at + DAY, "inbound", viewed), Entry(at + DAY - 1, "inbound", viewed, "", 4)]
    apart = held | {"events": [event | {"occurred_at": at, "detail": "a"}, event | {"occurred_at": at + 1, "detail": "b"}]}
    assert [entry.detail for entry in timeline.entries(apart, at + 1)] == ["b", "a"]
    assert timeline.entries(apart, at - 1) == []
