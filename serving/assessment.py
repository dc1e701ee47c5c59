"""From the model's rows to chances, scores, grades and reasons: the one way in which the command line, HTTP and the pyfunc answer."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np

from features.attributes import Values
from features.schema import Schema
from registry.bundle import Z90, Bundle, HopModel
from registry.forest import Forest
from registry.models import Boosted, Constant, Floats, Model, Rows
from serving.answer_kernels import Longs, bend, judged, laid_out, ranked, stretched
from serving.texts import teller

TOP = 5
"""Reasons told each way unless all are asked for."""

Told = dict[str, Any]
_NOTHING = np.empty(0)


class HopAnswer(NamedTuple):
    """One hop for n leads that stand in the same stage: chances and their 90 % interval, percentiles 0-100, all (n,)."""

    hop: HopModel
    log_odds: Floats
    probability: Floats
    low: Floats
    high: Floats
    score: Floats


class Judged(NamedTuple):
    """All h hops for n leads that stand in the same stage: `log_odds` (h * n,), and `chances` (4, h * n): probability, low, high, percentile."""

    log_odds: Floats
    chances: Floats


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
        if not (self.hops and len(X)):
            return ()
        judged, n = self.judged(X), len(X)
        sides = [slice(at, at + n) for at in range(0, judged.log_odds.size, n)]
        return tuple(HopAnswer(hop, judged.log_odds[side], *judged.chances[:, side]) for hop, side in zip(self.hops, sides, strict=True))

    def judged(self, X: Rows) -> Judged:
        """The same of all hops in one line."""
        raw, spread = self._asked(X)
        points, chances = self._calibrated(raw, spread, _NOTHING, _NOTHING)
        return Judged(points[: raw.size], chances)

    def explained(self, X: Rows) -> tuple[Judged, Effects]:
        """The same, and the nearest hop's effects; the way must have one."""
        rows, nearest = len(X), self.hops[0].model
        if isinstance(nearest, Boosted):
            contributions = np.zeros((rows, nearest.width + 1))
            raw, spread = self._asked(X, contributions)
        else:
            raw, spread = self._asked(X)
            raw[0], contributions = nearest.explained(X)
        moved = np.add.reduce(contributions[:, :-1], axis=1)
        points, chances = self._calibrated(raw, spread, contributions[:, -1].copy(), moved)
        calibrated = points[3 * raw.size :]
        return Judged(points[: raw.size], chances), Effects(points[:rows], calibrated[:rows], stretched(contributions, moved, calibrated))

    def _asked(self, X: Rows, contributions: Floats | None = None) -> tuple[Floats, Floats]:
        """Raw scores (h, n) of the hops' models and of their spreads; the nearest one's contributions, where it is one of trees."""
        out = self._constants.repeat(len(X)).reshape(len(self._models), -1)
        for place in self._formulas:
            out[place] = self._models[place].raw_score(X)
        if contributions is not None:
            self._explained_forest.add(X, self._grown, out, contributions)
        elif self._forest is not None:
            self._forest.add(X, self._grown, out)
        return out[: len(self.hops)], out[len(self.hops) :]

    def _calibrated(self, raw: Floats, spread: Floats, base: Floats, moved: Floats) -> tuple[Floats, Floats]:
        """(log-odds of all points of all hops in one line, and of the nearest one's base and of base + moved; chances (4, h * n))."""
        rows = raw.shape[1]
        points = laid_out(raw, np.exp(spread, spread), Z90, base, moved)
        soft = points[1]
        np.log1p(np.exp(soft, soft), soft)
        bend(points, rows, *self._calibrators)
        np.exp(soft, soft)  # numpy's, as the population's: a tie must be one to the last bit
        return points[0], judged(points, rows, *self._populations)

    @cached_property
    def _models(self) -> tuple[Model, ...]:
        return (*(hop.model for hop in self.hops), *(hop.spread for hop in self.hops))

    @cached_property
    def _constants(self) -> Floats:
        return np.array([model.value if isinstance(model, Constant) else np.nan for model in self._models])

    @cached_property
    def _formulas(self) -> tuple[int, ...]:
        """Places of the models that are asked one by one."""
        return tuple(i for i, model in enumerate(self._models) if not isinstance(model, Constant | Boosted))

    @cached_property
    def _grown(self) -> Longs:
        """Places of the models of trees."""
        return np.array([i for i, model in enumerate(self._models) if isinstance(model, Boosted)], np.int64)

    @cached_property
    def _forest(self) -> Forest | None:
        grown = [model.trees for model in self._models if isinstance(model, Boosted)]
        return Forest.of(grown) if grown else None

    @cached_property
    def _explained_forest(self) -> Forest:
        """The same, the first model's contributions as well."""
        grown = [model.trees for model in self._models if isinstance(model, Boosted)]
        return Forest.of(grown, grown[0].shap_tables)

    @cached_property
    def _calibrators(self) -> tuple[Floats, Floats, Floats]:
        """`low`, `high` and `shift` of each hop."""
        low, high, shift = (np.array([getattr(hop.calibrator, name) for hop in self.hops]) for name in ("low", "high", "shift"))
        return low, high, shift

    @cached_property
    def _populations(self) -> tuple[Longs, Floats]:
        """Where each hop's begins, and all of them in one line."""
        sizes = [hop.population.size for hop in self.hops]
        return np.cumsum([0, *sizes]), np.concatenate([hop.population for hop in self.hops])


