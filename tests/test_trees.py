"""Trees against LightGBM's own answers, and against a text that is no longer what LightGBM wrote."""

from typing import Any

import lightgbm
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry import tree_kernels, tree_paths
from registry.forest import Forest
from registry.trees import Trees, UnsupportedModel, contributions, expected_value, parse_trees, raw_score
from registry.warm import warm

EDGES = np.array([0.0, -0.0, 1e-35, -1e-35, 2e-35, -2e-35, 1e-40, 3e38, -3e38, np.inf, -np.inf, np.nan, 1.0, -1.0], np.float32)


def sample(seed: int, rows: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Rows with counts, ties, edges, a sparse, a constant and an always missing column; a binary outcome."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 8)).astype(np.float32)
    X[:, 1] = rng.poisson(1.0, rows)
    X[:, 2] = rng.choice(EDGES, rows)
    X[:, 3] *= rng.random(rows) < 0.2
    X[:, 4], X[:, 5] = 7.0, np.nan
    X[rng.random(rows) < 0.2, 0] = np.nan
    chance = np.nan_to_num(X[:, 0]) + 0.5 * X[:, 1] * (X[:, 3] > 0) + np.isnan(X[:, 2]) + X[:, 6] * X[:, 7]
    return X, (chance + rng.normal(size=rows) > 0.5).astype(float)


def trained(X: np.ndarray, y: np.ndarray, rounds: int = 25, **params: Any) -> lightgbm.Booster:
    settings = {
        "objective": "binary",
        "num_leaves": 8,
        "min_data_in_leaf": 3,
        "num_threads": 1,
        "verbose": -1,
        "seed": 1,
    }
    return lightgbm.train(settings | params, lightgbm.Dataset(X, y, params={"verbose": -1}), rounds)


def asked(trees: Trees, X: np.ndarray, seed: int) -> np.ndarray:
    """Rows to ask about: seen ones, exact thresholds and their float32 neighbours, edges, nothing known."""
    rng = np.random.default_rng(seed)
    rows = X[rng.integers(0, len(X), 120)].copy()
    for feature, threshold in zip(trees.feature, np.clip(trees.threshold, -3e38, 3e38).astype(np.float32), strict=True):
        near = [threshold, np.nextafter(threshold, np.float32(np.inf)), np.nextafter(threshold, np.float32(-np.inf))]
        rows[rng.integers(0, len(rows), 3), feature] = near
    rows[-40:] = rng.choice(EDGES, (40, X.shape[1]))
    rows[-1] = np.nan
    return rows


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10_000),
    leaves=st.integers(2, 8),
    objective=st.sampled_from(["binary", "regression"]),
    missing=st.sampled_from([{}, {"zero_as_missing": True}, {"use_missing": False}]),
    shrink=st.sampled_from([{}, {"bagging_fraction": 0.5, "bagging_freq": 1}, {"path_smooth": 5.0, "lambda_l2": 3.0}]),
)
def test_scores_and_contributions_are_lightgbms(seed: int, leaves: int, objective: str, missing: dict[str, bool], shrink: dict[str, float]) -> None:
    X, y = sample(seed)
    booster = trained(X, y, objective=objective, num_leaves=leaves, learning_rate=0.3, **missing, **shrink)
    trees = parse_trees(booster.model_to_string())
    rows = asked(trees, X, seed)
    score, parts = raw_score(trees, rows), contributions(trees, rows)
    assert np.array_equal(score, booster.predict(rows, raw_score=True))
    np.testing.assert_allclose(parts, booster.predict(rows, pred_contrib=True), atol=1e-9, rtol=0)
    np.testing.assert_allclose(parts.sum(axis=1), score, atol=1e-9, rtol=0)
    np.testing.assert_allclose(parts[:, -1], expected_value(trees), atol=0, rtol=0)


@pytest.mark.parametrize("leaves", [9, 16, 40])
def test_trees_too_large_for_a_table_are_explained_leaf_by_leaf(leaves: int) -> None:
    X, y = sample(3, rows=800)
    booster = trained(X, y, num_leaves=leaves, min_data_in_leaf=2)
    trees = parse_trees(booster.model_to_string())
    assert np.diff(trees.leaf_start).max() == leaves
    np.testing.assert_allclose(contributions(trees, X), booster.predict(X, pred_contrib=True), atol=1e-9, rtol=0)


