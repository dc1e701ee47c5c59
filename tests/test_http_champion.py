"""What serves: promotion, rollback, live policy, and going on with the old while the new is broken."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from bundles import SCHEMA, bundle, hop, promote, store_at
from data.funnel import Funnel
from data.home import clock
from data.ingest import put_leads
from data.schema import PENDING
from data.store import Store
from registry.bundle import Bundle
from registry.models import Linear
from service import LEAD, running, wait_for, with_champion
from serving.champion import Champion
from serving.contract import ScoreRequest
from serving.errors import NoChampion, NotReady

NOW = 1_800_000_000_000_000


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LEADSCORE_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def store(home: Path) -> Iterator[Store]:
    with store_at(home) as store:
        yield store


@pytest.fixture
def champion(store: Store) -> Champion:
    champion = Champion(store)
    promote(store, "1", bundle())
    champion.refresh()
    return champion


def grade(champion: Champion) -> str:
    return str(champion.take().scorer.answer(ScoreRequest.model_validate(LEAD), NOW)["grade"])


def broken_bundle() -> Bundle:
    """Whole, but of a model that expects three columns where the schema has many."""
    three = np.ones(3)
    narrow = Linear(0.0, three, three, three, three, np.zeros(3, bool), three, three)
    return Bundle(SCHEMA, ("lead", "prospect"), (hop("lead", "lead->prospect", narrow),), Funnel().training_document(), {})


def test_before_the_first_look_nothing_is_ready(store: Store) -> None:
    champion = Champion(store)
    assert (champion.ready, list(champion.down)) == (False, ["kernel"])
    with pytest.raises(NotReady, match="kernel"):
        champion.take()


def test_without_a_promotion_there_is_no_champion(store: Store) -> None:
    champion = Champion(store)
    champion.refresh()
    assert list(champion.down) == ["champion"]
    with pytest.raises(NoChampion, match="leadscore train"):
        champion.take()


def test_the_first_promotion_serves(champion: Champion) -> None:
    assert (champion.ready, champion.version, champion.down) == (True, "1", {})


def test_promotion_and_rollback_swap_the_whole_and_a_call_keeps_what_it_took(champion: Champion, store: Store) -> None:
    taken = champion.take()
    promote(store, "2", bundle(intercept=2.0))
    champion.refresh()
    assert (champion.version, taken.scorer.version) == ("2", "1")
    store.rollback()
    champion.refresh()
    assert champion.version == "1"
    assert champion.take().seq == 3


def test_a_look_without_news_changes_nothing(champion: Champion) -> None:
    before = champion.take()
    champion.refresh()
    assert champion.take() is before


@pytest.mark.parametrize("torn", [True, False])
def test_a_broken_bundle_is_told_and_the_old_one_serves(champion: Champion, store: Store, torn: bool) -> None:
    made = broken_bundle()
    store.put_bundle("2", made.hash, made.to_bytes()[:-40] if torn else made.to_bytes())
    store.promote("2", "test")
    champion.refresh()
    assert (champion.ready, champion.version, list(champion.down)) == (True, "1", ["champion"])
    promote(store, "3", bundle(intercept=1.0))
    champion.refresh()
    assert (champion.version, champion.down) == ("3", {})


def test_a_broken_first_bundle_is_not_taken_for_none(store: Store) -> None:
    promote(store, "1", broken_bundle())
    champion = Champion(store)
    champion.refresh()
    with pytest.raises(NotReady, match="no model is loaded"):
        champion.take()


def test_the_old_champion_serves_while_the_store_is_down(champion: Champion, store: Store, home: Path) -> None:
    store.close()
    content = {file: file.read_bytes() for file in home.glob("leadscore.db*")}
    for file in content:
        file.unlink()
    (home / "leadscore.db").write_bytes(b"not a database" * 1000)
    champion.refresh()
    assert (champion.ready, list(champion.down)) == (True, ["database"])
    assert champion.take().scorer.version == "1"
    store.close()
    for file, bytes_ in content.items():
        file.write_bytes(bytes_)
    champion.refresh()
    assert champion.down == {}


def test_the_policy_is_followed_live_and_a_mistake_in_it_is_told(champion: Champion, home: Path) -> None:
    assert grade(champion) == "C"
    write(home, "[policy.grades]\nA = 30\nB = 20\nC = 10\n", at=1)
    champion.refresh()
    assert grade(champion) == "A"
    write(home, "[policy.grades]\nA = 'x'\n", at=2)
    champion.refresh()
    assert (grade(champion), list(champion.down)) == ("A", ["policy"])
    write(home, "", at=3)
    champion.refresh()
    assert (grade(champion), champion.down) == ("C", {})


def test_stored_scores_follow_a_change_of_the_policy(champion: Champion, store: Store, home: Path) -> None:
    put_leads(store, [{"lead_id": "L-1"}], clock(), quiet=True)
    with store.writing.begin() as connection:
        connection.execute(PENDING.delete())
    champion.refresh()
    assert pending_leads(store) == []
    write(home, "[policy.grades]\nA = 30\nB = 20\nC = 10\n", at=1)
    champion.refresh()
    assert pending_leads(store) == ["L-1"]


def pending_leads(store: Store) -> list[str]:
    with store.engine.connect() as connection:
        return list(connection.scalars(sa.select(PENDING.c.lead_id)))


def test_a_promotion_takes_the_live_policy_along(champion: Champion, store: Store, home: Path) -> None:
    write(home, "[policy.grades]\nA = 30\nB = 20\nC = 10\n", at=1)
    champion.refresh()
    promote(store, "2", bundle(intercept=-1.1))
    champion.refresh()
    assert (champion.version, grade(champion)) == ("2", "A")


def write(home: Path, text: str, at: int) -> None:
    file = home / "funnel.toml"
    file.write_text(text)
    os.utime(file, (1_700_000_000 + at, 1_700_000_000 + at))


def test_a_running_service_finds_its_first_champion_and_the_next(home: Path) -> None:
    with running(home, ready=False) as client, store_at(home) as store:
        assert client.post("/v1/score", json=LEAD).status_code == 503
        promote(store, "1", bundle())
        wait_for(client, lambda answer: answer["version"] == "1")
        assert client.post("/v1/score", json=LEAD).json()["model"]["version"] == "1"
        promote(store, "2", bundle(intercept=0.0))
        wait_for(client, lambda answer: answer["version"] == "2")


def test_two_services_share_one_store(home: Path) -> None:
    with running(with_champion(home)) as one, running(home) as other:
        answers = [client.post("/v1/score", json=LEAD).json() for client in (one, other)]
    assert answers[0]["probability"] == answers[1]["probability"]
