"""Pictures of a model's quality, as matplotlib figures without any global state: the caller saves, logs or inlines them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from training.bootstrap import lead_bootstrap
from training.metrics import Floats, Ints, ece, gain_curve, lift_top_decile, reliability
from training.segments import LEAST_LEADS

INK, GREY, LIGHT = "#1f2933", "#6b7785", "#dbe2ea"
SERIES = ("#0072b2", "#d55e00", "#009e73", "#b0659a")
"""Told apart by people who see colours differently [Okabe, Ito 2008], and each by its own dashes."""
DASHES = ("solid", (0, (5, 1.5)), (0, (1.5, 1)), (0, (6, 1.5, 1, 1.5)))
WIDTH, HEIGHT = 4.3, 3.5
"""Inches: one column of a page, so that 9-point text can still be read on a phone."""
MOST_FEATURES = 20
BAND_REPEATS = 200


def reliability_plot(y: Floats, p: Floats, lead: Ints, title: str, bins: int = 10, repeats: int = 200, seed: int = 0) -> Figure:
    """Observed against predicted in bins of equal count, with 90 % intervals over leads and the band in which a perfect model's bins would lie,
    above a histogram of p (n,)."""
    figure = _figure(HEIGHT + 1.3)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(5, 1))
    at, (low, high) = reliability(y, p, bins), _bin_intervals(y, p, lead, bins, repeats, seed)
    limit = _limit(float(max(at.predicted.max(initial=0), np.nanmax(high, initial=0))))
    band = chance_band(p, lead, bins, seed)
    top.fill_between(at.predicted, *band, color=LIGHT, linewidth=0, label="where chance puts 90 % of a perfect model's")
    top.plot([0, limit], [0, limit], color=GREY, linewidth=1, linestyle="--", label="said = came true")
    top.vlines(at.predicted, low, high, color=SERIES[0], linewidth=1.6, label="90 % interval, leads resampled")
    top.plot(at.predicted, at.observed, "o", color=SERIES[0], markersize=5, label="what came of it")
    top.set(xlim=(0, limit), ylim=(0, limit), ylabel="share that converted")
    _legend_below(figure)
    _finish(top, title, f"{len(p):,} landmarks of {len(np.unique(lead)):,} leads; calibration error {ece(y, p, bins):.3f}")
    bottom.hist(p[p <= limit], bins=np.linspace(0, limit, 41).tolist(), color=SERIES[0], linewidth=0)
    bottom.set(xlabel="chance that was said", ylabel="landmarks")
    bottom.yaxis.set_major_locator(MaxNLocator(2, integer=True))
    _percent(top.xaxis, top.yaxis, bottom.xaxis)
    _plain(bottom)
    return figure


def gain_plot(y: Floats, models: Mapping[str, Floats], title: str) -> Figure:
    """Share of conversions found when the most likely are contacted first; the first model is drawn boldest.

    `models` names each model's probabilities (n,). Chance is the diagonal: the base rate, which can't tell leads apart.
    """
    figure = _figure(HEIGHT)
    axes, rate = figure.subplots(), float(np.mean(y))
    axes.plot([0, rate, 1], [0, 1, 1], color=GREY, linewidth=1, linestyle=":", label="perfect knowledge")
    for index, (name, p) in enumerate(models.items()):
        axes.plot(*gain_curve(y, p), label=name, **_drawn(index, len(models)))
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--", label="base rate (chance)")
    axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel="contacted, most likely first", ylabel="conversions found")
    axes.legend(loc="lower right", frameon=False, fontsize=8)
    _finish(axes, title, f"{len(y):,} landmarks, {int(np.sum(y)):,} of them converted ({rate:.1%})")
    _percent(axes.xaxis, axes.yaxis)
    return figure


def lift_plot(y: Floats, models: Mapping[str, Floats], title: str) -> Figure:
    """How many times as many conversions as a random choice of the same size finds; a dot at the top tenth. `models` as in `gain_plot`."""
    figure = _figure(HEIGHT)
    axes, grid = figure.subplots(), np.linspace(0.02, 1, 99)
    for index, (name, p) in enumerate(models.items()):
        drawn = _drawn(index, len(models))
        axes.plot(grid, np.interp(grid, *gain_curve(y, p)) / grid, label=name, **drawn)
        axes.plot([0.1], [lift_top_decile(y, p)], "o", color=drawn["color"], markersize=4, zorder=drawn["zorder"])
    axes.axhline(1, color=GREY, linewidth=1, linestyle="--", label="base rate (chance)")
    axes.set(xlim=(0, 1), ylim=(0, None), xlabel="contacted, most likely first", ylabel="times a random choice")
    axes.legend(loc="upper right", frameon=False, fontsize=8)
    _finish(axes, title, "dots: the most likely tenth")
    _percent(axes.xaxis)
    return figure


def months_plot(rows: Sequence[Mapping[str, Any]], title: str) -> Figure:
    """Predicted beside observed, with its 90 % interval, of each of the months (`training.segments`) with enough leads for a rate, in their order."""
    figure, rows = _figure(HEIGHT - 0.5), [row for row in rows if row["leads"] >= LEAST_LEADS]
    axes, place = figure.subplots(), np.arange(len(rows))
    predicted, observed, low, high = (np.array([row[name] for row in rows], np.float64) for name in ("predicted", "observed", "low", "high"))
    axes.vlines(place, low, high, color=SERIES[0], linewidth=1.6, label="90 % interval, leads resampled")
    axes.plot(place, observed, "o", color=SERIES[0], markersize=5, label="what came of it")
    axes.plot(place, predicted, color=SERIES[1], linewidth=1.4, linestyle=DASHES[1], marker="_", markersize=9, label="what was said")
    axes.set_xticks(place, [row["name"] for row in rows])
    axes.set(
        ylabel="share that converted", ylim=(0, _limit(float(np.nanmax(np.append(high, predicted), initial=0)))), xlim=(-0.5, max(len(rows), 1) - 0.5)
    )
    _legend_below(figure)
    _finish(axes, title, f"{sum(row['landmarks'] for row in rows):,} landmarks, by the month in which they stood")
    _percent(axes.yaxis)
    if len(rows) > 6:
        axes.tick_params(axis="x", rotation=45)
    return figure


def importance_plot(names: Sequence[str], importance: Floats, title: str, unit: str = "mean |effect|, log-odds") -> Figure:
    """Bars of the twenty largest of (p,) importances, largest on top; those at zero are left out, the rest is told as one number."""
    order = np.argsort(-np.asarray(importance), kind="stable")[:MOST_FEATURES]
    order = order[np.asarray(importance)[order] > 0]
    figure = _figure(1.3 + 0.27 * max(len(order), 3), width=7.2)
    axes = figure.subplots()
    heights, total = np.asarray(importance)[order], float(np.sum(importance))
    axes.barh(np.arange(len(order)), heights, color=SERIES[0], height=0.68)
    axes.set_yticks(np.arange(len(order)), [_short(names[index]) for index in order], fontsize=8, parse_math=False)
    axes.set(xlabel=unit, ylim=(max(len(order), 1) - 0.4, -0.6), xlim=(0, None if len(order) else 1))
    share = float(heights.sum()) / total if total else 0.0
    _finish(axes, title, f"{len(order)} of {len(names)} features, {share:.0%} of the total")
    axes.tick_params(axis="y", length=0)
    return figure


def chance_band(p: Floats, lead: Ints, bins: int = 10, seed: int = 0) -> tuple[Floats, Floats]:
    """(low, high) of the observed share in each bin between which chance puts 90 % of a perfectly calibrated model's: the rows of one lead share
    their luck, as in `training.metrics.ece_of_perfect`."""
    order = np.argsort(p, kind="stable")
    ranked, member = p[order], np.unique(lead[order], return_inverse=True)[1]
    place, rows = _places(ranked, bins)
    rng = np.random.default_rng(seed)
    luck = (rng.random(int(member.max(initial=-1)) + 1)[member] < ranked for _ in range(BAND_REPEATS))
    shares = np.array([np.bincount(place, converted, len(rows)) / rows for converted in luck])
    low, high = np.quantile(shares, [0.05, 0.95], axis=0)
    return low, high


def _bin_intervals(y: Floats, p: Floats, lead: Ints, bins: int, repeats: int, seed: int) -> tuple[Floats, Floats]:
    """90 % interval of the observed share in each of the bins that all rows make; nan where a bin was never drawn."""
    order = np.argsort(p, kind="stable")
    y, lead = y[order], lead[order]
    place, counts = _places(p[order], bins)
    rates = np.full((repeats, len(counts)), np.nan)
    for repeat, weights in enumerate(lead_bootstrap(lead, repeats, seed)):
        rows = np.bincount(place, weights, len(counts))
        np.divide(np.bincount(place, weights * y, len(counts)), rows, out=rates[repeat], where=rows > 0)
    drawn = ~np.isnan(rates).all(axis=0)
    low, high = np.full((2, len(counts)), np.nan)
    low[drawn], high[drawn] = np.nanquantile(rates[:, drawn], [0.05, 0.95], axis=0)
    return low, high


def _places(ranked: Floats, bins: int) -> tuple[Ints, Ints]:
    """(bin of each row (n,), rows of each bin) of probabilities in rising order."""
    rows = reliability(np.zeros(len(ranked)), ranked, bins).rows.astype(np.int64)
    return np.repeat(np.arange(len(rows)), rows), rows


def _drawn(index: int, of: int) -> dict[str, Any]:
    kind = index % len(SERIES)
    return {"color": SERIES[kind], "linestyle": DASHES[kind], "linewidth": 2.2 if index == 0 else 1.4, "zorder": of - index + 2}


def _figure(height: float, width: float = WIDTH) -> Figure:
    figure = Figure(figsize=(width, height), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _legend_below(figure: Figure) -> None:
    """Where the intervals reach everywhere, a legend among them would hide some."""
    for text in figure.legend(loc="outside lower left", frameon=False, fontsize=8).get_texts():
        text.set_color(INK)


def _finish(axes: Axes, title: str, subtitle: str) -> None:
    if title:
        axes.set_title(title, loc="left", fontsize=11, color=INK, fontweight="bold", pad=21)
    axes.annotate(subtitle, (0, 1), (0, 7), "axes fraction", "offset points", fontsize=8.5, color=GREY)
    _plain(axes)


def _plain(axes: Axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("bottom", "left"):
        axes.spines[side].set_color(GREY)
    axes.tick_params(labelsize=8.5, color=GREY, labelcolor=INK)
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set(fontsize=9, color=INK)
    legend = axes.get_legend()
    for text in legend.get_texts() if legend else ():
        text.set_color(INK)


def _percent(*axes: Axis) -> None:
    for axis in axes:
        axis.set_major_formatter(PercentFormatter(1.0))


def _limit(largest: float) -> float:
    """End of both axes: a little above the largest value, so that rare conversions fill the picture too."""
    return min(1.0, max(0.02, 1.08 * largest))


def _short(name: str) -> str:
    return name if len(name) <= 44 else name[:43] + "…"