def test_trees_beyond_all_reason_are_scored_but_not_explained() -> None:
    X, y = sample(3, rows=2000)
    booster = trained(X, y, rounds=2, num_leaves=100, min_data_in_leaf=1)
    trees = parse_trees(booster.model_to_string())
    assert np.array_equal(raw_score(trees, X), booster.predict(X, raw_score=True))
    with pytest.raises(UnsupportedModel, match="at most 63 leaves"):
        contributions(trees, X)


def test_a_row_alone_gets_the_same_bits_as_in_a_batch() -> None:
    X, y = sample(4)
    trees = parse_trees(trained(X, y).model_to_string())
    score, parts = raw_score(trees, X), contributions(trees, X)
    for rows in (1, 2, 7, 8, 255, 256, 257):
        for start in (0, 40):
            assert np.array_equal(raw_score(trees, X[start : start + rows]), score[start : start + rows])
            assert np.array_equal(contributions(trees, X[start : start + rows]), parts[start : start + rows])


@pytest.mark.parametrize("leaves", [(2, 8), (8, 20), (20, 100), (100, 4)])
def test_models_side_by_side_say_what_each_says_alone(leaves: tuple[int, int]) -> None:
    """On columns of their own, trees with tables and without, in another order of the scores, with the first one's reasons and without any."""
    X, y = sample(5)
    wide = np.concatenate([X, -X[:, ::-1]], axis=1)
    offered = (np.arange(8), np.array([15, 1, 9, 3, 11, 5, 13, 7]))
    texts = [trained(wide[:, at], y, num_leaves=most).model_to_string() for at, most in zip(offered, leaves, strict=True)]
    models = [parse_trees(text, at.astype(np.int64), 16) for text, at in zip(texts, offered, strict=True)]
    for explain in (False, *([True] if leaves[0] < 64 else [])):
        forest = Forest.of(models, models[0].shap_tables) if explain else Forest.of(models)
        score, parts = np.full((3, len(wide)), 7.0), np.zeros((len(wide), 17))
        forest.add(wide, np.array([2, 0]), score, *([parts] if explain else []))
        assert np.array_equal(score[2], raw_score(models[0], wide))
        assert np.array_equal(score[0], raw_score(models[1], wide))
        assert np.all(score[1] == 7.0)
        assert not explain or np.array_equal(parts, contributions(models[0], wide))


def test_other_layouts_of_the_same_rows_score_the_same() -> None:
    X, y = sample(5)
    trees = parse_trees(trained(X, y).model_to_string())
    assert np.array_equal(raw_score(trees, np.asfortranarray(X)), raw_score(trees, X))
    assert np.array_equal(contributions(trees, X[::2]), contributions(trees, X)[::2])
    assert raw_score(trees, X[:0]).shape == (0,)


def test_once_warm_no_rows_and_no_model_are_compiled_for_again() -> None:
    warm()
    X, y = sample(5)
    frozen = X.copy()
    frozen.flags.writeable = False
    for trees in (parse_trees(trained(X, y, num_leaves=leaves).model_to_string()) for leaves in (2, 8, 20)):
        for rows in (X, X[:1], frozen, np.asfortranarray(X), X.astype(np.float64), X[:0]):
            raw_score(trees, rows)
            contributions(trees, rows)
    kernels = [kernel for kernel in (vars(tree_kernels) | vars(tree_paths)).values() if hasattr(kernel, "signatures")]
    assert len(kernels) >= 6
    assert {len(kernel.signatures) for kernel in kernels} <= {0, 1}


@pytest.mark.parametrize("objective", ["binary", "regression"])
def test_trees_of_one_leaf_say_the_mean(objective: str) -> None:
    X, y = sample(6)
    booster = trained(X, y, objective=objective, min_data_in_leaf=len(X), rounds=3)
    trees = parse_trees(booster.model_to_string())
    assert len(trees.feature) == 0
    assert np.array_equal(raw_score(trees, X), booster.predict(X, raw_score=True))
    assert np.array_equal(contributions(trees, X), booster.predict(X, pred_contrib=True))


def test_early_stopped_boosters_are_read_up_to_their_best_tree() -> None:
    X, y = sample(7)
    booster = trained(X, y)
    booster.best_iteration = 4
    trees = parse_trees(booster.model_to_string())
    assert len(trees.root) == 4
    assert np.array_equal(raw_score(trees, X), booster.predict(X, raw_score=True))


