"""How good a hop's forward twin is on what it has never seen: the numbers of `train --json`, with intervals that resample leads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.schema import Schema
from registry.models import Floats
from training.bootstrap import Metric, difference_noise, interval
from training.capacity import capacity
from training.choice import Sample
from training.matrix import AnyRows
from training.metrics import auc, average_precision, brier, ece, ece_of_perfect, lift_top_decile, log_loss, row_losses
from training.segments import by_month, by_segment
from training.worth import field_worth, segmentations

AGE_EDGES = (3.0, 14.0, 28.0, 56.0)
"""Days in the stage at which a band of ages ends, the last day included; a lead that has just entered is a band of its own."""
METRICS: dict[str, Callable[..., float]] = {
    "auc": auc,
    "average_precision": average_precision,
    "log_loss": log_loss,
    "brier": brier,
    "ece": ece,
    "lift_top_decile": lift_top_decile,
}


def scores(sample: Sample, p: Floats) -> dict[str, float]:
    """Every metric of probabilities (m,) for the sample's outcomes; nan where it has none."""
    y = sample.y.astype(np.float64)
    return {name: _plain(metric(y, p)) for name, metric in METRICS.items()} | {"base_rate": _plain(y.mean() if y.size else np.nan)}


def intervals(sample: Sample, p: Floats, seed: int) -> dict[str, list[float]]:
    """90 % lead-bootstrap interval of each metric."""
    y = sample.y.astype(np.float64)
    of: dict[str, Metric] = {name: _weighted(metric) for name, metric in METRICS.items()}
    of["base_rate"] = lambda y, _, w: float(y @ w / w.sum())
    return {name: [_plain(v) for v in interval(metric, y, p, sample.lead, seed=seed)] for name, metric in of.items()}


def _weighted(metric: Callable[..., float]) -> Metric:
    return lambda y, p, w: metric(y, p, w=w)


@dataclass(frozen=True)
class Answers:
    """What the forward twin said on the test: `sample` (m rows), probabilities `p` (m,), days in the stage `age` (m,), what each baseline said
    `beside` it (m,), and `answer`, which asks the twin about any rows (n, p)."""

    sample: Sample
    p: Floats
    age: Floats
    beside: Mapping[str, Floats]
    answer: Callable[[AnyRows], Floats]


def details(told: Answers, seed: int) -> dict[str, Any]:
    """What stands beside the headline: AUC at stage entry and of age alone, the ECE that chance gives a perfect model, and how far each baseline is
    behind."""
    sample, p, age = told.sample, told.p, told.age
    y = sample.y.astype(np.float64)
    mean, upper = ece_of_perfect(p, np.random.default_rng(seed), lead=sample.lead)
    by_age = auc(y, -age)
    return {
        "auc_at_entry": _plain(auc(y[age == 0], p[age == 0])),
        "auc_of_age_alone": _plain(max(by_age, 1 - by_age)),
        "ece_of_perfect": {"mean": _plain(mean), "upper_95": _plain(upper)},
        "better_than": {name: _behind(sample, p, said) for name, said in told.beside.items()},
    }


def in_parts(told: Answers, schema: Schema, horizon_days: int, seed: int) -> dict[str, Any]:
    """What calling K leads a day brings, what was said and what came of it by month, segment and age, and what each field is worth. `horizon_days`
    is 0 for a file without times, which has neither months nor ages nor days to call on."""
    sample, p = told.sample, told.p
    rules = {"model": p} | {name: said for name, said in told.beside.items() if name == "points"}
    return {
        "capacity": capacity(sample.y.astype(np.float64), rules, sample.lead, sample.as_of, horizon_days, seed),
        "months": by_month(sample, p, seed) if horizon_days else [],
        "ages": _by_age(sample, p, told.age, seed) if horizon_days else [],
        "segments": {name: by_segment(sample, p, levels, seed) for name, levels in segmentations(schema, sample.X).items()},
        "fields": field_worth(sample, p, schema, told.answer, seed),
    }


def _behind(sample: Sample, p: Floats, said: Floats) -> dict[str, float | None]:
    """By how many nats a landmark the model beats what was `said` (m,), and the lead-clustered standard error of that."""
    y = sample.y.astype(np.float64)
    better, error = difference_noise(row_losses(y, said), row_losses(y, p), sample.lead)
    return {"better": _plain(better), "error": _plain(error) if np.isfinite(error) else None}


def _by_age(sample: Sample, p: Floats, age: Floats, seed: int) -> list[dict[str, Any]]:
    """`by_segment` of bands of days in the stage, youngest first."""
    edges = [0.0, *AGE_EDGES]
    names = ["at entry", *(_band(low, high) for low, high in pairwise(edges)), f"over {edges[-1]:.0f} days"]
    bands: NDArray[np.object_] = np.array(names, dtype=object)[np.searchsorted(edges, age, "left")]
    return sorted(by_segment(sample, p, bands, seed), key=lambda row: names.index(row["name"]) if row["name"] in names else len(names))


def _band(low: float, high: float) -> str:
    return f"{low:.0f} to {high:.0f} days" if low else f"up to {high:.0f} days"


def _plain(value: float) -> float:
    return float(round(float(value), 10))
