"""A whole training: what the report holds, what the bundle holds, what is censored, and what a funnel.toml changes."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.contract import DAY, DataError, format_instant
from data.dataset import Dataset
from data.funnel import Funnel
from features.rows import compute
from training.candidates import SIMPLEST_FIRST
from training.labels import Hop, outcome
from training.landmarks import landmarks, weekly_snapshots
from training.metrics import auc, log_loss
from training.populations import POPULATION_WEEKS
from training.run import train
from worlds import World, of_leads, sampled

TEST = {"auc", "average_precision", "log_loss", "brier", "ece", "lift_top_decile", "base_rate"}
MISSION = ("lead->prospect", "prospect->opportunity")


@pytest.mark.parametrize("transition", MISSION)
def test_the_report_holds_what_the_contract_says(sample: World, transition: str) -> None:
    told = sample.trained.report["transitions"][transition]
    assert set(told["test"]) == TEST
    assert set(told["intervals"]) == TEST
    assert {"base_rate", "logistic"} <= set(told["baselines"])
    assert all(set(baseline) == TEST for baseline in told["baselines"].values())
    assert {"train", "calibrate", "test", "censored"} <= set(told["landmarks"])
    assert told["candidate"] in SIMPLEST_FIRST
    assert {"leaks", "seconds", "random_split", "horizon_days"} <= set(told)
    assert all(low <= told["test"][name] <= high for name, (low, high) in told["intervals"].items() if name != "ece")


def test_each_stage_has_a_hop_for_every_transition_ahead(sample: World) -> None:
    assert sample.bundle.path == ("lead", "prospect", "opportunity", "customer")
    assert [h.transition for h in sample.bundle.hops_from("lead")][:2] == list(MISSION)
    assert [h.transition for h in sample.bundle.hops_from("prospect")][:1] == [MISSION[1]]
    horizons = {(h.transition, h.horizon_days) for h in sample.bundle.hops}
    assert len({transition for transition, _ in horizons}) == len(horizons), "a transition has one horizon, whoever asks"


def test_what_was_learned_beats_the_base_rate(sample: World) -> None:
    told = sample.trained.report["transitions"][MISSION[0]]
    assert told["test"]["log_loss"] < told["baselines"]["base_rate"]["log_loss"]
    assert told["test"]["auc"] > 0.7


def test_the_report_is_of_the_forward_answers(sample: World) -> None:
    """Recomputed from the table that travels with the run."""
    for transition in MISSION:
        told = sample.trained.report["transitions"][transition]
        rows = [r for r in sample.trained.forward.to_pylist() if r["transition"] == transition and transition.startswith(r["stage"])]
        y, p = (np.array([float(r[name]) for r in rows]) for name in ("y", "probability"))
        assert len(rows) == told["landmarks"]["test"]
        assert told["test"]["auc"] == pytest.approx(auc(y, p), abs=1e-9)
        assert told["test"]["log_loss"] == pytest.approx(log_loss(y, p), abs=1e-9)


def test_landmarks_are_counted_and_censored_ones_left_out(sample: World) -> None:
    timeline, end = sample.cohort.timeline, sample.dataset.data_end
    told = sample.trained.report["transitions"][MISSION[0]]
    marks = landmarks(timeline, 0, end)
    ripe = outcome(timeline, [Hop(0, 1, told["horizon_days"])], marks.lead, marks.as_of, end).ripe
    assert told["landmarks"]["refit"] == int(ripe.sum())
    assert told["landmarks"]["censored"] == int((~ripe).sum())
    assert int((~ripe).sum()) > 0
    assert all(row["as_of"] + row["horizon_days"] * DAY <= end for row in sample.trained.forward.to_pylist())


def test_a_score_is_a_percentile_among_open_leads_of_recent_mondays(sample: World) -> None:
    hop = sample.bundle.hops_from("lead")[0]
    recent = weekly_snapshots(sample.cohort.timeline, 0, sample.dataset.data_end, POPULATION_WEEKS)
    X = compute(sample.bundle.schema, sample.cohort, recent.lead, recent.as_of)
    everyone = np.sort(hop.probability(X))
    assert hop.population.size == min(everyone.size, 2_001)
    assert {hop.population[0], hop.population[-1]} == {everyone[0], everyone[-1]}
    assert hop.score(np.array([np.median(everyone)]))[0] == pytest.approx(50, abs=2)


def test_the_bundle_says_where_it_comes_from(sample: World) -> None:
    about = sample.bundle.about
    assert about["data_digest"] == sample.dataset.digest
    assert about["data_end"] == format_instant(sample.dataset.data_end)
    assert about["leads"] == sample.dataset.leads.num_rows
    assert about["events"] == sample.dataset.events.num_rows
    assert Funnel.from_document(sample.bundle.funnel) == Funnel()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Few leads, and only what is needed: no attributes' cost."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEADSCORE_HOME", str(tmp_path_factory.mktemp("home")))
        return sampled(tmp_path_factory.mktemp("small"), 500, 8)


def test_a_funnel_sets_horizons_and_the_end_of_the_data(small: Dataset, home: Path) -> None:
    end = small.data_end - 200 * DAY
    found = train(small, Funnel(horizons={"lead->prospect": 21}, data_end=format_instant(end)), 0)
    hop = found.bundle.hops_from("lead")[0]
    assert hop.horizon_days == 21
    assert hop.evaluation["horizon_reason"] == "set in funnel.toml"
    assert found.bundle.about["data_end"] == format_instant(end)
    assert max(found.forward["as_of"].to_pylist()) <= end - 21 * DAY


def test_a_transition_with_too_little_evidence_is_reported_absent(small: Dataset, home: Path) -> None:
    stages = small.stages.to_pylist()
    never = {"opportunity", "customer"}
    kept = [i for i, row in enumerate(stages) if row["stage"] not in never]
    some = [i for i, row in enumerate(stages) if row["stage"] in never][:5]
    dataset = replace(small, stages=small.stages.take(sorted(kept + some)))
    told = train(dataset, Funnel(), 0).report["transitions"]
    assert told["lead->prospect"]["candidate"] in SIMPLEST_FIRST
    assert told["prospect->opportunity"]["absent"].startswith("not enough evidence")


def test_nothing_to_learn_is_said_in_words(small: Dataset, home: Path) -> None:
    with pytest.raises(DataError, match="no transition has enough evidence"):
        train(of_leads(small, small.leads["lead_id"].to_pylist()[:20]), Funnel(), 0)


def test_no_stage_entries_at_all_is_said_in_words(small: Dataset, home: Path) -> None:
    with pytest.raises(DataError, match="Check that `stages` holds the entries"):
        train(replace(small, stages=small.stages.slice(0, 0)), Funnel(), 0)


@pytest.mark.parametrize("leads", [60, 150, 250])
def test_any_small_world_is_trained_or_refused_in_words(small: Dataset, home: Path, leads: int) -> None:
    """Never a stack trace: a bundle, or the one reason why there is none."""
    dataset = of_leads(small, small.leads["lead_id"].to_pylist()[:leads])
    with suppress(DataError):
        assert train(dataset, Funnel(), 0).bundle.hops
