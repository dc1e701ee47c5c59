"""The pages of model, profile, funnel and losses: they tell what the calls tell, in every language, and one click is one move."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from bundles import bundle
from data.decisions import note
from data.store import Store
from pages import HTML, send, visit
from service import running, wait_for, with_champion
from serving.answers_model import ModelAnswer
from serving.words import LANGUAGES

PAGES = ("/model", "/profile", "/funnel", "/funnel?by=month", "/losses")
HOSTILE = '<script>alert("x")</script>{{ 7 * 7 }}'
CHURN = {"leads": 40, "moved": 0.25, "up": 0.125, "down": 0.125, "matrix": {a: dict.fromkeys("ABCD", 3) for a in "ABCD"}, "movers": []}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """One lead at each stage, one deal won and one lost."""
    with running(with_champion(tmp_path_factory.mktemp("reports"))) as client:
        for n, stages in enumerate([[], ["prospect"], ["prospect", "opportunity"], ["prospect", "opportunity", "customer"]]):
            client.put(f"/v1/leads/L-{n}", json={"created_at": "2026-01-01T00:00:00Z", "source": HOSTILE, "email": "kim@example.com"})
            rows = [{"lead_id": f"L-{n}", "stage": stage, "entered_at": f"2026-0{m + 2}-01T00:00:00Z"} for m, stage in enumerate(stages)]
            client.post("/v1/stages", json={"items": rows})
        deal = {"lead_id": "L-3", "opened_at": "2026-03-01T00:00:00Z", "closed_at": "2026-04-01T00:00:00Z", "amount": 900, "currency": "EUR"}
        lost = deal | {"lead_id": "L-2", "deal_id": "D-2", "outcome": "lost", "reason": HOSTILE, "competitor": "Acme"}
        client.post("/v1/deals", json={"items": [deal | {"deal_id": "D-1", "outcome": "won"}, lost]})
        yield client


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[TestClient]:
    """A service of its own, with version 1 as champion and version 2 in the store."""
    with running(with_champion(tmp_path)) as client:
        made = bundle(intercept=-1.0)
        store_of(client).put_bundle("2", made.hash, made.to_bytes())
        yield client


def store_of(client: TestClient) -> Store:
    held: Store = client.app.state.service.store  # type: ignore[attr-defined]
    return held


def text_of(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_page_opens_in_every_language(service: TestClient, language: str) -> None:
    """Of a bundle of which hardly anything was measured: what is not there is left out, and breaks nothing."""
    for path in PAGES:
        answer = visit(service, path, **{"accept-language": language})
        assert answer.status_code == 200, (path, answer.text[-500:])
        assert f'<html lang="{language}">' in answer.text
        assert answer.text.count("<h1") == 1
        ids = re.findall(r'\bid="([^"]+)"', answer.text)
        assert len(ids) == len(set(ids)), path


def test_nothing_that_was_sent_becomes_markup(service: TestClient) -> None:
    for path in PAGES:
        assert "<script>alert" not in visit(service, path).text


def test_the_funnel_is_that_of_the_call(service: TestClient) -> None:
    told = service.get("/v1/funnel").json()
    rows = re.findall(r'<tr><th scope="row">(\w+)</th><td class="number">(\d+)</td>', visit(service, "/funnel").text)
    reached = {(one["stage"].capitalize(), str(one["leads"])) for one in told["stages"] if not one["exit"]}
    assert reached
    assert reached <= set(rows)


def test_leads_are_not_parted_by_what_is_not_there(service: TestClient) -> None:
    assert visit(service, "/funnel?by=shoe_size").status_code == 422
    assert visit(service, "/funnel?by=").status_code == 200


def test_the_losses_are_those_of_the_call(service: TestClient) -> None:
    page = text_of(visit(service, "/losses").text)
    assert "Won 1 €900" in page
    assert "Lost 1 €900" in page
    assert "Win rate 50%" in page


def test_the_model_is_that_of_the_call(fresh: TestClient) -> None:
    answer = ModelAnswer.model_validate_json(fresh.get("/v1/model").content)
    assert answer.standing is not None
    assert [(one.version, one.role) for one in answer.standing.versions] == [("2", "challenger"), ("1", "champion")]
    assert answer.standing.rollback_to is None
    page = text_of(visit(fresh, "/model").text)
    assert "Version 1 serves since" in page
    assert "Version 2 asks to serve" in page
    assert "80%" in page


def test_what_was_decided_is_told(fresh: TestClient) -> None:
    note(store_of(fresh), "2", "1", False, [f"not better beyond noise {HOSTILE}"], CHURN, 1_780_000_000_000_000)
    page = visit(fresh, "/model").text
    assert "With it 25% of 40 open leads would change their grade" in text_of(page)
    assert "not better beyond noise" in page
    assert "<script>alert" not in page


def test_a_promotion_and_the_way_back(fresh: TestClient) -> None:
    assert "Promote version 2?" in visit(fresh, "/model/promote/2").text
    assert visit(fresh, "/model/rollback").status_code == 409
    assert 'name="instead_of" value="1"' in visit(fresh, "/model/promote/2").text
    for shown in ({}, {"instead_of": ""}, {"instead_of": "7"}):
        assert send(fresh, "/model/promote/2", {"reason": "too late"} | shown, of="/model/promote/2").status_code == 409, "another one serves by now"
    answer = send(fresh, "/model/promote/2", {"reason": "wins on new deals", "instead_of": "1"}, of="/model/promote/2")
    assert (answer.status_code, answer.headers["location"]) == (303, "/model#versions")
    assert fresh.get("/v1/model").json()["version"] == "2", "the page comes back once it serves"
    assert store_of(fresh).champions()[-1].reason == "wins on new deals"
    assert "Roll back to version 1?" in visit(fresh, "/model/rollback").text
    assert send(fresh, "/model/rollback", {"to": "2"}, of="/model/rollback").status_code == 409, "asked about another model"
    assert send(fresh, "/model/rollback", {"to": "1"}, of="/model/rollback").status_code == 303
    assert [one.version for one in store_of(fresh).champions()] == ["1", "2", "1"]
    assert fresh.get("/v1/model").json()["version"] == "1"


@pytest.mark.parametrize(("version", "status"), [("1", 409), ("9", 404), ("a/b", 404)])
def test_what_can_not_be_promoted(fresh: TestClient, version: str, status: int) -> None:
    assert visit(fresh, f"/model/promote/{version.replace('/', '%2F')}").status_code == status
    assert store_of(fresh).champions()[-1].version == "1"


def test_a_promotion_needs_the_form_and_says_why_shortly(fresh: TestClient) -> None:
    assert fresh.post("/model/promote/2", data={"reason": "mine"}, headers=HTML).status_code == 403
    assert send(fresh, "/model/promote/2", {"reason": "x" * 501}, of="/model/promote/2").status_code == 422
    assert store_of(fresh).champions()[-1].version == "1"


def test_who_may_only_read_is_offered_nothing(fresh: TestClient) -> None:
    store = store_of(fresh)
    reader, operator = (store.create_key(scopes)[0] for scopes in (["read"], ["read", "operate"]))
    fresh.app.state.service.gate.learn()  # type: ignore[attr-defined]
    page = visit(fresh, "/model", authorization=f"Bearer {reader}").text
    assert "/model/promote/" not in page
    assert visit(fresh, "/model/promote/2", authorization=f"Bearer {reader}").status_code == 403
    assert "/model/promote/2" in visit(fresh, "/model", authorization=f"Bearer {operator}").text


def test_a_broken_version_is_shown_and_not_offered(fresh: TestClient) -> None:
    store_of(fresh).put_bundle("3", "h", b"torn")
    page = visit(fresh, "/model").text
    assert "can&#39;t be read" in page
    assert "/model/promote/3" not in page
    assert "/model/promote/2" in page


def test_before_the_first_promotion_a_version_can_be_promoted(tmp_path: Path) -> None:
    made = bundle()
    with running(tmp_path, ready=False) as client:
        store_of(client).put_bundle("1", made.hash, made.to_bytes())
        page = visit(client, "/model")
        assert page.status_code == 200
        assert "No model serves yet." in page.text
        assert send(client, "/model/promote/1", {"instead_of": ""}, of="/model/promote/1").status_code == 303
        wait_for(client, lambda answer: answer["ready"])
