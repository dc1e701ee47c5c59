"""From the model's rows to chances, scores, grades and reasons: the one way in which the command line, HTTP and the pyfunc answer."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np

from features.schema import Schema
from registry.bundle import Z90, Bundle, HopModel
from registry.models import Constant, Floats, Model, Rows
from serving.answer_kernels import Ints, bend, ends_of, judged, laid_out, ranked, stretched
from serving.texts import teller

TOP = 5
"""Reasons told each way unless all are asked for."""

Row = list[float]
Sent = Mapping[str, str | None]
Told = dict[str, Any]
_NO_ENDS = np.empty(0)


class HopAnswer(NamedTuple):
    """One hop for n leads that stand in the same stage: chances and their 90 % interval, percentiles 0-100, all (n,)."""

    hop: HopModel
    log_odds: Floats
    probability: Floats
    low: Floats
    high: Floats
    score: Floats


class Effects(NamedTuple):
    """Why the nearest hop's log-odds (n,) are what they are: base (n,) + effects (n, p) = log-odds."""

    log_odds: Floats
    base: Floats
    effects: Floats


@dataclass(frozen=True)
class Way:
    """The hops ahead of a stage, nearest first, answered side by side: what numpy asks for a call is paid once for all of them."""

    hops: tuple[HopModel, ...]

    @classmethod
    def of(cls, bundle: Bundle, stage: str) -> Self:
        """No hops where too little is known of what lies ahead."""
        return cls(bundle.hops_from(stage))

    def answers(self, X: Rows) -> tuple[HopAnswer, ...]:
        """X float32 (n, p) of leads standing in the stage -> one answer per hop."""
        return self._answered(X, self._raw(X, 0), _NO_ENDS)[1] if self.hops and len(X) else ()

    def explained(self, X: Rows) -> tuple[tuple[HopAnswer, ...], Effects]:
        """The same, and the nearest hop's effects; the way must have one."""
        rows, raw = len(X), self._raw(X, 1)
        raw[:rows], contributions = self.hops[0].model.explained(X)
        moved = contributions[:, :-1].sum(axis=1)
        ends = ends_of(contributions[:, -1], moved)
        log_odds, answers = self._answered(X, raw, ends)
        calibrated = log_odds[3 * len(raw) :]
        return answers, Effects(log_odds[:rows], calibrated[:rows], stretched(contributions, moved, calibrated))

    def _raw(self, X: Rows, first: int) -> Floats:
        """Raw scores (hops * n,) of the hops from `first` on; those before it are left to the caller."""
        return _side_by_side(self._constant_models, [hop.model for hop in self.hops], X, first)

    def _answered(self, X: Rows, raw: Floats, ends: Floats) -> tuple[Floats, tuple[HopAnswer, ...]]:
        """(log-odds of all points of all hops in one line, and of `ends` by the nearest hop's calibrator; one answer per hop)."""
        rows, n = len(X), len(raw)
        deviation = _side_by_side(self._constant_spreads, [hop.spread for hop in self.hops], X, 0)
        points, soft = laid_out(raw, np.exp(deviation, deviation), Z90, ends)
        bend(points, np.log1p(np.exp(soft, soft), soft), rows, *self._calibrators)
        chances = judged(points, np.exp(soft, soft), rows, *self._populations)  # as the population's: a tie must be one to the last bit
        sides = [slice(at, at + rows) for at in range(0, n, rows)]
        return points, tuple(HopAnswer(hop, points[side], *chances[:, side]) for hop, side in zip(self.hops, sides, strict=True))

    @cached_property
    def _constant_models(self) -> Floats:
        return np.array([hop.model.value if isinstance(hop.model, Constant) else np.nan for hop in self.hops])

    @cached_property
    def _constant_spreads(self) -> Floats:
        return np.array([hop.spread.value if isinstance(hop.spread, Constant) else np.nan for hop in self.hops])

    @cached_property
    def _calibrators(self) -> tuple[Floats, Floats, Floats]:
        """`low`, `high` and `shift` of each hop."""
        low, high, shift = (np.array([getattr(hop.calibrator, name) for hop in self.hops]) for name in ("low", "high", "shift"))
        return low, high, shift

    @cached_property
    def _populations(self) -> tuple[Ints, Floats]:
        """Where each hop's begins, and all of them in one line."""
        sizes = [hop.population.size for hop in self.hops]
        return np.cumsum([0, *sizes]), np.concatenate([hop.population for hop in self.hops])


