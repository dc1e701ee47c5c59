"""Tuning: trial k is the same whatever stopped the run before it; a budget decides only how many trials there are; the default has to be beaten."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from optuna.distributions import IntDistribution

from data.flat import FlatColumns, read_flat
from data.funnel import Funnel
from data.sample.parameters import END
from flat_files import made, write
from leadscore import main
from test_choice import crossed, noise, planted, splits_of
from training.candidates import TreeShape
from training.choice import choose
from training.flat import train_flat
from training.run import train
from training.tuning import NO_TUNING, SPACE, Journal, Tried, Tuning, digest, tune
from worlds import sampled

pytestmark = pytest.mark.slow

DEFAULT = (0.5, 0.5, 0.5)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LEADSCORE_HOME", str(tmp_path))
    return tmp_path


class Bowl:
    """A loss with its lowest point at 0.4 of the columns and a shrinkage of 30, over three folds; it remembers what it was asked."""

    def __init__(self, floor: float = 0.3) -> None:
        self.asked: list[TreeShape] = []
        self.folds = 0
        self.floor = floor

    def __call__(self, shape: TreeShape) -> Iterator[float]:
        self.asked.append(shape)
        for _ in range(3):
            self.folds += 1
            yield float(self.floor + (shape.columns - 0.4) ** 2 + (np.log(shape.shrinkage / 30) / 10) ** 2)


def journal(home: Path) -> Path:
    return home / "tuning" / "key.jsonl"


@pytest.mark.parametrize("stopped", [1, 5, 6, 11])
def test_a_run_that_was_killed_goes_on_as_if_it_had_not_been(tmp_path_factory: pytest.TempPathFactory, stopped: int) -> None:
    whole, first, second = Bowl(), Bowl(), Bowl()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEADSCORE_HOME", str(tmp_path_factory.mktemp("one")))
        at_once = tune(whole, DEFAULT, Tuning(trials=(12,)), "key", 7)
        home = tmp_path_factory.mktemp("two")
        patch.setenv("LEADSCORE_HOME", str(home))
        tune(first, DEFAULT, Tuning(trials=(stopped,)), "key", 7)
        with journal(home).open("ab") as file:
            file.write(b'{"shape": {"leaves"')
        again = tune(second, DEFAULT, Tuning(trials=(12,)), "key", 7)
    assert again == at_once
    assert first.asked + second.asked == whole.asked
    assert len(first.asked) == stopped


def test_as_many_trials_as_a_budget_allowed_give_the_same_shape(home: Path) -> None:
    timed = tune(Bowl(), DEFAULT, Tuning(seconds=0.2), "key", 3)
    journal(home).unlink()
    assert timed[1] > 0
    assert tune(Bowl(), DEFAULT, Tuning(trials=(timed[1],)), "key", 3) == timed


def test_fewer_trials_than_the_journal_holds_are_those_that_came_first(home: Path) -> None:
    alone = tune(Bowl(), DEFAULT, Tuning(trials=(4,)), "key", 3)
    tune(Bowl(), DEFAULT, Tuning(trials=(9,)), "key", 3)
    idle = Bowl()
    assert tune(idle, DEFAULT, Tuning(trials=(4,)), "key", 3) == alone
    assert idle.asked == []
    assert len(list(Journal(journal(home)).read())) == 9


def test_the_time_that_was_spent_before_a_kill_counts() -> None:
    tuning = Tuning(seconds=10.0)
    tried = Tried({}, (0.5,), False, 4.0)
    assert [tuning.wants([tried] * n) for n in range(4)] == [True, True, False, False]
    assert not Tuning(seconds=0.0).wants([])
    assert not NO_TUNING.wants([])


def test_a_shape_is_found_that_is_better_and_most_of_what_is_worse_is_given_up_early() -> None:
    bowl = Bowl()
    shape, trials = tune(bowl, DEFAULT, Tuning(trials=(40,)), "key", 0)
    assert trials == len(bowl.asked) == 40
    assert abs(shape.columns - 0.4) < 0.1
    assert bowl.folds < 100


def test_nothing_better_leaves_the_default() -> None:
    assert tune(Bowl(floor=0.6), DEFAULT, Tuning(trials=(8,)), "key", 0) == (TreeShape(), 8)


def test_another_seed_tries_other_shapes(home: Path) -> None:
    one, other = Bowl(), Bowl()
    tune(one, DEFAULT, Tuning(trials=(3,)), "one", 0)
    tune(other, DEFAULT, Tuning(trials=(3,)), "other", 1)
    assert not set(one.asked) & set(other.asked)


def test_hops_share_the_time_and_have_their_own_numbers() -> None:
    assert Tuning(seconds=60).of_hop(1, 3) == Tuning(seconds=20)
    assert [Tuning(trials=(12, 9, 7)).of_hop(i, 3).trials for i in range(3)] == [(12,), (9,), (7,)]
    assert [Tuning(trials=(5,)).of_hop(i, 3).trials for i in range(3)] == [(5,)] * 3
    assert NO_TUNING.of_hop(0, 3) == NO_TUNING


def test_tuned_trees_are_chosen_alike_twice_and_counted(home: Path) -> None:
    sample = planted(500, crossed, 0)
    first = choose(sample, splits_of(sample), 0, Tuning(trials=(2,)))
    (path,) = (home / "tuning").iterdir()
    path.unlink()
    second = choose(sample, splits_of(sample), 0, Tuning(trials=(2,)))
    assert first.trials == second.trials == 2
    assert first.size == second.size
    np.testing.assert_array_equal(first.raw, second.raw)


def test_no_trial_is_taken_from_other_data(home: Path) -> None:
    """A journal is of one sample, one set of folds and one seed: anything else is tried anew."""
    sample = planted(400, crossed, 0)
    for other in (sample, replace(sample, y=np.where(np.arange(400) == 5, 1 - sample.y, sample.y).astype(np.int8))):
        choose(other, splits_of(other), 0, Tuning(trials=(1,)))
    choose(sample, splits_of(sample), 1, Tuning(trials=(1,)))
    assert len(list((home / "tuning").iterdir())) == 3


def test_tuning_on_noise_changes_nothing() -> None:
    sample = planted(400, noise, 0)
    assert choose(sample, splits_of(sample), 0, Tuning(trials=(3,))).candidate == "base_rate"


@pytest.mark.proof
def test_the_trials_that_a_budget_allowed_make_the_same_bundle_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = sampled(tmp_path / "world", 250, 1)
    budgeted = train(dataset, Funnel(), END, tuning=Tuning(seconds=2.0)).bundle
    trials = budgeted.about["trials"]
    assert [hop.evaluation["trials"] for hop in budgeted.hops] == trials
    assert max(trials) > 0
    monkeypatch.setenv("LEADSCORE_HOME", str(tmp_path / "elsewhere"))
    assert train(dataset, Funnel(), END, tuning=Tuning(trials=tuple(trials))).bundle.hash == budgeted.hash


def test_a_flat_file_is_tuned_and_its_trials_make_the_same_bundle_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns, _ = made(400, 1)
    file = read_flat(write(tmp_path / "leads.csv", columns), FlatColumns("Converted"), Funnel(), lambda _: None, END)[0]
    budgeted = train_flat(file, Funnel(), END, tuning=Tuning(seconds=0.3)).bundle
    (trials,) = budgeted.about["trials"]
    assert trials == budgeted.hops[0].evaluation["trials"] > 0
    monkeypatch.setenv("LEADSCORE_HOME", str(tmp_path / "elsewhere"))
    assert train_flat(file, Funnel(), END, tuning=Tuning(trials=(trials,))).bundle.hash == budgeted.hash


def test_the_command_line_passes_the_number_of_trials_on(tmp_path: Path) -> None:
    columns, _ = made(300, 1)
    path, told = write(tmp_path / "leads.csv", columns), tmp_path / "told.json"
    assert main(["train", str(path), "--outcome", "Converted", "--trials", "1", "--json", str(told)]) == 0
    assert json.loads(told.read_text())["transitions"]["outcome"]["trials"] == 1


def test_trials_of_another_space_are_not_taken_up(monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest([b"rows"])
    assert before == digest([b"rows"])
    monkeypatch.setitem(SPACE, "leaves", IntDistribution(2, 13))
    assert digest([b"rows"]) != before