def test_names_and_objective_come_from_the_text() -> None:
    X, y = sample(8)
    data = lightgbm.Dataset(X, y, feature_name=[f"größe_{i}" for i in range(8)], params={"verbose": -1})
    booster = lightgbm.train({"objective": "binary", "verbose": -1, "num_threads": 1}, data, 3)
    trees = parse_trees(booster.model_to_string())
    assert trees.feature_names == tuple(f"größe_{i}" for i in range(8))
    assert trees.objective == "binary sigmoid:1"


def test_rows_of_another_width_are_refused() -> None:
    X, y = sample(9)
    trees = parse_trees(trained(X, y).model_to_string())
    with pytest.raises(ValueError, match=r"8 features .* shape is \(300, 7\)"):
        raw_score(trees, X[:, :7])
    with pytest.raises(ValueError, match="8 features"):
        contributions(trees, X[0])


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"categorical_feature": [1]}, "categorical"),
        ({"linear_tree": True}, "linear"),
        ({"objective": "multiclass", "num_class": 3}, "one class"),
        ({"boosting": "rf", "bagging_fraction": 0.5, "bagging_freq": 1}, "random forest"),
        ({"sigmoid": 2.0}, "sigmoid=1"),
    ],
)
def test_models_of_other_kinds_are_refused(params: dict[str, Any], reason: str) -> None:
    X, y = sample(10)
    X = np.nan_to_num(np.abs(X), nan=0.0, posinf=9.0)
    y = X[:, 1] % 3 if "num_class" in params else y
    data = lightgbm.Dataset(X, y, categorical_feature=params.pop("categorical_feature", "auto"), params={"verbose": -1})
    base = {"objective": "binary", "verbose": -1, "num_threads": 1, "min_data_per_group": 1, "cat_smooth": 0.1}
    text = lightgbm.train(base | params, data, 3).model_to_string()
    with pytest.raises(UnsupportedModel, match=reason):
        parse_trees(text)


@pytest.fixture(scope="module")
def text() -> str:
    return str(trained(*sample(11), rounds=5).model_to_string())


@settings(max_examples=80, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_torn_text_is_refused(text: str, share: float) -> None:
    whole = text.index("end of trees") + len("end of trees")
    with pytest.raises(UnsupportedModel):
        parse_trees(text[: int(share * whole)])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("leaf_value=", "leaf_value=1"),
        ("leaf_value=", "leaf_value=x"),
        ("leaf_value=", "leaf_value=nan "),
        ("left_child=", "left_child=9 "),
        ("num_leaves=8", "num_leaves=7"),
        ("Tree=1\n", "Tree=2\n"),
        ("tree_sizes=", "tree_sizes=-"),
        ("max_feature_idx=7", "max_feature_idx=8"),
        ("end of trees", "end of TREES"),
    ],
)
def test_a_changed_text_is_refused(text: str, old: str, new: str) -> None:
    assert old in text
    with pytest.raises(UnsupportedModel):
        parse_trees(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("split_feature", lambda values: ["9", *values[1:]]),
        ("left_child", lambda values: ["0", *values[1:]]),
        ("left_child", lambda values: values[::-1]),
        ("decision_type", lambda values: ["1", *values[1:]]),
        ("decision_type", lambda values: ["12", *values[1:]]),
        ("leaf_value", lambda values: values[1:]),
        ("leaf_count", lambda values: ["-3", *values[1:]]),
        ("threshold", lambda values: ["nan", *values[1:]]),
    ],
)
def test_a_changed_tree_of_the_declared_size_is_refused(text: str, key: str, change: Any) -> None:
    """The sizes are set right again, so that only what the tree says can give it away."""
    start = text.index(f"{key}=")
    line = text[start : text.index("\n", start)]
    changed = f"{key}=" + " ".join(change(line.split("=")[1].split()))
    sizes = text[text.index("tree_sizes=") :].splitlines()[0]
    first = int(sizes.split("=")[1].split()[0])
    resized = sizes.replace(str(first), str(first + len(changed) - len(line)), 1)
    with pytest.raises(UnsupportedModel, match="tree 0"):
        parse_trees(text.replace(line, changed, 1).replace(sizes, resized, 1))


def test_anything_else_is_refused() -> None:
    for other in ("", "tree\n", "{}", "tree\nversion=v4\n\n"):
        with pytest.raises(UnsupportedModel):
            parse_trees(other)
