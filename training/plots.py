"""Pictures of a model's quality, as matplotlib figures without any global state: the caller saves or logs them."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from training.bootstrap import lead_bootstrap
from training.metrics import Floats, Ints, ece, gain_curve, lift_top_decile, reliability

INK, BLUE, GREY, LIGHT = "#1f2933", "#1f6feb", "#8492a2", "#c9d7ee"
OTHERS = ("#d9822b", "#2e8b57", "#8e5ea2", "#b0455a")
MOST_FEATURES = 20


def reliability_plot(y: Floats, p: Floats, lead: Ints, title: str, bins: int = 10, repeats: int = 200, seed: int = 0) -> Figure:
    """Observed against predicted in bins of equal count, with 90 % intervals over leads, above a histogram of p (n,)."""
    figure = _figure(5.6, 6.2)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    at, (low, high) = reliability(y, p, bins), _bin_intervals(y, p, lead, bins, repeats, seed)
    limit = _limit(float(max(at.predicted.max(initial=0), np.nanmax(high, initial=0))))
    top.plot([0, limit], [0, limit], color=GREY, linewidth=1, linestyle="--", label="perfectly calibrated")
    top.vlines(at.predicted, low, high, color=BLUE, alpha=0.45, linewidth=2.5, label="90 % interval, leads resampled")
    top.plot(at.predicted, at.observed, "o-", color=BLUE, markersize=5, linewidth=1.2, label="observed")
    top.set(xlim=(0, limit), ylim=(0, limit), ylabel="share that converted")
    _finish(top, title, f"{len(p):,} landmarks, {len(np.unique(lead)):,} leads; calibration error {ece(y, p, bins):.3f}")
    top.legend(loc="upper left", frameon=False, fontsize=8)
    bottom.hist(p[p <= limit], bins=np.linspace(0, limit, 41).tolist(), color=LIGHT, edgecolor=BLUE, linewidth=0.5)
    bottom.set(xlabel="predicted probability", ylabel="landmarks")
    bottom.yaxis.set_major_locator(MaxNLocator(2, integer=True))
    _percent(top.xaxis, top.yaxis, bottom.xaxis)
    _plain(bottom)
    return figure


def gain_plot(y: Floats, models: Mapping[str, Floats], title: str) -> Figure:
    """Share of conversions found when the most likely are contacted first, and the lift of it; the first model is drawn boldest.

    `models` names each model's probabilities (n,). Chance is the diagonal, lift 1, and finds converters at the base rate.
    """
    figure = _figure(9.2, 4.3)
    left, right = figure.subplots(1, 2)
    rate = float(np.mean(y))
    left.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--", label=f"chance (base rate {rate:.1%})")
    left.plot([0, rate, 1], [0, 1, 1], color=GREY, linewidth=1, linestyle=":", label="perfect knowledge")
    right.axhline(1, color=GREY, linewidth=1, linestyle="--")
    for index, (name, p) in enumerate(models.items()):
        contacted, found = gain_curve(y, p)
        color, width = (BLUE, 2.2) if index == 0 else (OTHERS[(index - 1) % len(OTHERS)], 1.2)
        front = len(models) - index + 2
        left.plot(contacted, found, color=color, linewidth=width, label=name, zorder=front)
        grid = np.linspace(0.02, 1, 99)
        lift = np.interp(grid, contacted, found) / grid
        right.plot(grid, lift, color=color, linewidth=width, zorder=front)
        right.plot([0.1], [lift_top_decile(y, p)], "o", color=color, markersize=4, zorder=front)
    left.set(xlim=(0, 1), ylim=(0, 1.01), xlabel="contacted, most likely first", ylabel="conversions found")
    right.set(xlim=(0, 1), ylim=(0, None), xlabel="contacted, most likely first", ylabel="lift over chance")
    left.legend(loc="lower right", frameon=False, fontsize=8)
    _finish(left, title, f"{len(y):,} landmarks, {int(np.sum(y)):,} conversions")
    _finish(right, "", "dots: lift in the top tenth")
    _percent(left.xaxis, left.yaxis, right.xaxis)
    return figure


def importance_plot(names: Sequence[str], importance: Floats, title: str, unit: str = "mean |effect|, log-odds") -> Figure:
    """Bars of the twenty largest of (p,) importances, largest on top; those at zero are left out, the rest is told as one number."""
    order = np.argsort(-np.asarray(importance), kind="stable")[:MOST_FEATURES]
    order = order[np.asarray(importance)[order] > 0]
    figure = _figure(7.2, 1.3 + 0.27 * max(len(order), 3))
    axes = figure.subplots()
    heights, total = np.asarray(importance)[order], float(np.sum(importance))
    axes.barh(np.arange(len(order)), heights, color=BLUE, height=0.68)
    axes.set_yticks(np.arange(len(order)), [_short(names[index]) for index in order], fontsize=8)
    axes.set(xlabel=unit, ylim=(max(len(order), 1) - 0.4, -0.6), xlim=(0, None if len(order) else 1))
    share = float(heights.sum()) / total if total else 0.0
    _finish(axes, title, f"{len(order)} of {len(names)} features, {share:.0%} of the total")
    axes.tick_params(axis="y", length=0)
    return figure


def _bin_intervals(y: Floats, p: Floats, lead: Ints, bins: int, repeats: int, seed: int) -> tuple[Floats, Floats]:
    """90 % interval of the observed share in each of the bins that all rows make; nan where a bin was never drawn."""
    order = np.argsort(p, kind="stable")
    y, p, lead = y[order], p[order], lead[order]
    counts = reliability(y, p, bins).rows.astype(np.int64)
    place = np.repeat(np.arange(len(counts)), counts)
    rates = np.full((repeats, len(counts)), np.nan)
    for repeat, weights in enumerate(lead_bootstrap(lead, repeats, seed)):
        rows = np.bincount(place, weights, len(counts))
        np.divide(np.bincount(place, weights * y, len(counts)), rows, out=rates[repeat], where=rows > 0)
    drawn = ~np.isnan(rates).all(axis=0)
    low, high = np.full((2, len(counts)), np.nan)
    low[drawn], high[drawn] = np.nanquantile(rates[:, drawn], [0.05, 0.95], axis=0)
    return low, high


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _finish(axes: Axes, title: str, subtitle: str) -> None:
    axes.set_title(title, loc="left", fontsize=11, color=INK, fontweight="bold", pad=21)
    axes.annotate(subtitle, (0, 1), (0, 7), "axes fraction", "offset points", fontsize=8.5, color=GREY)
    _plain(axes)


def _plain(axes: Axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.xaxis.label.set_fontsize(9)
    axes.yaxis.label.set_fontsize(9)


def _percent(*axes: Axis) -> None:
    for axis in axes:
        axis.set_major_formatter(PercentFormatter(1.0))


def _limit(largest: float) -> float:
    """End of both axes: a little above the largest value, so that rare conversions fill the picture too."""
    return min(1.0, max(0.02, 1.08 * largest))


def _short(name: str) -> str:
    return name if len(name) <= 44 else name[:43] + "…"
