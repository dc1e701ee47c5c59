"""Shrunken rates: invariants, a slow oracle, and planted truths held by their intervals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import binom

from benchmarks.bench_icp import Planted
from training.shrinkage import _USUAL, _common, design_effect, shrunken

counts = st.lists(st.tuples(st.integers(0, 400), st.floats(0, 1)), min_size=1, max_size=8).map(
    lambda drawn: (np.array([float(round(n * share)) for n, share in drawn]), np.array([float(n) for n, _ in drawn]))
)


@given(counts)
@settings(max_examples=30, deadline=None)
def test_lifts_average_to_one_and_intervals_hold_their_middle(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    reached, leads = drawn
    share = (leads + 1) / (leads + 1).sum()
    found = shrunken(reached, leads, share, 200, 0)
    low, high = found.interval()
    assert np.allclose(found.lift @ share, 1.0)
    assert np.all((low >= 0) & (low <= found.median) & (found.median <= high))
    assert np.all((found.rate >= 0) & (found.rate <= 1))


def test_one_group_alone_is_average() -> None:
    found = shrunken(np.array([7.0]), np.array([100.0]), np.ones(1), 50, 0)
    assert np.allclose(found.lift, 1.0)


def test_the_same_seed_gives_the_same_draws() -> None:
    first, second = (shrunken(np.array([3.0, 9.0]), np.array([50.0, 50.0]), np.full(2, 0.5), 100, 4) for _ in range(2))
    assert np.array_equal(first.lift, second.lift)


def test_few_leads_are_drawn_to_the_others_and_many_are_believed() -> None:
    """The same raw rate, three times that of the others, on 10 leads and on 2,000."""
    reached, leads = np.array([3.0, 600.0, 100.0, 95.0, 105.0]), np.array([10.0, 2000.0, 1000.0, 1000.0, 1000.0])
    found = shrunken(reached, leads, leads / leads.sum(), 4_000, 0)
    low, high = found.interval()
    raw = (reached / leads) / (reached.sum() / leads.sum())
    assert found.median[0] < 0.9 * raw[0]
    assert abs(found.median[1] / raw[1] - 1) < 0.03
    assert high[0] - low[0] > 5 * (high[1] - low[1])


def test_rates_are_those_of_a_slow_oracle() -> None:
    """The mean rate of each group by numeric integration over its own rate, cell by cell of the common distribution."""
    reached, leads = np.array([2.0, 30.0, 8.0]), np.array([20.0, 100.0, 100.0])
    mean, concentration, chance = _common(reached, leads)
    order = np.argsort(-chance)[:150]
    slow = np.zeros(3)
    for cell in order:
        a, b = mean[cell] * concentration[cell], (1 - mean[cell]) * concentration[cell]
        slow += chance[cell] / chance[order].sum() * (reached + a) / (leads + a + b)
    found = shrunken(reached, leads, leads / leads.sum(), 20_000, 0)
    assert np.allclose(found.rate.mean(axis=0), slow, atol=0.006)


def test_the_common_distribution_is_weighed_by_its_likelihood() -> None:
    """Of two cells, the likelier one by the ratio of their integrals times that of the prior."""
    reached, leads = np.array([5.0, 20.0]), np.array([50.0, 60.0])
    mean, concentration, chance = _common(reached, leads)
    cells = np.argsort(-chance)[[0, 60]]

    def likelihood(cell: int) -> float:
        a, b = mean[cell] * concentration[cell], (1 - mean[cell]) * concentration[cell]
        from scipy.stats import beta

        each = [quad(lambda p, k=k, n=n: binom.pmf(k, n, p) * beta.pdf(p, a, b), 0, 1)[0] for k, n in zip(reached, leads, strict=True)]
        spread = ((1 - mean[cell]) / (mean[cell] * concentration[cell])) ** 0.5
        return float(np.prod(each)) * spread / (1 + (spread / _USUAL) ** 2)

    assert chance[cells[0]] / chance[cells[1]] == pytest.approx(likelihood(int(cells[0])) / likelihood(int(cells[1])), rel=1e-4)


@pytest.mark.parametrize(
    "world, least, most",
    [
        (Planted(8, 2_000, 0.08, 0.0), 0.95, 1.0),
        (Planted(8, 2_000, 0.08, 0.5), 0.84, 0.95),
        (Planted(8, 6_000, 0.08, 0.4, together=4, luck=1.0), 0.82, 0.97),
    ],
)
def test_intervals_hold_planted_lifts(world: Planted, least: float, most: float) -> None:
    """Where groups do not differ the intervals are drawn to 1 and hold it nearly always; and shrinking is always nearer to the truth."""
    held, shrunken_error, raw_error = np.mean([world.measured(seed) for seed in range(1_000, 1_100)], axis=0)
    assert least <= held <= most
    assert shrunken_error < raw_error


def test_colleagues_who_share_their_luck_count_for_less() -> None:
    rng = np.random.default_rng(0)
    account = np.arange(4_000) // 4
    same, own = (rng.random(1_000) < 0.2)[account].astype(np.int8), (rng.random(4_000) < 0.2).astype(np.int8)
    group = np.zeros(4_000, np.int64)
    assert design_effect(same, group, account) == pytest.approx(4.0, rel=1e-9)
    assert design_effect(own, group, account) < 1.2
    assert design_effect(own, group, np.arange(4_000)) == 1.0
    assert design_effect(own[:0], group[:0], account[:0]) == 1.0
    assert design_effect(np.zeros(5, np.int8), np.zeros(5, np.int64), np.arange(5)) == 1.0
