"""Tuning of LightGBM's trees with Optuna: within a time, pruned across folds, taken up again after a kill, the same whatever its pace.

Trial 0 is the default shape, which every run judges anyway. Trial k is drawn from what trials 0 to k - 1 found and a seed of its own: a budget
decides only how many there are, and the same number of them gives the same answer.
"""

import hashlib
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import optuna
import orjson
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, Trial, TrialState

from data.home import leadscore_home
from training.candidates import TreeShape

SPACE: dict[str, BaseDistribution] = {
    "leaves": IntDistribution(2, 12),
    "leaf_share": FloatDistribution(0.001, 0.02, log=True),
    "columns": FloatDistribution(0.1, 0.8),
    "rows": FloatDistribution(0.4, 1.0),
    "shrinkage": FloatDistribution(3.0, 300.0, log=True),
}
STARTUP = 5
"""Trials drawn at random before any are drawn from what was found, and before any is given up early."""

Losses = Callable[[TreeShape], Iterator[float]]
"""Mean log loss of a shape over the folds up to each fold, one after the other: the next is only asked for if the shape is still worth it."""


@dataclass(frozen=True)
class Tuning:
    """A time for the whole run's tuning, in seconds, or how many trials exactly: one number for all hops, or one for each in order. Neither: none.
    Trials are counted beyond the default shape."""

    seconds: float | None = None
    trials: tuple[int, ...] | None = None

    def of_hop(self, number: int, hops: int) -> "Tuning":
        """What the hop of that number, of at most `hops`, may spend: an equal share of the time, or its own number of trials (the last one given,
        where there are fewer numbers than hops)."""
        if self.trials is not None:
            return Tuning(trials=(self.trials[min(number, len(self.trials) - 1)],))
        return Tuning(None if self.seconds is None else self.seconds / hops)

    def wants(self, done: Sequence["Tried"]) -> bool:
        """Whether another trial is to follow those done: the number given is not reached, or one of usual length still fits in the time."""
        if self.trials is not None:
            return len(done) < self.trials[0]
        spent = sum(trial.seconds for trial in done)
        return self.seconds is not None and spent + spent / max(len(done), 1) < self.seconds


NO_TUNING = Tuning()


@dataclass(frozen=True)
class Tried:
    """One trial: the shape, the mean log loss up to each fold it was asked about, whether it was given up early, and its seconds."""

    shape: dict[str, Any]
    losses: tuple[float, ...]
    pruned: bool
    seconds: float

    def frozen(self) -> FrozenTrial:
        """As Optuna remembers it."""
        state = TrialState.PRUNED if self.pruned else TrialState.COMPLETE
        steps = dict(enumerate(self.losses))
        return optuna.create_trial(
            params=self.shape, distributions=SPACE, intermediate_values=steps, state=state, value=None if self.pruned else self.losses[-1]
        )


def tune(losses: Losses, default: Sequence[float], tuning: Tuning, key: str, seed: int) -> tuple[TreeShape, int]:
    """The shape with the lowest loss, and how many were tried beyond the default, whose losses are `default`, one per fold. What was tried is kept
    under LEADSCORE_HOME by `key`, which names all that the losses depend on: a run that was killed goes on where it stopped."""
    if tuning == NO_TUNING or not default:
        return TreeShape(), 0
    journal = Journal(leadscore_home() / "tuning" / f"{key}.jsonl")
    done = list(journal.read())[: tuning.trials[0] if tuning.trials is not None else None]
    first = Tried(asdict(TreeShape()), tuple(default), False, 0.0)
    while tuning.wants(done):
        began = time.perf_counter()
        shape, told, pruned = _try(losses, _asked([first, *done], seed))
        done.append(Tried(shape, told, pruned, round(time.perf_counter() - began, 3)))
        journal.write(done)
    best = min((trial for trial in [first, *done] if not trial.pruned), key=lambda trial: trial.losses[-1])
    return TreeShape(**best.shape), len(done)


def _asked(tried: Sequence[Tried], seed: int) -> Trial:
    """The next trial, of a study in memory that remembers these and no others: one that was running when the process died never was. Its sampler has
    drawn nothing before."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(n_startup_trials=STARTUP, seed=int(np.random.SeedSequence([seed, len(tried)]).generate_state(1)[0]))
    study = optuna.create_study(sampler=sampler, pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP))
    study.add_trials([trial.frozen() for trial in tried])
    return study.ask(SPACE)


def _try(losses: Losses, trial: Trial) -> tuple[dict[str, Any], tuple[float, ...], bool]:
    told: list[float] = []
    for step, loss in enumerate(losses(TreeShape(**trial.params))):
        told.append(loss)
        trial.report(loss, step)
        if trial.should_prune():
            return trial.params, tuple(told), True
    return trial.params, tuple(told), False


@dataclass(frozen=True)
class Journal:
    """Trials in a file, one a line, in order. A line that was torn by a kill is as good as absent."""

    path: Path

    def read(self) -> Iterator[Tried]:
        """The trials up to the first line that is not whole."""
        lines = self.path.read_bytes().split(b"\n")[:-1] if self.path.exists() else []
        for line in lines:
            try:
                told = orjson.loads(line)
            except orjson.JSONDecodeError:
                return
            yield Tried(told["shape"], tuple(told["losses"]), told["pruned"], told["seconds"])

    def write(self, tried: Sequence[Tried]) -> None:
        """All of them, in place of what was there."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        whole = b"".join(orjson.dumps(asdict(trial)) + b"\n" for trial in tried)
        beside = self.path.with_suffix(".part")
        beside.write_bytes(whole)
        beside.replace(self.path)


def digest(parts: Iterable[bytes | memoryview]) -> str:
    """A name for all that a trial's loss depends on."""
    found = hashlib.sha256()
    for part in itertools.chain(parts, [repr((sorted(SPACE.items()), optuna.__version__, lightgbm.__version__)).encode()]):
        found.update(part)
    return found.hexdigest()[:32]