def _side_by_side(constants: Floats, models: Sequence[Model], X: Rows, first: int) -> Floats:
    """Raw scores (models * n,) of the models from `first` on. Those that say the same of every row are in `constants` (models,) and not asked."""
    out = constants.repeat(len(X))
    for i in range(first, len(models)):
        if not isinstance(models[i], Constant):
            out[i * len(X) : (i + 1) * len(X)] = models[i].raw_score(X)
    return out


def assess(bundle: Bundle, stage: str, X: Rows) -> tuple[HopAnswer, ...]:
    """X float32 (n, p) of leads standing in `stage` -> one answer per hop ahead, nearest first; none where too little is known of it."""
    return Way.of(bundle, stage).answers(X)


def grade(score: float, grades: Mapping[str, float]) -> str:
    """A, B or C from the score that the funnel says it starts at; D below."""
    return next((name for name in ("A", "B", "C") if score >= grades[name]), "D")


class Reasons(NamedTuple):
    """Why one lead's probability is what it is, in log-odds: base + the listed effects + other = logit(probability). `fit` and `engagement` are
    the shares of firmographics and of activity in all effects, None where nothing speaks either way; `unknown` the inputs that are not known and
    whose absence speaks, loudest first."""

    base: float
    other: float
    listed: list[Told]
    fit: float | None
    engagement: float | None
    unknown: list[str]


class Teller:
    """Tells the reasons of rows of one schema; what the schema alone decides is prepared once."""

    def __init__(self, schema: Schema) -> None:
        groups = sorted(schema.groups)
        self._order = np.array([i for _, columns in groups for i in columns], np.int64)
        self._starts = np.cumsum([0, *(len(columns) for _, columns in groups)])
        self._of_firm = np.array([columns[0] >= len(schema.features) for _, columns in groups], np.bool_)
        self._tell = [_teller(schema, name, columns) for name, columns in groups]
        self._of_input = _of_input(schema, [columns for _, columns in groups])

    def reasons(self, found: Effects, rows: Sequence[Row], everything: bool, sent: Sequence[Sent] | None) -> Iterator[Reasons]:
        """Of each row: the top five each way, strongest first, or all. `rows` are those of X, `sent` the attribute values they came from."""
        room = len(self._tell) if everything else TOP
        summed, weight, kept = ranked(found.effects, self._order, self._starts, self._of_firm, room)
        told = zip(found.log_odds.tolist(), found.base.tolist(), weight.tolist(), summed.tolist(), kept.tolist(), rows, strict=True)
        for i, (log_odds, base, (all_, of_firm), effects, places, row) in enumerate(told):
            listed = [self._tell[place](row, effects[place]) for place in places if place >= 0]
            fit = of_firm / all_ if all_ else None
            other = log_odds - base - sum([r["effect"] for r in listed])
            unknown = [] if sent is None else self._unknown(sent[i], effects)
            yield Reasons(base, other, listed, fit, None if fit is None else 1 - fit, unknown)

    def _unknown(self, sent: Sent, effects: Sequence[float]) -> list[str]:
        """The inputs that are missing and whose absence speaks, loudest first."""
        missing = [(-sum([abs(effects[i]) for i in places]), column) for column, places in self._of_input if sent[column] is None]
        return [column for loudness, column in sorted(missing) if loudness < 0.0]


def _of_input(schema: Schema, groups: Sequence[tuple[int, ...]]) -> list[tuple[str, tuple[int, ...]]]:
    """Each attribute's own input (`lead.job_title`) and the places of the groups that its columns are told in."""
    at, found = len(schema.features), []
    for attribute in schema.attributes:
        own = range(at, at + len(attribute.columns))
        found.append((attribute.inputs[0], tuple(i for i, columns in enumerate(groups) if columns[0] in own)))
        at = own.stop
    return found


def _teller(schema: Schema, name: str, columns: tuple[int, ...]) -> Callable[[Row, float], Told]:
    """What tells one reason from a lead's row. Of a group of levels, the one that the lead has."""
    first = columns[0]
    column = schema.columns[first]
    level, text_of = column.level, teller(column)

    def of_value(row: Row, effect: float) -> Told:
        value = row[first]
        return {"feature": name, "value": value if value == value else None, "effect": effect, "level": level, "text": text_of(value)}

    def of_levels(row: Row, effect: float) -> Told:
        value, text = next((said for i, said in levels if row[i] == 1.0), (None, column.absent))
        return {"feature": name, "value": value, "effect": effect, "level": level, "text": text}

    if "=" not in column.name:
        return of_value
    levels = [(i, (schema.columns[i].name.split("=", 1)[1], schema.columns[i].text)) for i in columns]
    return of_levels