def assess(bundle: Bundle, stage: str, X: Rows) -> tuple[HopAnswer, ...]:
    """X float32 (n, p) of leads standing in `stage` -> one answer per hop ahead, nearest first; none where too little is known of it."""
    return Way.of(bundle, stage).answers(X)


def grade(score: float, grades: Mapping[str, float]) -> str:
    """A, B or C from the score that the funnel says it starts at; D below."""
    return "A" if score >= grades["A"] else "B" if score >= grades["B"] else "C" if score >= grades["C"] else "D"


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
        self._of_levels = np.array(["=" in schema.columns[columns[0]].name for _, columns in groups], np.bool_)
        self._tell = [_teller(schema, name, columns) for name, columns in groups]
        self._of_input = _of_input(schema, [columns for _, columns in groups])

    def reasons(self, found: Effects, X: Rows, everything: bool, sent: Sequence[Values] | None) -> Iterator[Reasons]:
        """Of each row of X: the top five each way, strongest first, or all. `sent` are the attribute values that the rows came from."""
        room, tell = len(self._tell) if everything else TOP, self._tell
        summed, figures, kept = ranked(found.effects, X, self._order, self._starts, self._of_firm, self._of_levels, room)
        told = zip(found.log_odds.tolist(), found.base.tolist(), figures.tolist(), kept.tolist(), strict=True)
        for i, (log_odds, base, (all_, of_firm, *listed), (places, columns)) in enumerate(told):
            effects, values = listed[: 2 * room], listed[2 * room :]
            reasons = [
                tell[place](column, value, effect)
                for place, column, value, effect in zip(places, columns, values, effects, strict=True)
                if place >= 0
            ]
            fit = of_firm / all_ if all_ else None
            unknown = [] if sent is None else self._unknown(sent[i], summed[i])
            yield Reasons(base, log_odds - base - sum(effects), reasons, fit, None if fit is None else 1 - fit, unknown)

    def _unknown(self, sent: Values, effects: Floats) -> list[str]:
        """The inputs that are missing and whose absence speaks, loudest first."""
        missing = [(-sum([abs(effects.item(i)) for i in places]), column) for column, at, places in self._of_input if sent[at] is None]
        return [column for loudness, column in sorted(missing) if loudness < 0.0]


def _of_input(schema: Schema, groups: Sequence[tuple[int, ...]]) -> list[tuple[str, int, tuple[int, ...]]]:
    """Each attribute's own input (`lead.job_title`), its place among the inputs, and the places of the groups that its columns are told in."""
    at, found = len(schema.features), []
    for attribute, (place, *_) in schema.places:
        own = range(at, at + len(attribute.columns))
        found.append((attribute.inputs[0], place, tuple(i for i, columns in enumerate(groups) if columns[0] in own)))
        at = own.stop
    return found


def _teller(schema: Schema, name: str, columns: tuple[int, ...]) -> Callable[[int, float, float], Told]:
    """What tells one reason from (the column that holds it, its value there, the effect). Of a group of levels, the column is that of the level that
    the lead has, -1 for none."""
    column = schema.columns[columns[0]]
    level, text_of = column.level, teller(column)

    def of_value(_: int, value: float, effect: float) -> Told:
        return {"feature": name, "value": value if value == value else None, "effect": effect, "level": level, "text": text_of(value)}

    def of_levels(column: int, _: float, effect: float) -> Told:
        value, text = levels[column]
        return {"feature": name, "value": value, "effect": effect, "level": level, "text": text}

    if "=" not in column.name:
        return of_value
    levels: dict[int, tuple[str | None, str]] = {i: (schema.columns[i].name.split("=", 1)[1], schema.columns[i].text) for i in columns}
    levels[-1] = (None, column.absent)
    return of_levels
