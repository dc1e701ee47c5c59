"""Little data on sample worlds, judged against the truth: no answer, or one that is no worse than the base rate, and better as leads come in."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.bench_little_data import distances
from benchmarks.truths import TrueWorld

pytestmark = pytest.mark.proof


def test_from_no_answer_to_a_good_one(tmp_path: Path) -> None:
    world = TrueWorld.made(tmp_path / "world", 900, 11)
    none, some = distances(world, 40, 0), distances(world, 450, 0)
    assert {told["candidate"] for told in none.values()} == {"no answer"}
    first = some["lead->prospect"]
    assert first["candidate"] != "no answer"
    assert first["ours"] < 0.8 * first["base rate"]
    assert first["ours"] < first["lightgbm"]
    worse = np.mean([float(told["ours"]) - float(told["base rate"]) for told in some.values()])
    assert worse < 0.0
