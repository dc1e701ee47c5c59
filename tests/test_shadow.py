"""Shadow mode from the pointer to the comparison: the challenger scores along into the ledger, nobody is told, and outcomes say who was right."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from bundles import bundle, promote
from data import ledger, queue, shadow
from data.contract import DAY
from data.funnel import Funnel
from data.home import clock
from data.ingest import add_stages, put_leads
from data.pending import mark_open
from data.schema import DELIVERIES, SCORES
from data.store import Store, open_store
from data.stored import read_store
from data.webhooks import add_endpoint
from features.tables import cohort_of
from registry.bundle import Bundle
from serving.champion import Champion
from serving.metrics import LATEST_SCORES, Metrics
from serving.rescoring import Rescorer
from serving.shadow import Shadow, in_share
from serving.spool import Spool, files_in
from serving.spool_format import unpacked
from training.along import agreement, along_of, told

NOW = 1_780_000_000_000_000
LEADS = [f"L-{number}" for number in range(60)]


@pytest.fixture
def store(store_url: str, home: Path) -> Iterator[Store]:
    share(home, 1)
    with open_store(store_url) as opened:
        promote(opened, "1", bundle(-3.0))
        opened.put_bundle("2", bundle().hash, bundle().to_bytes())
        yield opened


def share(home: Path, part: float) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / "funnel.toml").write_text(f"[shadow]\nshare = {part}\n")


def rescored(store: Store, folder: Path, now: int = NOW) -> list[ledger.ScoreRecord]:
    """What rescoring all leads at `now` writes down; it is in the ledger's table afterwards."""
    put_leads(store, [{"lead_id": id, "created_at": NOW - 30 * DAY, "budget": 1_000 * number} for number, id in enumerate(LEADS)], now)
    mark_open(store, now)
    champion = Champion(store)
    champion.refresh()
    rescorer = Rescorer(store, champion, Spool(folder), lambda: now)
    while rescorer.step():
        pass
    rescorer.spool.close()
    records = [record for file in files_in(folder) for record in unpacked(file.read_bytes()).records]
    ledger.insert(store, records)
    return records


def of(records: list[ledger.ScoreRecord], source: str) -> dict[str, ledger.ScoreRecord]:
    return {str(record.lead_id): record for record in records if record.source == source}


def test_the_challenger_scores_along_into_the_ledger_and_nowhere_else(store: Store, tmp_path: Path) -> None:
    add_endpoint(store, "https://crm.example.com/hook", ["score.changed"], None, NOW)
    shadow.let_score_along(store, "2", NOW)
    records = rescored(store, tmp_path / "spool")
    beside, given = of(records, "shadow"), of(records, "store")
    assert set(beside) == set(given) == set(LEADS)
    assert {record.version for record in beside.values()} == {"2"}
    assert all(beside[id].probability != given[id].probability and beside[id].at == given[id].at for id in LEADS)
    for id in LEADS:
        row = queue.current(store, id)
        assert row is not None
        assert (row["version"], row["probability"], row["score_id"]) == ("1", given[id].probability, given[id].score_id)
        assert [score.source for score in ledger.of_lead(store, id, 10)] == ["store"], "the history tells what was told"
    with store.engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(DELIVERIES)) == len(LEADS), "one webhook a lead, not two"


def test_without_a_share_nothing_scores_along(store: Store, home: Path, tmp_path: Path) -> None:
    share(home, 0)
    shadow.let_score_along(store, "2", NOW)
    assert of(rescored(store, tmp_path / "spool"), "shadow") == {}


def test_a_share_is_the_same_leads_every_night(store: Store, home: Path, tmp_path: Path) -> None:
    share(home, 0.5)
    shadow.let_score_along(store, "2", NOW)
    tonight, tomorrow = (set(of(rescored(store, tmp_path / str(now), now), "shadow")) for now in (NOW, NOW + DAY))
    assert tonight == tomorrow == {id for id in LEADS if in_share(id, 0.5)}
    assert 15 < len(tonight) < 45


def test_both_ends_of_the_share() -> None:
    assert all(in_share(id, 1.0) for id in LEADS)
    assert not any(in_share(id, 0.0) for id in LEADS)
    assert np.mean([in_share(f"lead {number}", 0.2) for number in range(20_000)]) == pytest.approx(0.2, abs=0.01)


def test_the_metrics_tell_the_spread_of_what_was_told(store: Store, tmp_path: Path) -> None:
    shadow.let_score_along(store, "2", NOW)
    metrics = Metrics()
    metrics.scored(rescored(store, tmp_path / "spool"))
    metrics.settle(0)
    counted = [sample.value for family in metrics.counted().collect() if family.name == LATEST_SCORES for sample in family.samples]
    assert sum(counted) == len(LEADS)


