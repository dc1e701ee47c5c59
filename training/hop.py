"""How one hop of the funnel gets its model: choose forward, measure once on the test, then refit on everything that is ripe."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from data.contract import DAY
from features.schema import Schema
from registry.bundle import HopModel, sigmoid
from registry.calibrator import Calibrator
from registry.models import Floats, Model, Rows
from training.calibration import fit_calibrator
from training.candidates import SIMPLEST_FIRST
from training.choice import Choice, Sample, choose, fit
from training.evaluation import details, intervals, scores
from training.splits import Fold, Splits, forward_splits, random_split
from training.spread import fit_spread

MOST_POPULATION = 2001
"""Probabilities kept as the population that a score is a percentile of."""
IMPORTANCE_ROWS = 2_000


@dataclass(frozen=True)
class Task:
    """One hop to model: `sample` holds the landmarks that count, `population` (k, p) rows of open leads on recent Mondays, `horizon_days` the
    hop's own horizon, `embargo_days` that of all hops up to it; `censored` landmarks were left out; `age` (m,) days in the stage."""

    stage: str
    transition: str
    horizon_days: int
    horizon_reason: str
    embargo_days: int
    sample: Sample
    age: Floats
    censored: int
    population: Rows


@dataclass(frozen=True)
class ForwardTwin:
    """What the bundle's twin, trained before the test, said on the test: rows (indices into the sample) and probabilities."""

    rows: np.ndarray[tuple[int], np.dtype[np.int64]]
    probability: Floats


def train_hop(task: Task, schema: Schema, seed: int, tell: Callable[[str], None]) -> tuple[HopModel, ForwardTwin]:
    """The hop's model refitted on all landmarks, with the evaluation of its forward twin."""
    seconds: dict[str, float] = {}
    sample, splits = task.sample, forward_splits(task.sample.as_of, task.embargo_days * DAY)
    with _timed(seconds, "choose", tell, f"{task.transition} from {task.stage}: comparing candidates forward in time"):
        choice = choose(sample, splits, seed)
    with _timed(seconds, "measure", tell, f"{task.transition} from {task.stage}: measuring on the test"):
        twin, report, raw = _measure(task, choice, splits, seed)
    with _timed(seconds, "refit", tell, f"{task.transition} from {task.stage}: refitting {choice.candidate} on everything"):
        model = fit(choice.candidate, choice.size, sample, seed)
        asked = np.concatenate([choice.asked, twin.rows])
        calibrator, why = _calibrator(sample, asked, np.concatenate([choice.raw, raw]))
    with _timed(seconds, "intervals", tell, f"{task.transition} from {task.stage}: refitting on resampled leads"):
        spread = fit_spread(choice.candidate, choice.size, sample, seed)
    report |= {"calibration": why, "importance": _importance(schema, model, sample.X), "seconds": seconds}
    hop = HopModel(task.stage, task.transition, task.horizon_days, model, calibrator, spread, np.zeros(0), report)
    return _with_population(hop, task.population), twin


def _importance(schema: Schema, model: Model, X: Rows) -> list[dict[str, Any]]:
    """Mean absolute effect in log-odds of everything that is told as one reason, largest first, on up to IMPORTANCE_ROWS landmarks."""
    rows = X[:: max(1, len(X) // IMPORTANCE_ROWS)]
    effects = model.contributions(rows)[:, :-1]
    size = np.abs(np.add.reduceat(effects[:, schema.layout.order], schema.layout.starts, axis=1)).mean(axis=0)
    ranked = np.argsort(-size, kind="stable")
    return [{"feature": schema.groups[i][0], "effect": float(size[i])} for i in ranked if size[i] > 0]


def _with_population(hop: HopModel, rows: Rows) -> HopModel:
    ordered = np.sort(hop.probability(rows))
    if ordered.size > MOST_POPULATION:
        ordered = ordered[np.linspace(0, ordered.size - 1, MOST_POPULATION).round().astype(int)]
    return replace(hop, population=ordered)


def _measure(task: Task, choice: Choice, splits: Splits, seed: int) -> tuple[ForwardTwin, dict[str, Any], Floats]:
    sample, test = task.sample, splits.test
    chosen = fit(choice.candidate, choice.size, sample.where(test.train), seed)
    raw = chosen.raw_score(sample.X[test.validate])
    calibrator, _ = _calibrator(sample, choice.asked, choice.raw)
    p = sigmoid(np.asarray(calibrator.logit(raw)))
    measured, age = sample.where(test.validate), task.age[test.validate]
    report = {
        "candidate": choice.candidate,
        "why": choice.why,
        "forward_log_loss": choice.losses,
        "trees": choice.size.scaled(sample.y.size).trees if choice.candidate == "lightgbm" else None,
        "horizon_days": task.horizon_days,
        "horizon_reason": task.horizon_reason,
        "landmarks": {
            "train": int(test.train.sum()),
            "calibrate": int(choice.asked.size),
            "test": int(test.validate.sum()),
            "censored": task.censored,
            "refit": int(sample.y.size),
        },
        "test": scores(measured, p),
        "intervals": intervals(measured, p, seed),
        "baselines": _baselines(sample, test, choice, seed),
        "random_split": _random(sample, choice, seed),
    } | details(measured, p, age == 0, age, seed)
    return ForwardTwin(np.flatnonzero(test.validate), p), report, raw


def _baselines(sample: Sample, test: Fold, choice: Choice, seed: int) -> dict[str, dict[str, float]]:
    measured, before = sample.where(test.validate), sample.where(test.train)
    names = [name for name in SIMPLEST_FIRST if name != "lightgbm" or (choice.candidate != "lightgbm" and choice.size.trees)]
    return {name: scores(measured, sigmoid(fit(name, choice.size, before, seed).raw_score(measured.X))) for name in names}


def _random(sample: Sample, choice: Choice, seed: int) -> dict[str, Any]:
    fold = random_split(sample.lead, seed)
    model = fit(choice.candidate, choice.size, sample.where(fold.train), seed)
    found = scores(sample.where(fold.validate), sigmoid(model.raw_score(sample.X[fold.validate])))
    warning = "The same leads on both sides and no time between them: too good to be true. Shown for comparison with other tools only."
    return found | {"warning": warning}


def _calibrator(sample: Sample, asked: np.ndarray[tuple[int], np.dtype[np.int64]], raw: Floats) -> tuple[Calibrator, str]:
    return fit_calibrator(raw, sample.y[asked].astype(np.float64), sample.lead[asked], sample.as_of[asked])


class _timed:  # noqa: N801
    """Tells what is being done and notes how long it took."""

    def __init__(self, seconds: dict[str, float], name: str, tell: Callable[[str], None], what: str) -> None:
        self._seconds, self._name = seconds, name
        tell(what)

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._seconds[self._name] = round(time.perf_counter() - self._began, 3)
