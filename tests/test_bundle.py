"""The bundle as bytes: round trips, hashes, damage; effects that sum; scores with ties; the same training, the same hash."""

import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from bundles import SCHEMA, bundle, hop, linear
from data.contract import DataError
from data.funnel import Funnel
from registry.bundle import Bundle, HopModel, sigmoid
from registry.calibrator import Calibrator
from registry.models import Boosted, Constant, Linear, Model
from training.candidates import TreeGrower, TreeSize, fit_logistic
from training.run import train
from worlds import World, sampled

WIDTH = len(SCHEMA.columns)
CALIBRATORS = (Calibrator(), Calibrator("intercept", 1, 1, 0.7), Calibrator("sigmoid", 0.4, 0.4, -1), Calibrator("beta", 0.3, 2.5, 0.2))


def rows(n: int, seed: int = 0) -> np.ndarray:
    """Counts, missing values and zeros, as the columns of a schema hold them."""
    rng = np.random.default_rng(seed)
    X = rng.poisson(2, (n, WIDTH)).astype(np.float32)
    X[rng.random(X.shape) < 0.1] = np.nan
    return X


@pytest.fixture(scope="module")
def models() -> dict[str, Model]:
    """One of each kind, fitted on the same rows."""
    X = rows(800)
    y = (np.random.default_rng(1).random(800) < sigmoid(np.nan_to_num(X[:, 0]) - np.nan_to_num(X[:, 5]))).astype(np.int8)
    boosted = TreeGrower(X, y, 0).grow(np.ones(800), TreeSize(40))
    return {"base_rate": Constant(-1.3), "logistic": fit_logistic(X, y, np.ones(800)), "lightgbm": boosted}


def with_model(model: Model, calibrator: Calibrator = CALIBRATORS[0]) -> Bundle:
    made = bundle()
    return replace(made, hops=(replace(made.hops[0], model=model, calibrator=calibrator), *made.hops[1:]))


@pytest.mark.parametrize("kind", ["base_rate", "logistic", "lightgbm"])
def test_bytes_hold_the_whole_bundle(kind: str, models: dict[str, Model]) -> None:
    made = with_model(models[kind], CALIBRATORS[3])
    again = Bundle.from_bytes(made.to_bytes())
    assert again.hash == made.hash
    assert again.to_bytes() == made.to_bytes()
    assert again.document() == made.document()
    X = rows(100, 2)
    for ours, theirs in zip(made.hops, again.hops, strict=True):
        np.testing.assert_array_equal(ours.probability(X), theirs.probability(X))
        np.testing.assert_array_equal(ours.interval(X, ours.model.raw_score(X)), theirs.interval(X, theirs.model.raw_score(X)))
        np.testing.assert_array_equal(ours.explain(X)[1], theirs.explain(X)[1])


def test_a_trained_bundle_survives_its_bytes(sample: World) -> None:
    again = Bundle.from_bytes(sample.bundle.to_bytes())
    assert again.hash == sample.bundle.hash
    assert again.to_bytes() == sample.bundle.to_bytes()


def test_the_hash_is_of_what_scores_and_not_of_when() -> None:
    made = bundle()
    assert replace(made, about={**made.about, "trained_at": "2027-01-01T00:00:00Z", "seconds": 5}).hash == made.hash
    assert replace(made, about={**made.about, "data_digest": "another"}).hash != made.hash
    assert bundle(intercept=-1.1).hash != made.hash
    assert with_model(Constant(-1.2000001)).hash != with_model(Constant(-1.2)).hash


def test_the_archive_can_be_read_and_compared_without_this_program(models: dict[str, Model]) -> None:
    with zipfile.ZipFile(io.BytesIO(with_model(models["lightgbm"]).to_bytes())) as archive:
        assert sorted(archive.namelist()) == ["bundle.json", "lead.lead-prospect.model.txt"]
        assert orjson.loads(archive.read("bundle.json"))["path"] == ["lead", "prospect", "opportunity"]
        assert archive.read("lead.lead-prospect.model.txt").startswith(b"tree\n")


