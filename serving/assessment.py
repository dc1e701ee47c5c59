"""From the model's rows to chances, scores, grades and reasons: the one way in which the command line, HTTP and the pyfunc answer."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isnan
from typing import Any, NamedTuple, Self

import numpy as np

from features.schema import Schema
from registry.bundle import Z90, Bundle, HopModel, sigmoid
from registry.calibrator import bent
from registry.models import Constant, Floats, Model, Rows
from serving.texts import sentence

TOP = 5
"""Reasons told each way unless all are asked for."""

Row = list[float]
Sent = Mapping[str, str | None]
Told = dict[str, Any]


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
        return self._answered(X, self._raw(X, 0)) if self.hops else ()

    def explained(self, X: Rows) -> tuple[tuple[HopAnswer, ...], Effects]:
        """The same, and the nearest hop's effects; the way must have one."""
        nearest, raw = self.hops[0], self._raw(X, 1)
        raw[: len(X)], contributions = nearest.model.explained(X)
        answers = self._answered(X, raw)
        return answers, Effects(answers[0].log_odds, *nearest.calibrated(contributions))

    def _raw(self, X: Rows, first: int) -> Floats:
        """Raw scores (hops * n,) of the hops from `first` on; those before it are left to the caller."""
        return _side_by_side(self._constant_models, [hop.model for hop in self.hops], X, first)

    def _answered(self, X: Rows, raw: Floats) -> tuple[HopAnswer, ...]:
        """All points of all hops in one line: numpy takes arrays of one dimension and one length the shortest way."""
        n = len(self.hops) * len(X)
        half = Z90 * np.exp(_side_by_side(self._constant_spreads, [hop.spread for hop in self.hops], X, 0))
        calibrators = self._calibrators if len(X) == 1 else self._calibrators.repeat(len(X), axis=1)
        log_odds = bent(np.concatenate([raw, raw - half, raw + half]), *calibrators)
        chances = sigmoid(log_odds)  # as the population's were computed: a tie must be one to the last bit
        probability, low, high = chances[:n], chances[n : 2 * n], chances[2 * n :]
        sides = [slice(i * len(X), (i + 1) * len(X)) for i in range(len(self.hops))]
        return tuple(
            HopAnswer(hop, log_odds[side], probability[side], low[side], high[side], hop.score(probability[side]))
            for hop, side in zip(self.hops, sides, strict=True)
        )

    @cached_property
    def _constant_models(self) -> Floats:
        return np.array([hop.model.value if isinstance(hop.model, Constant) else np.nan for hop in self.hops])

    @cached_property
    def _constant_spreads(self) -> Floats:
        return np.array([hop.spread.value if isinstance(hop.spread, Constant) else np.nan for hop in self.hops])

    @cached_property
    def _calibrators(self) -> Floats:
        """(3, 3 * hops): `low`, `high` and `shift` of each hop, for the chance and both ends of its interval."""
        return np.array([[getattr(hop.calibrator, name) for hop in self.hops] * 3 for name in ("low", "high", "shift")])


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
        self._starts = np.cumsum([0, *(len(columns) for _, columns in groups)])[:-1]
        self._firm = np.array([place for place, (_, columns) in enumerate(groups) if columns[0] >= len(schema.features)], np.int64)
        self._tell = [_teller(schema, name, columns) for name, columns in groups]
        self._of_input = _of_input(schema, [columns for _, columns in groups])

    def reasons(self, found: Effects, rows: Sequence[Row], everything: bool, sent: Sequence[Sent] | None) -> Iterator[Reasons]:
        """Of each row: the top five each way, strongest first, or all. `rows` are those of X, `sent` the attribute values they came from."""
        summed = np.add.reduceat(found.effects.take(self._order, axis=1), self._starts, axis=1)
        strength = np.abs(summed)
        whole, firm = strength.sum(axis=1), strength.take(self._firm, axis=1).sum(axis=1)
        order = (-strength).argsort(axis=1, kind="stable")
        told = zip(found.log_odds.tolist(), found.base.tolist(), whole.tolist(), firm.tolist(), summed.tolist(), order.tolist(), rows, strict=True)
        for i, (log_odds, base, all_, of_firm, effects, ranked, row) in enumerate(told):
            kept = _all(ranked, effects) if everything else _top(ranked, effects)
            listed = [self._tell[place](row, effects[place]) for place in kept]
            fit = of_firm / all_ if all_ else None
            other = log_odds - base - sum(r["effect"] for r in listed)
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


def _all(ranked: Sequence[int], effects: Sequence[float]) -> list[int]:
    return [place for place in ranked if effects[place] != 0.0]


def _top(ranked: Sequence[int], effects: Sequence[float]) -> list[int]:
    """The strongest five each way, in their order."""
    kept, room = [], [TOP, TOP]
    for place in ranked:
        effect = effects[place]
        if effect == 0.0 or room == [0, 0]:
            break
        if room[effect > 0.0]:
            room[effect > 0.0] -= 1
            kept.append(place)
    return kept


def _teller(schema: Schema, name: str, columns: tuple[int, ...]) -> Callable[[Row, float], Told]:
    """What tells one reason from a lead's row. Of a group of levels, the one that the lead has."""
    first = columns[0]
    column = schema.columns[first]
    level = column.level

    def of_value(row: Row, effect: float) -> Told:
        value = row[first]
        return {"feature": name, "value": None if isnan(value) else value, "effect": effect, "level": level, "text": sentence(column, value)}

    def of_levels(row: Row, effect: float) -> Told:
        value, text = next((said for i, said in levels if row[i] == 1.0), (None, column.absent))
        return {"feature": name, "value": value, "effect": effect, "level": level, "text": text}

    if "=" not in column.name:
        return of_value
    levels = [(i, (schema.columns[i].name.split("=", 1)[1], schema.columns[i].text)) for i in columns]
    return of_levels