def test_what_breaks_in_the_shadow_breaks_nothing_else(store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with store.writing.begin() as connection:
        connection.exec_driver_sql("UPDATE bundles SET document = '' WHERE version = '2'")
    shadow.let_score_along(store, "2", NOW)
    with caplog.at_level(logging.ERROR, "leadscore.shadow"):
        records = rescored(store, tmp_path / "spool")
    assert (set(of(records, "store")), of(records, "shadow")) == (set(LEADS), {})
    assert all(queue.current(store, id) for id in LEADS)
    assert "could not" in caplog.text


def test_a_bundle_that_cannot_be_read_is_not_read_again_for_each_batch(store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store.put_bundle("torn", "h", b"torn")
    shadow.let_score_along(store, "torn", NOW)
    champion = Champion(store)
    champion.refresh()
    beside = Shadow(store, champion, Spool(tmp_path / "spool"))
    with caplog.at_level(logging.ERROR, "leadscore.shadow"):
        assert [beside.score([], {}, None, NOW) for _ in range(5)] == [0] * 5
    assert len(caplog.records) == 1


def test_the_champion_does_not_score_along_with_itself(store: Store) -> None:
    assert shadow.scoring_along(store) is None
    shadow.let_score_along(store, "2", NOW)
    assert shadow.scoring_along(store) == ("2", NOW)
    store.promote("2", "test")
    assert shadow.scoring_along(store) is None, "promoted"
    store.rollback()
    assert shadow.scoring_along(store) == ("2", NOW), "and back"
    shadow.end(store)
    assert shadow.scoring_along(store) is None


def test_only_one_scores_along(store: Store) -> None:
    store.put_bundle("3", "h", b"x")
    for version in ("2", "3"):
        shadow.let_score_along(store, version, NOW)
    assert shadow.scoring_along(store) == ("3", NOW)


def beside(store: Store, made: Bundle, version: str, data_end: int) -> dict[str, Any] | None:
    read, _ = read_store(store, funnel=Funnel(), now=clock())
    return along_of(store, version, made, cohort_of(read, made.schema), data_end)


def test_once_outcomes_are_known_they_say_who_was_right(store: Store, tmp_path: Path) -> None:
    """Two of five leads become prospects: version 2 says a quarter and more, champion 1 one in twenty."""
    shadow.let_score_along(store, "2", NOW)
    records = rescored(store, tmp_path / "spool")
    before = beside(store, bundle(-3.0), "1", NOW)
    assert before is not None
    assert (before["champion"], before["shadow"], before["pairs"], before["leads"], before["outcomes"]) == ("1", "2", 60, 60, None)
    assert before["moved"] == np.mean([of(records, "shadow")[id].grade != of(records, "store")[id].grade for id in LEADS])
    assert before["rank_correlation"] == pytest.approx(1)
    assert "None of their outcomes is known yet." in told(before)
    won = [{"lead_id": id, "entered_at": NOW + 5 * DAY, "stage": "prospect"} for id in LEADS[::5] + LEADS[1::5]]
    add_stages(store, won, NOW + 6 * DAY, funnel=Funnel())
    for version, made in (("1", bundle(-3.0)), ("2", bundle())):
        after = beside(store, made, version, NOW + 28 * DAY)
        assert after is not None
        known = after["outcomes"]
        assert known["ripe"] == 60
        assert known["better_by"] > 3 * known["noise"] > 0
        assert known["champion"] == pytest.approx(-np.mean([np.log(p if id in {w["lead_id"] for w in won} else 1 - p) for id, p in told_by(records)]))
        assert "On 60 whose outcome is known log loss" in told(after)
    assert beside(store, bundle(), "2", NOW + 28 * DAY - 1)["outcomes"] is None  # type: ignore[index]


def told_by(records: list[ledger.ScoreRecord]) -> list[tuple[str, float]]:
    return [(id, float(record.probability or 0)) for id, record in of(records, "store").items()]


def test_a_version_that_is_neither_has_nothing_beside_it(store: Store) -> None:
    store.put_bundle("3", bundle(1.0).hash, bundle(1.0).to_bytes())
    shadow.let_score_along(store, "2", NOW)
    assert beside(store, bundle(), "3", NOW) is None
    shadow.end(store)
    assert beside(store, bundle(), "1", NOW) is None


def test_another_horizon_is_no_contest(store: Store, tmp_path: Path) -> None:
    made = bundle()
    longer = replace(made, hops=tuple(replace(hop, horizon_days=56) for hop in made.hops))
    store.put_bundle("3", longer.hash, longer.to_bytes())
    shadow.let_score_along(store, "3", NOW)
    rescored(store, tmp_path / "spool")
    found = beside(store, bundle(-3.0), "1", NOW + 90 * DAY)
    assert found is not None
    assert (found["pairs"], found["outcomes"]) == (60, None)


def test_before_the_first_night_there_is_nothing_to_compare(store: Store) -> None:
    shadow.let_score_along(store, "2", NOW)
    found = beside(store, bundle(), "1", NOW)
    assert found is not None
    assert (found["pairs"], found["moved"]) == (0, None)
    assert told(found).endswith("no lead has been scored by both yet.")


def test_agreement_counts_grades_one_by_one() -> None:
    pairs = [shadow.Pair("a", 1, "lead", (0.9, 95, "A"), (0.5, 75, "B")), shadow.Pair("b", 1, "lead", (0.1, 10, "D"), (0.2, 12, "D"))]
    found = agreement(pairs)
    assert (found["matrix"]["A"]["B"], found["matrix"]["D"]["D"], found["moved"]) == (1, 1, 0.5)
    assert sum(sum(row.values()) for row in found["matrix"].values()) == 2
    assert found["mean_difference"] == pytest.approx(-0.15)


def test_scores_of_the_shadow_are_kept_and_forgotten_as_all_others(store: Store, tmp_path: Path) -> None:
    shadow.let_score_along(store, "2", NOW)
    records = rescored(store, tmp_path / "spool")
    one = next(iter(of(records, "shadow").values()))
    assert ledger.get(store, one.score_id) == one
    assert ledger.forget(store, NOW + 1) == len(records)
    with store.engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(SCORES)) == 0
