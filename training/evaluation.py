"""How good a hop's forward twin is on what it has never seen: the numbers of `train --json`, with intervals that resample leads."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from registry.models import Floats
from training.bootstrap import Metric, interval
from training.choice import Sample
from training.metrics import auc, average_precision, brier, ece, ece_of_perfect, lift_top_decile, log_loss

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


def details(sample: Sample, p: Floats, at_entry: np.ndarray[tuple[int], np.dtype[np.bool_]], age: Floats, seed: int) -> dict[str, Any]:
    """What stands beside the headline: AUC at stage entry and of age alone, and the ECE that chance gives a perfect model."""
    y = sample.y.astype(np.float64)
    mean, upper = ece_of_perfect(p, np.random.default_rng(seed), lead=sample.lead)
    by_age = auc(y, -age)
    return {
        "auc_at_entry": _plain(auc(y[at_entry], p[at_entry])),
        "auc_of_age_alone": _plain(max(by_age, 1 - by_age)),
        "ece_of_perfect": {"mean": _plain(mean), "upper_95": _plain(upper)},
    }


def headline(report: Mapping[str, Any]) -> str:
    """One line for people: AUC, log loss beside the base rate's, calibration error beside chance."""
    test = report["test"]
    base = report["baselines"]["base_rate"]["log_loss"]
    return f"AUC {test['auc']:.3f}, log loss {test['log_loss']:.4f} (base rate {base:.4f}), ECE {test['ece']:.3f}"


def _plain(value: float) -> float:
    return float(round(float(value), 10))
