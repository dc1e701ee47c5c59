"""`leadscore evaluate`: planted changes after a version's data are found and told as reasons; where nothing changed it says so."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from data.contract import DAY, format_instant
from data.dataset import Dataset
from data.funnel import Funnel
from features.tables import cohort_of
from leadscore import main
from registry.bundle import Bundle
from training.evaluating import evaluated
from training.landmarks import landmarks
from training.populations import drift_of
from training.unseen import unseen
from training.verdict import judged, reasons_to_retrain
from worlds import World, at_home, raised

LATER = 200
"""Days before the end of the data at which the versions under test are told that theirs ended: what follows counts as never seen."""


def ended(bundle: Bundle, at: int) -> Bundle:
    return replace(bundle, about={**bundle.about, "data_end": format_instant(at)})


def since_of(sample: World) -> int:
    return sample.dataset.data_end - LATER * DAY


def verdict(bundle: Bundle, dataset: Dataset, **settings: Any) -> dict[str, Any]:
    return evaluated(bundle, dataset, cohort_of(dataset, bundle.schema), Funnel.from_document(settings))


def of_later(table: pa.Table, column: str, since: int, change: Callable[[pa.Table], pa.Table]) -> pa.Table:
    later = pc.greater(table[column], since)
    return pa.concat_tables([table.filter(pc.invert(later)), change(table.filter(later))])


def test_what_comes_true_needs_no_retraining(sample: World) -> None:
    """Outcomes drawn from its own probabilities, one luck a lead; inputs and scores as they were."""
    bundle, since, limits = ended(sample.bundle, since_of(sample)), since_of(sample), Funnel().drift
    luck = np.random.default_rng(0).random(sample.cohort.timeline.leads)
    asked = list(unseen(bundle, sample.cohort, since, sample.dataset.data_end))
    true = [replace(one, sample=replace(one.sample, y=(luck[one.sample.lead] < one.p).astype(np.int8))) for one in asked]
    drift = list(drift_of(bundle, sample.cohort, sample.dataset.data_end, since, limits))
    assert reasons_to_retrain([judged(one) for one in true], drift, bundle, limits) == []


def test_the_document_holds_what_was_measured(sample: World) -> None:
    told = verdict(ended(sample.bundle, since_of(sample)), sample.dataset)
    hop = told["transitions"]["lead->prospect"]
    assert hop["landmarks"]["ripe"] > 500
    assert hop["test"]["mean_probability"] == pytest.approx(hop["test"]["base_rate"], abs=0.05)
    low, high = hop["intervals"]["auc"]
    assert 0.5 < low < hop["test"]["auc"] < high < 1
    assert {shift["state"] for shift in told["drift"]["inputs"] + told["drift"]["scores"]} <= {"same", "unknown"}
    assert sum(shift["weight"] for shift in told["drift"]["inputs"] if shift["stage"] == "lead") == pytest.approx(1)


def test_only_what_came_after_counts_and_only_once_it_is_ripe(sample: World) -> None:
    since, end = since_of(sample), sample.dataset.data_end
    found = next(unseen(ended(sample.bundle, since), sample.cohort, since, end))
    horizon = found.hop.horizon_days * DAY
    assert found.sample.as_of.min() > since
    assert found.sample.as_of.max() <= end - horizon
    marks = landmarks(sample.cohort.timeline, 0, end)
    assert found.sample.y.size == ((marks.as_of > since) & (marks.as_of <= end - horizon)).sum()
    assert found.waiting == (marks.as_of > max(since, end - horizon)).sum()
    last = int(found.sample.as_of.max())
    assert next(unseen(sample.bundle, sample.cohort, last - 1, end)).sample.y.size > 0
    assert next(unseen(sample.bundle, sample.cohort, last, end)).sample.y.size == 0, "an instant that it knew is not after it"


def test_probabilities_that_are_too_high_are_a_reason(sample: World) -> None:
    told = verdict(raised(ended(sample.bundle, since_of(sample)), "lead->prospect", 1.2), sample.dataset)
    assert told["retrain"]
    assert [reason for reason in told["reasons"] if reason.startswith("lead->prospect: its probabilities no longer come true: it said")]
    assert told["transitions"]["lead->prospect"]["calibration"]["intercept"] < -0.5


def test_a_change_of_what_happens_is_found_in_the_outcomes(sample: World) -> None:
    """From then on two of three leads that became prospects did not."""
    since = since_of(sample)
    stages = of_later(sample.dataset.stages, "entered_at", since, lambda rows: rows.filter(pa.array(np.arange(rows.num_rows) % 3 == 0)))
    told = verdict(ended(sample.bundle, since), replace(sample.dataset, stages=stages))
    assert told["retrain"]
    assert any("lead->prospect: its probabilities no longer come true" in reason for reason in told["reasons"])


def test_a_change_of_the_inputs_is_found_before_any_outcome_is_known(sample: World) -> None:
    """In the last two weeks tracking is broken: nothing is seen of anybody."""
    since = sample.dataset.data_end - 14 * DAY
    events = of_later(sample.dataset.events, "occurred_at", since - 90 * DAY, lambda rows: rows.slice(0, 0))
    told = verdict(ended(sample.bundle, since), replace(sample.dataset, events=events))
    drifted = {shift["name"] for shift in told["drift"]["inputs"] if shift["state"] == "drifted"}
    assert "active_days_30d" in drifted
    assert told["retrain"]
    assert any(reason.startswith("lead: inputs that carry ") for reason in told["reasons"])
    assert told["transitions"]["lead->prospect"]["landmarks"]["ripe"] == 0
    assert any("can't be told yet: since its data ended 0 leads made it" in line for line in told["missing"])


def test_worse_than_the_base_rate_is_a_reason(sample: World) -> None:
    """A model turned upside down, its mean left as it is, is worse than saying the same of everybody."""
    bundle = ended(sample.bundle, since_of(sample))
    found = next(unseen(bundle, sample.cohort, since_of(sample), sample.dataset.data_end))
    assert judged(found).worse_than_known_rate is False
    order = np.argsort(found.p)
    turned = found.p.copy()
    turned[order] = found.p[order[::-1]]
    assert judged(replace(found, p=turned)).worse_than_known_rate is True


def test_the_limits_are_the_team_s(sample: World) -> None:
    spoiled = raised(ended(sample.bundle, since_of(sample)), "lead->prospect", 0.5)
    assert verdict(spoiled, sample.dataset)["retrain"]
    assert not verdict(spoiled, sample.dataset, drift={"p_value": 1e-300})["retrain"]


@pytest.fixture
def command(sample: World, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs `leadscore evaluate` at the world's home; what it said on standard output."""

    def run(*words: object) -> str:
        with at_home(sample.home):
            assert main(["evaluate", *map(str, words)]) == 0
        return capsys.readouterr().out

    return run


def test_the_data_of_its_own_training_can_say_nothing_of_it(sample: World, command: Callable[..., str], tmp_path: Path) -> None:
    said = command(sample.folder, "--json", tmp_path / "told.json")
    assert "This is the very data that it was trained on. Nothing in this dataset" in said
    assert "drift of inputs: none beyond chance" in said
    assert "No need to retrain: nothing that was measured speaks for a retraining." in said
    told = json.loads((tmp_path / "told.json").read_text())
    assert (told["version"], told["retrain"], told["same_data"], told["shadow"]) == ("1", False, True, None)
    assert told["transitions"]["lead->prospect"]["test"] == {}
    assert json.loads(command(sample.folder, "--version", "1", "--json", "-")) == told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--version", "77"), "version 77 is not in the registry"),
        (("--json", "/nowhere/at/all.json"), "--json must name a file that can be written"),
    ],
)
def test_a_mistake_is_told_and_refused(sample: World, words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with at_home(sample.home):
        assert main(["evaluate", str(sample.folder), *words]) == 1
    assert told in capsys.readouterr().err


def test_without_a_champion_it_says_what_to_do(home: Path, sample: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(sample.folder)]) == 1
    assert "no champion yet" in capsys.readouterr().err