def rewritten(change: Callable[[dict[str, Any]], None], made: Bundle | None = None) -> bytes:
    """The bytes of a bundle whose document was changed by hand."""
    document = orjson.loads(zipfile.ZipFile(io.BytesIO((made or bundle()).to_bytes())).read("bundle.json"))
    change(document)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("bundle.json", orjson.dumps(document))
    return out.getvalue()


def no_model(document: dict[str, Any]) -> None:
    del document["hops"][0]["model"]


DAMAGE = {
    "another format": lambda d: d.update(format=2),
    "no format": lambda d: d.pop("format"),
    "an unknown kind of model": lambda d: d["hops"][0]["model"].update(kind="forest"),
    "a hop without a model": no_model,
    "an unknown calibrator": lambda d: d["hops"][0]["calibrator"].update(kind="isotonic"),
    "a calibrator that turns scores around": lambda d: d["hops"][0]["calibrator"].update(low=-1.0),
    "a coefficient that is no number": lambda d: d["hops"][0]["model"].update(coefficient=["a"]),
    "other features than this version has": lambda d: d["schema"]["columns"].pop(),
    "a schema that is a text": lambda d: d.update(schema="none"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_changed_document_is_refused_in_words(what: str) -> None:
    with pytest.raises(DataError, match="a bundle must be a whole archive of format 1"):
        Bundle.from_bytes(rewritten(DAMAGE[what]))


def test_trees_without_their_text_are_refused(models: dict[str, Model]) -> None:
    with pytest.raises(DataError, match="whole archive"):
        Bundle.from_bytes(rewritten(lambda _: None, with_model(models["lightgbm"])))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_torn_bytes_are_refused(share: float, models: dict[str, Model]) -> None:
    content = with_model(models["lightgbm"]).to_bytes()
    with pytest.raises(DataError, match="Train or promote another"):
        Bundle.from_bytes(content[: int(share * len(content))])


def test_flipped_bytes_are_refused(models: dict[str, Model]) -> None:
    content = bytearray(with_model(models["lightgbm"]).to_bytes())
    for place in range(40, len(content) // 2, max(1, len(content) // 40)):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        try:
            again = Bundle.from_bytes(bytes(damaged))
        except DataError:
            continue
        assert again.hash == with_model(models["lightgbm"]).hash, f"byte {place} was changed and nobody noticed"


@pytest.mark.parametrize("kind", ["base_rate", "logistic", "lightgbm"])
@pytest.mark.parametrize("calibrator", CALIBRATORS, ids=lambda c: c.kind)
def test_base_and_effects_sum_to_the_log_odds(kind: str, calibrator: Calibrator, models: dict[str, Model]) -> None:
    made = hop("lead", "lead->prospect", models[kind])
    made = replace(made, calibrator=calibrator)
    X = rows(500, 3)
    base, effects = made.explain(X)
    p = made.probability(X)
    np.testing.assert_allclose(base + effects.sum(axis=1), np.log(p / (1 - p)), atol=1e-9)
    assert np.all(effects * models[kind].contributions(X)[:, :-1] >= 0), "calibration never turns an effect around"


@settings(max_examples=200, deadline=None)
@given(
    st.floats(-6, 6), st.lists(st.floats(-3, 3), min_size=3, max_size=3), st.floats(0.01, 5), st.floats(0.01, 5), st.floats(-3, 3)
)  # fmt: skip
def test_any_monotone_calibrator_keeps_the_sum(intercept: float, weights: list[float], low: float, high: float, shift: float) -> None:
    effects = dict(zip(("tenure", "exits", "budget"), weights, strict=True))
    made = replace(hop("lead", "lead->prospect", linear(intercept, effects)), calibrator=Calibrator("beta", low, high, shift))
    X = rows(20, 4)
    base, parts = made.explain(X)
    np.testing.assert_allclose(base + parts.sum(axis=1), made.log_odds(X), atol=1e-9)


def scored(population: list[float], probability: list[float]) -> list[float]:
    made = replace(hop("lead", "lead->prospect", Constant(0.0)), population=np.array(sorted(population)))
    return made.score(np.array(probability)).tolist()


def test_a_score_is_the_mid_rank_among_the_population() -> None:
    assert scored([0.1, 0.2, 0.3, 0.4], [0.05, 0.1, 0.15, 0.4, 0.9]) == [0.0, 12.5, 25.0, 87.5, 100.0]


def test_ties_share_the_middle_of_their_ranks() -> None:
    assert scored([0.2] * 10, [0.1, 0.2, 0.3]) == [0.0, 50.0, 100.0]
    assert scored([0.1, 0.2, 0.2, 0.3], [0.2]) == [50.0]


def test_nobody_to_compare_with_is_the_middle() -> None:
    assert scored([], [0.1, 0.9]) == [50.0, 50.0]


@given(st.lists(st.floats(0, 1), max_size=30), st.lists(st.floats(0, 1), min_size=2, max_size=10))
def test_scores_rise_with_the_probability_and_stay_within_0_and_100(population: list[float], asked: list[float]) -> None:
    found = scored(population, sorted(asked))
    assert found == sorted(found)
    assert all(0 <= score <= 100 for score in found)


@settings(max_examples=100, deadline=None)
@given(st.floats(-30, 30), st.floats(-5, 3))
def test_an_interval_holds_its_probability(log_odds: float, spread: float) -> None:
    made = HopModel("lead", "lead->prospect", 7, Constant(log_odds), Calibrator(), Constant(spread), np.zeros(0), {})
    X = rows(1)
    (low,), (high,) = made.interval(X, made.model.raw_score(X))
    assert 0 <= low <= made.probability(X)[0] <= high <= 1


def test_a_chain_ends_where_a_hop_is_missing() -> None:
    made = bundle()
    assert [h.transition for h in made.hops_from("lead")] == ["lead->prospect", "prospect->opportunity"]
    assert [h.transition for h in made.hops_from("prospect")] == ["prospect->opportunity"]
    assert made.hops_from("opportunity") == made.hops_from("lost") == ()


def test_values_beyond_those_trained_on_count_as_the_outermost() -> None:
    fitted = fit_logistic(np.array([[0.0], [1.0], [2.0], [5.0]] * 10, np.float32), np.array([0, 0, 1, 1] * 10, np.int8), np.ones(40))
    assert isinstance(fitted, Linear)
    ends = fitted.raw_score(np.array([[-9.0], [0.0], [5.0], [99.0]], np.float32))
    assert ends[0] == ends[1]
    assert ends[2] == ends[3]


@pytest.mark.proof
def test_the_same_data_and_seed_give_the_same_hash_on_any_cores(tmp_path: Path, home: Path) -> None:
    dataset = sampled(tmp_path / "dataset", 300, 5)
    made = []
    for trained_at, cores in ((0, 1), (1_000_000, 4)):
        with threadpool_limits(limits=cores, user_api="blas"):
            made.append(train(dataset, Funnel(), trained_at))
    first, again = made
    assert first.bundle.hash == again.bundle.hash
    assert first.bundle.about["trained_at"] != again.bundle.about["trained_at"]
    assert first.forward.equals(again.forward)


def test_boosted_trees_are_their_text(models: dict[str, Model]) -> None:
    boosted = models["lightgbm"]
    assert isinstance(boosted, Boosted)
    again = Boosted.from_text(boosted.text, boosted.columns.tolist(), boosted.width)
    np.testing.assert_array_equal(again.raw_score(rows(50, 6)), boosted.raw_score(rows(50, 6)))
