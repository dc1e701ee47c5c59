"""The pictures show what the metrics say, and survive data with next to nothing in it."""

import io

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from training.metrics import gain_curve, lift_top_decile, reliability
from training.plots import MOST_FEATURES, chance_band, gain_plot, importance_plot, lift_plot, months_plot, reliability_plot
from training.segments import LEAST_LEADS


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
    drawn = next(line for line in top.lines if line.get_label() == "what came of it")
    found = reliability(y, p)
    assert np.allclose(drawn.get_xydata(), np.column_stack([found.predicted, found.observed]))
    bars = np.array(next(part for part in top.collections if isinstance(part, LineCollection)).get_segments())
    assert np.all((bars[:, 0, 1] <= found.observed) & (found.observed <= bars[:, 1, 1]))
    assert sum(bar.get_height() for bar in bottom.patches) == np.sum(p <= top.get_xlim()[1])
    picture(figure)


def test_gain_draws_each_model_and_chance() -> None:
    y, p, _ = sample()
    figure = gain_plot(y, {"lightgbm": p, "base rate": np.full(len(y), 0.1)}, "lead->prospect")
    (axes,) = figure.axes
    lines = {line.get_label(): line for line in axes.lines}
    assert set(lines) == {"base rate (chance)", "perfect knowledge", "lightgbm", "base rate"}
    assert np.allclose(lines["lightgbm"].get_xydata(), np.column_stack(gain_curve(y, p)))
    picture(figure)


def test_lift_draws_how_many_times_chance_each_model_finds() -> None:
    y, p, _ = sample()
    (axes,) = lift_plot(y, {"lightgbm": p}, "lead->prospect").axes
    line, dot, chance = axes.lines
    contacted, found = np.array(line.get_xydata()).T
    assert np.allclose(found * contacted, np.interp(contacted, *gain_curve(y, p)))
    assert dot.get_ydata()[0] == lift_top_decile(y, p)
    assert set(chance.get_ydata()) == {1}


def test_months_draws_what_was_said_beside_what_came_of_it() -> None:
    rows = [
        {"name": f"2026-0{month}", "leads": leads, "landmarks": 9, "predicted": 0.2, "observed": 0.1 * month, "low": 0.05, "high": 0.5}
        for month, leads in ((1, LEAST_LEADS - 1), (2, LEAST_LEADS), (3, 300))
    ]
    (axes,) = months_plot(rows, "").axes
    observed = next(line for line in axes.lines if line.get_label() == "what came of it")
    assert np.allclose(observed.get_ydata(), [0.2, 0.3]), "a month of too few leads is left out"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["2026-02", "2026-03"]
    picture(months_plot(rows[:1], "none has enough"))
    picture(months_plot([], "no month"))


@pytest.mark.parametrize("each", [1, 4])
def test_the_band_holds_a_perfect_models_bins_nine_times_in_ten(each: int) -> None:
    """Also where the rows of one lead share their luck."""
    rng = np.random.default_rng(5)
    lead = np.repeat(np.arange(400), each)
    p = rng.beta(1, 3, 400)[lead]
    low, high = chance_band(p, lead)
    inside = []
    for _ in range(100):
        observed = reliability((rng.random(400)[lead] < p).astype(float), p).observed
        inside.append(np.mean((low - 1e-12 <= observed) & (observed <= high + 1e-12)))
    assert 0.87 <= np.mean(inside) <= 0.96


def test_importance_draws_the_largest_first_and_leaves_out_nothings() -> None:
    figure = importance_plot(["small", "none", "large"], np.array([0.1, 0.0, 0.5]), "lead->prospect")
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["large", "small"]
    assert [bar.get_width() for bar in axes.patches] == [0.5, 0.1]
    picture(figure)
    picture(importance_plot(["price in $ or $_{x"], np.ones(1), "no formula"))
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
    picture(lift_plot(y, {"only": p}, "few"))
    picture(importance_plot(["a"], np.zeros(1), "few"))
