"""The benchmark of the features: every formulation of the question gives the same answers, and the check would notice if one did not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import bench_features
from benchmarks.features_alone import LIBRARIES, SAME, WHOLE, contenders, differing, main
from benchmarks.features_world import LANDMARKS, SCHEMA, World, asked, make

EVENTS = 1_500


FAR = 2**18 - 100


def far_away(world: World) -> World:
    """The same leads after so many others that their rivals' keys are nearly the largest that an int64 holds."""
    created = np.concatenate([np.full(FAR, world.created[0]), world.created])
    return replace(world, created=created, lead=world.lead + FAR, spine_lead=world.spine_lead + FAR)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    far_away(make(EVENTS, seed=3)).save(folder)
    assert main(WHOLE, folder, 1, expect=True)["wrong"] == []
    return folder


def test_at_least_a_hundred_columns_are_asked_for() -> None:
    assert 100 <= len(asked()) <= len(SCHEMA.features)


@pytest.mark.parametrize("name", [SAME, *(name for library in LIBRARIES for name in contenders(library))])
def test_every_formulation_answers_as_leadscore_does(folder: Path, name: str) -> None:
    found = main(name, folder, 1, expect=False)
    assert found["wrong"] == []
    assert found["peak"] > 0
    assert len(found["seconds"]) == len(found["processor"]) == 1


def test_a_column_that_differs_is_named(folder: Path) -> None:
    """Counts by one unit, others beyond the rounding of float32; nothing within it."""
    truth = np.load(folder / "expected.npy")
    names = [f.name for f in asked()]
    assert differing(lambda i: truth[i], truth) == []
    other = truth.copy()
    other[names.index("call_count_30d"), 5] += 1
    other[names.index("all_recency")] *= np.float32(1 + 1e-6)
    other[names.index("all_trend_7d_30d")] *= np.float32(1 + 1e-7)
    assert differing(lambda i: other[i], truth) == ["call_count_30d", "all_recency"]


def test_the_world_is_in_no_order_and_comes_back_from_its_folder(folder: Path) -> None:
    world = World.load(folder)
    assert world.lead.size == EVENTS
    assert world.spine_lead.size == EVENTS // 50 * LANDMARKS
    assert (np.diff(world.lead) < 0).any()
    order = np.lexsort((world.spine_as_of, world.spine_lead))
    assert np.array_equal(order, np.arange(order.size))
    assert np.array_equal(world.time, make(EVENTS, seed=3).time)


def test_more_events_than_the_rivals_keys_hold_are_refused() -> None:
    with pytest.raises(SystemExit, match="at most 13,000,000 for the comparison, got 50,000,000"):
        bench_features.main(50_000_000, 1)


@pytest.mark.proof
def test_the_closing_line_tells_the_best_of_each_library(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole run on a tiny world, against the one library that has one formulation."""
    monkeypatch.setattr(bench_features, "LIBRARIES", ("pandas",))
    bench_features.main(EVENTS, 1)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("best pandas ")
    assert lines[-1].endswith("x")
    assert sum(line.startswith("| pandas: ") for line in lines) == len(contenders("pandas"))
