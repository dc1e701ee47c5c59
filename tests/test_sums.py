"""Sums are cut up the same on every machine: BLAS has one thread while something is trained, and as many as before when that is over."""

from collections.abc import Callable
from pathlib import Path

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from data.contract import DataError
from data.flat import FlatColumns, read_flat
from data.funnel import Funnel
from flat_files import made, write
from training.flat import train_flat
from training.run import Tell, train
from worlds import sampled


def threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def folder(tmp_path: Path, tell: Tell) -> None:
    train(sampled(tmp_path / "w", 20, 3), Funnel(), 0, tell=tell)


def flat_file(tmp_path: Path, tell: Tell) -> None:
    path = write(tmp_path / "leads.csv", made(20, 1)[0])
    train_flat(read_flat(path, FlatColumns("Converted"), Funnel(), lambda _: None, 0)[0], Funnel(), 0, tell=tell)


@pytest.mark.parametrize("training", [folder, flat_file])
def test_a_training_adds_up_the_same_on_any_cores(training: Callable[[Path, Tell], None], tmp_path: Path, home: Path) -> None:
    """So few leads are refused, which is soon over."""
    seen: set[int] = set()
    with threadpool_limits(limits=3, user_api="blas"):
        with pytest.raises(DataError):
            training(tmp_path, lambda _: seen.update(threads()))
        assert threads() == {3}
    assert seen == {1}
