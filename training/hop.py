"""How one hop of the funnel gets its model: choose forward, measure once on the test, then refit on everything that is ripe."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from features.schema import Schema
from features.timeline import Ints
from registry.bundle import HopModel, sigmoid
from registry.models import Floats, Model
from training.calibration import Calibration, fit_calibrator
from training.candidates import SIMPLEST_FIRST
from training.choice import Choice, Sample, choose, fit
from training.evaluation import Answers, details, in_parts, intervals, scores
from training.gaps import blanks_of
from training.matrix import AnyRows, asked
from training.segments import deciles_inside
from training.shift import UNTIMED, prior_shift
from training.splits import Fold, Splits, random_split
from training.spread import REFITS_TO_CHECK, fit_spread
from training.tuning import NO_TUNING, Tuning

MOST_POPULATION = 2001
"""Probabilities kept as the population that a score is a percentile of."""
IMPORTANCE_ROWS = 2_000
IN_TIME = "Rows dealt at random, with no time between what is learned from and what is measured: too good to be true. Shown for comparison only."
OUT_OF_TIME = (
    "Rows dealt at random once more, also those of one lead or group: where several are alike this is too good to be true. Shown for comparison only."
)
"""Of the random split: of landmarks or rows in the order of time, and of a file without one, whose test is random too."""


@dataclass(frozen=True)
class Task:
    """One hop to model: `sample` holds the landmarks that count, `population` (k, p) rows of open leads on recent Mondays, `horizon_days` the
    hop's own horizon, `splits` the folds that choose and the test that measures; `censored` landmarks were left out; `age` (m,) days in the stage."""

    stage: str
    transition: str
    horizon_days: int
    horizon_reason: str
    splits: Splits
    sample: Sample
    age: Floats
    censored: int
    population: AnyRows

    @property
    def order(self) -> Ints:
        """What stands before what (m,), as calibration asks: as_of, or, in a file without times, leads in an order of no meaning."""
        if self.splits.cut:
            return self.sample.as_of
        names, member = np.unique(self.sample.lead, return_inverse=True)
        return np.random.default_rng(0).permutation(names.size)[member]

    @property
    def ahead(self) -> bool:
        """Whether other hops come before this one for somebody in the stage."""
        begins, arrow, _ = self.transition.partition("->")
        return bool(arrow) and begins != self.stage


@dataclass(frozen=True)
class ForwardTwin:
    """What the bundle's twin, trained before the test, said on the test: rows (indices into the sample), probabilities, and `beside` them, each
    (rows,), the days in the stage and what each baseline said. `answer` asks the twin about any rows (n, p)."""

    rows: np.ndarray[tuple[int], np.dtype[np.int64]]
    probability: Floats
    beside: Mapping[str, Floats]
    answer: Callable[[AnyRows], Floats]


def train_hop(task: Task, schema: Schema, seed: int, tell: Callable[[str], None], tuning: Tuning = NO_TUNING) -> tuple[HopModel, ForwardTwin]:
    """The hop's model refitted on all landmarks, with the evaluation of its forward twin."""
    seconds: dict[str, float] = {}
    sample, splits = task.sample, task.splits
    with _timed(seconds, "choose", tell, f"{task.transition} from {task.stage}: comparing candidates forward in time"):
        choice = choose(sample, splits, seed, tuning)
    with _timed(seconds, "measure", tell, f"{task.transition} from {task.stage}: measuring on the test"):
        twin, report, raw = _measure(task, choice, splits, schema, seed)
    with _timed(seconds, "refit", tell, f"{task.transition} from {task.stage}: refitting {choice.candidate} on everything"):
        model = fit(choice.candidate, choice.size, sample, seed)
        rows = np.concatenate([choice.asked, twin.rows])
        calibration = _calibration(task, rows, np.concatenate([choice.raw, raw]))
        shift = prior_shift(sample, rows, calibration.ahead) if task.splits.cut else UNTIMED
    with _timed(seconds, "intervals", tell, f"{task.transition} from {task.stage}: refitting on resampled leads"):
        spread = fit_spread(choice, sample, _judged(sample, choice), seed, blanks_of(schema), shift.drift)
    report |= {"trials": choice.trials, "calibration": calibration.why, "importance": _importance(schema, model, sample.X), "seconds": seconds}
    report |= {"shift": shift.document(), "notes": shift.notes(calibration.calibrator.kind)}
    hop = HopModel(task.stage, task.transition, task.horizon_days, model, calibration.calibrator, spread, np.zeros(0), report)
    return _with_population(hop, task.population), twin


