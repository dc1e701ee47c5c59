"""The pictures show what the metrics say, and survive data with next to nothing in it."""

import io

import numpy as np
import pytest
from matplotlib.figure import Figure

from training.metrics import gain_curve, reliability
from training.plots import MOST_FEATURES, gain_plot, importance_plot, reliability_plot


def sample(leads: int = 200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    lead = np.repeat(np.arange(leads), 3)
    p = np.repeat(rng.beta(1, 6, leads), 3)
    return (rng.random(leads)[lead] < p).astype(float), p, lead


def picture(figure: Figure) -> bytes:
    """PNG bytes; drawing is what finds most mistakes."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    assert file.getvalue().startswith(b"\x89PNG")
    return file.getvalue()


def test_reliability_draws_the_bins_and_intervals_around_them() -> None:
    y, p, lead = sample()
    figure = reliability_plot(y, p, lead, "lead->prospect")
    top, bottom = figure.axes
    drawn = next(line for line in top.lines if line.get_label() == "observed")
    found = reliability(y, p)
    assert np.allclose(drawn.get_xydata(), np.column_stack([found.predicted, found.observed]))
    bars = np.array(top.collections[0].get_segments())
    assert np.all((bars[:, 0, 1] <= found.observed) & (found.observed <= bars[:, 1, 1]))
    assert sum(bar.get_height() for bar in bottom.patches) == np.sum(p <= top.get_xlim()[1])
    picture(figure)


def test_gain_draws_each_model_and_chance() -> None:
    y, p, _ = sample()
    figure = gain_plot(y, {"lightgbm": p, "base rate": np.full(len(y), 0.1)}, "lead->prospect")
    left, _ = figure.axes
    lines = {line.get_label(): line for line in left.lines}
    assert set(lines) == {f"chance (base rate {y.mean():.1%})", "perfect knowledge", "lightgbm", "base rate"}
    assert np.allclose(lines["lightgbm"].get_xydata(), np.column_stack(gain_curve(y, p)))
    picture(figure)


def test_importance_draws_the_largest_first_and_leaves_out_nothings() -> None:
    figure = importance_plot(["small", "none", "large"], np.array([0.1, 0.0, 0.5]), "lead->prospect")
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["large", "small"]
    assert [bar.get_width() for bar in axes.patches] == [0.5, 0.1]
    picture(figure)
    many = importance_plot([f"feature_{i}" for i in range(99)], np.ones(99), "many")
    assert len(many.axes[0].patches) == MOST_FEATURES


def test_the_same_data_give_the_same_picture() -> None:
    y, p, lead = sample()
    assert picture(reliability_plot(y, p, lead, "a")) == picture(reliability_plot(y, p, lead, "a"))


@pytest.mark.parametrize("rows", [1, 2, 3])
@pytest.mark.parametrize("outcome", [0.0, 1.0])
def test_next_to_nothing_can_be_drawn(rows: int, outcome: float) -> None:
    y, p = np.full(rows, outcome), np.linspace(0, 1, rows)
    picture(reliability_plot(y, p, np.arange(rows), "few"))
    picture(gain_plot(y, {"only": p}, "few"))
    picture(importance_plot(["a"], np.zeros(1), "few"))
