"""Reliability in parts: what was said and what came of it, for each segment, each month and each tenth of the chances."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from registry.models import Floats
from training.bootstrap import interval
from training.choice import Sample
from training.metrics import Ints, auc

LEAST_LEADS = 20
"""A segment of fewer leads is told together with the other small ones: its rate would be luck, and its leads could be recognised."""
SMALL = "(small segments)"
FAMILY = 0.05
"""Chance that a perfectly calibrated model has any slice of one table flagged: each is judged at this over the number of slices."""
TENTHS = 10
_REPEATS = 200


def by_segment(sample: Sample, p: Floats, labels: NDArray[np.object_], seed: int) -> list[dict[str, Any]]:
    """Predicted beside observed of each label, most landmarks first. (m,) rows of `sample`, probabilities and labels (text, None: not known).

    Each row: `name`, `leads`, `landmarks`, `predicted` (mean), `observed` (rate), `low` and `high` (its 90 % lead-bootstrap interval), `auc` (nan
    with one outcome only), `off`: whether predicted and observed differ by more than chance gives a perfect model, all slices of the table taken
    together.
    """
    named = np.array(["(not known)" if label is None else str(label) for label in labels], dtype=object)
    for name in np.unique(named):
        if np.unique(sample.lead[named == name]).size < LEAST_LEADS:
            named[named == name] = SMALL
    return sorted(_table(sample, p, named, seed), key=lambda row: (row["name"] == SMALL, -row["landmarks"], row["name"]))


def by_month(sample: Sample, p: Floats, seed: int) -> list[dict[str, Any]]:
    """The same of each calendar month (UTC) of as_of, in order; a month is named `2026-03`."""
    months = sample.as_of.astype("datetime64[us]").astype("datetime64[M]").astype(str).astype(object)
    return _table(sample, p, months, seed)


def deciles_inside(y: Floats, p: Floats, low: Floats, high: Floats, lead: Ints, seed: int = 0) -> dict[str, Any]:
    """Whether the rate observed in each tenth of the chances lies in the mean of its 90 % intervals. All (m,).

    An interval is for the chance and not for the outcome, so a tenth's rate also has luck of its own: `inside` counts the tenths whose rate is in
    the mean interval, `inside_with_luck` those whose own 90 % lead-bootstrap interval meets it.
    """
    order = np.argsort(p, kind="stable")
    rows = [_tenth(part, y, p, low, high, lead, seed) for part in np.array_split(order, TENTHS) if part.size]
    return {
        "tenths": rows,
        "inside": sum(row["low"] <= row["observed"] <= row["high"] for row in rows),
        "inside_with_luck": sum(row["observed_low"] <= row["high"] and row["low"] <= row["observed_high"] for row in rows),
        "of": len(rows),
        "mean_width": _plain(float(np.mean(high - low))) if p.size else None,
    }


def _tenth(part: Ints, y: Floats, p: Floats, low: Floats, high: Floats, lead: Ints, seed: int) -> dict[str, float]:
    below, above = _rate_interval(y[part], p[part], lead[part], seed)
    said = {"predicted": p, "low": low, "high": high, "observed": y}
    return {name: _plain(values[part].mean()) for name, values in said.items()} | {"observed_low": _plain(below), "observed_high": _plain(above)}


def _table(sample: Sample, p: Floats, names: NDArray[np.object_], seed: int) -> list[dict[str, Any]]:
    found = np.unique(names)
    strict = float(norm.ppf(1 - FAMILY / (2 * max(found.size, 1))))
    return [_slice(str(name), sample.where(names == name), p[names == name], strict, seed) for name in found]


def _slice(name: str, part: Sample, p: Floats, strict: float, seed: int) -> dict[str, Any]:
    y = part.y.astype(np.float64)
    low, high = _rate_interval(y, p, part.lead, seed)
    return {
        "name": name,
        "leads": int(np.unique(part.lead).size),
        "landmarks": int(y.size),
        "predicted": _plain(p.mean()),
        "observed": _plain(y.mean()),
        "low": _plain(low),
        "high": _plain(high),
        "auc": _plain(auc(y, p)),
        "off": bool(abs(y.sum() - p.sum()) > strict * luck(p, part.lead)),
    }


def luck(p: Floats, lead: Ints) -> float:
    """Standard deviation of the number of converted rows, were every p (m,) right and the rows of a lead to share one luck.

    Each row still converts with its own p, but a lead whose less likely row converts has its likelier ones converted too: the largest dependence
    there can be, and near to the truth for the weekly landmarks of one lead, which look at nearly the same weeks.
    """
    order = np.lexsort((-p, lead))
    chance, member = p[order], np.unique(lead[order], return_inverse=True)[1]
    first = np.searchsorted(member, member)
    likelier = np.arange(p.size) - first
    both = np.bincount(member, chance * (2 * likelier + 1))
    return float(np.sqrt(max(float((both - np.bincount(member, chance) ** 2).sum()), 0.0)))


def _rate_interval(y: Floats, p: Floats, lead: Ints, seed: int) -> tuple[float, float]:
    """90 % lead-bootstrap interval of the rate; where all rows say the same, which no resampling can see behind, Wilson's on the leads."""
    if 0 < y.sum() < y.size:
        return interval(lambda told, _, w: float(told @ w / w.sum()), y, p, lead, repeats=_REPEATS, seed=seed)
    z, leads, rate = float(norm.ppf(0.95)), np.unique(lead).size, float(y.mean())
    middle, half = (rate + z * z / (2 * leads)), z * z / (2 * leads)
    return max((middle - half) / (1 + z * z / leads), 0.0), min((middle + half) / (1 + z * z / leads), 1.0)


def _plain(value: float) -> float:
    return float(round(float(value), 6))