def _importance(schema: Schema, model: Model, X: AnyRows) -> list[dict[str, Any]]:
    """Mean absolute effect in log-odds of everything that is told as one reason, largest first, on up to IMPORTANCE_ROWS landmarks."""
    rows = np.asarray(X[:: max(1, len(X) // IMPORTANCE_ROWS)])
    effects = model.contributions(rows)[:, :-1]
    size = np.abs(np.add.reduceat(effects[:, schema.layout.order], schema.layout.starts, axis=1)).mean(axis=0)
    ranked = np.argsort(-size, kind="stable")
    return [{"feature": schema.groups[i][0], "effect": float(size[i])} for i in ranked if size[i] > 0]


def _with_population(hop: HopModel, rows: AnyRows) -> HopModel:
    ordered = np.sort(asked(hop.probability, rows))
    if ordered.size > MOST_POPULATION:
        ordered = ordered[np.linspace(0, ordered.size - 1, MOST_POPULATION).round().astype(int)]
    return replace(hop, population=ordered)


def _measure(task: Task, choice: Choice, splits: Splits, schema: Schema, seed: int) -> tuple[ForwardTwin, dict[str, Any], Floats]:
    sample, test = task.sample, splits.test
    chosen = fit(choice.candidate, choice.size, sample.where(test.train), seed)
    raw = asked(chosen.raw_score, sample.X[test.validate])
    calibration = _calibration(task, choice.asked, choice.raw)
    calibrator = calibration.calibrator
    p = sigmoid(np.asarray(calibrator.logit(raw)))
    beside = _baselines(sample, test, choice, seed)
    measured, age = sample.where(test.validate), task.age[test.validate]
    report = {
        "candidate": choice.candidate,
        "why": choice.why,
        "forward_log_loss": choice.losses,
        "forward_noise": dict(choice.noise),
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
        "baselines": {name: scores(measured, said) for name, said in beside.items()},
        "random_split": _random(task, choice, seed),
    }

    def answer(X: AnyRows) -> Floats:
        return sigmoid(np.asarray(calibrator.logit(asked(chosen.raw_score, X))))

    told = Answers(measured, p, age, beside, answer)
    if not task.ahead and test.train.any():
        report["interval_check"] = _interval_check(task, choice, calibration, chosen, schema, seed)
    report |= details(told, seed) | ({} if task.ahead else in_parts(told, schema, task.horizon_days, seed))
    return ForwardTwin(np.flatnonzero(test.validate), p, {"age_days": age} | beside, answer), report, raw


def _baselines(sample: Sample, test: Fold, choice: Choice, seed: int) -> dict[str, Floats]:
    """What each baseline, fitted before the test, says on it."""
    measured, before = sample.where(test.validate), sample.where(test.train)
    names = [name for name in SIMPLEST_FIRST if name != "lightgbm" or (choice.candidate != "lightgbm" and choice.size.trees)]
    return {name: sigmoid(asked(fit(name, choice.size, before, seed).raw_score, measured.X)) for name in names}


def _random(task: Task, choice: Choice, seed: int) -> dict[str, Any]:
    sample, fold = task.sample, random_split(task.sample.lead, seed)
    model = fit(choice.candidate, choice.size.coarse(), sample.where(fold.train), seed)
    found = scores(sample.where(fold.validate), sigmoid(asked(model.raw_score, sample.X[fold.validate])))
    return found | {"warning": IN_TIME if task.splits.cut else OUT_OF_TIME}


def _judged(sample: Sample, choice: Choice) -> int:
    """Leads whose landmarks the candidates were compared on."""
    return int(np.unique(sample.lead[choice.asked]).size)


def _interval_check(task: Task, choice: Choice, calibration: Calibration, chosen: Model, schema: Schema, seed: int) -> dict[str, Any]:
    """Whether the rates of the test lie in the intervals that the twin gives, made of what was known before it."""
    sample, test = task.sample, task.splits.test
    measured = sample.where(test.validate)
    drift = prior_shift(sample, choice.asked, calibration.ahead).drift if task.splits.cut and choice.asked.size else 0.0
    spread = fit_spread(choice, sample.where(test.train), _judged(sample, choice), seed, blanks_of(schema), drift, REFITS_TO_CHECK)
    twin = HopModel(task.stage, task.transition, task.horizon_days, chosen, calibration.calibrator, spread, np.zeros(0), {})
    told = asked(lambda X: np.stack([*twin.interval(X, chosen.raw_score(X)), twin.probability(X)], axis=1), measured.X)
    low, high, p = told.T
    return deciles_inside(measured.y.astype(np.float64), p, low, high, measured.lead, seed)


def _calibration(task: Task, asked: np.ndarray[tuple[int], np.dtype[np.int64]], raw: Floats) -> Calibration:
    sample = task.sample
    return fit_calibrator(raw, sample.y[asked].astype(np.float64), sample.lead[asked], task.order[asked])


class _timed:  # noqa: N801
    """Tells what is being done and notes how long it took."""

    def __init__(self, seconds: dict[str, float], name: str, tell: Callable[[str], None], what: str) -> None:
        self._seconds, self._name = seconds, name
        tell(what)

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._seconds[self._name] = round(time.perf_counter() - self._began, 3)
