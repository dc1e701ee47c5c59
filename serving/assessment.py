"""From the model's rows to chances, scores, grades and reasons: the one way in which the command line, HTTP and the pyfunc answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from features.schema import Schema
from registry.bundle import Bundle, HopModel, sigmoid
from registry.models import Floats, Rows
from serving.texts import sentence

TOP = 5
"""Reasons told each way unless all are asked for."""


@dataclass(frozen=True)
class HopAnswer:
    """One hop for n leads that stand in the same stage: chances and their 90 % interval, percentiles 0-100, all (n,)."""

    hop: HopModel
    log_odds: Floats
    probability: Floats
    low: Floats
    high: Floats
    score: Floats


def assess(bundle: Bundle, stage: str, X: Rows) -> tuple[HopAnswer, ...]:
    """X float32 (n, p) of leads standing in `stage` -> one answer per hop ahead, nearest first; none where too little is known of it."""
    return tuple(_answer(hop, X) for hop in bundle.hops_from(stage))


def _answer(hop: HopModel, X: Rows) -> HopAnswer:
    raw = hop.model.raw_score(X)
    log_odds = np.asarray(hop.calibrator.logit(raw))
    probability = sigmoid(log_odds)  # as the population's were computed: a tie must be one to the last bit
    low, high = hop.interval(X, raw)
    return HopAnswer(hop, log_odds, probability, low, high, hop.score(probability))


def grade(score: float, grades: Mapping[str, float]) -> str:
    """A, B or C from the score that the funnel says it starts at; D below."""
    return next((name for name in ("A", "B", "C") if score >= grades[name]), "D")


@dataclass(frozen=True)
class Reasons:
    """Why one lead's probability is what it is, in log-odds: base + the listed effects + other = logit(probability). `fit` and `engagement` are
    the shares of firmographics and of activity in all effects, None where nothing speaks either way."""

    base: float
    other: float
    listed: tuple[dict[str, Any], ...]
    fit: float | None
    engagement: float | None


def reasons(bundle: Bundle, answer: HopAnswer, X: Rows, row: int, effects: Floats, base: float, everything: bool = False) -> Reasons:
    """Reasons of one row; `effects` (p,) and `base` come from `HopModel.explain`. The top five each way, strongest first, or all."""
    layout = bundle.schema.layout
    summed = np.add.reduceat(effects[layout.order], layout.starts)
    ranked = sorted(_grouped(bundle.schema, summed), key=lambda g: (-abs(g[1]), g[0]))
    if not everything:
        kept = {name for sign in (1, -1) for name, _, _ in [g for g in ranked if g[1] * sign > 0][:TOP]}
        ranked = [g for g in ranked if g[0] in kept]
    listed = tuple(_told(bundle.schema, name, effect, columns, X[row]) for name, effect, columns in ranked)
    total = float(answer.log_odds[row])
    other = total - base - sum(r["effect"] for r in listed)
    all_ = float(np.abs(summed).sum())
    fit = float(np.abs(summed[layout.firm]).sum()) / all_ if all_ else None
    return Reasons(base, other, listed, fit, None if fit is None else 1 - fit)


def _grouped(schema: Schema, summed: Floats) -> list[tuple[str, float, tuple[int, ...]]]:
    return [(name, float(effect), columns) for (name, columns), effect in zip(schema.groups, summed, strict=True) if effect != 0.0]


def _told(schema: Schema, name: str, effect: float, columns: tuple[int, ...], row: np.ndarray[Any, Any]) -> dict[str, Any]:
    """One reason. Of a group of levels, the one that the lead has."""
    column = schema.columns[columns[0]]
    if "=" not in column.name:
        value = float(row[columns[0]])
        said: float | str | None = None if np.isnan(value) else value
        return {"feature": name, "value": said, "effect": effect, "level": column.level, "text": sentence(column, value)}
    active = next((schema.columns[i] for i in columns if row[i] == 1.0), None)
    text = column.absent if active is None else active.text
    said = None if active is None else active.name.split("=", 1)[1]
    return {"feature": name, "value": said, "effect": effect, "level": column.level, "text": text}
