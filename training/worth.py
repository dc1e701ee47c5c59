"""How much each field is worth: how far it moves the odds, and what not knowing it would cost on the test."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from features.declarations import GROUPS, Feature
from features.schema import Schema
from registry.models import Floats, Rows
from training.bootstrap import difference_noise
from training.choice import Sample
from training.matrix import AnyRows, columns
from training.metrics import row_losses

MOST_ROWS = 4_000
STAGE_OPS = frozenset(
    {
        "tenure",
        "time_in_stage",
        "time_before_stage",
        "entries",
        "exits",
        "returns",
        "furthest",
        "since_exit",
        "days_out",
        "entry_hour",
        "entry_weekday",
    }
)
GROUP_LABELS = {"all": "Activity of any kind", "inbound": "Activity by the lead", "outbound": "Outreach to the lead"}


@dataclass(frozen=True)
class Field:
    """What a person would call one thing that is known of a lead: an event type with all its counts and recencies, or one attribute with all its
    levels. `columns` are indices into the schema's row."""

    label: str
    level: str
    columns: tuple[int, ...]


def fields(schema: Schema) -> tuple[Field, ...]:
    """Every column of the schema belongs to exactly one field."""
    phrases = {t.name: t.phrase for t in schema.types} | GROUP_LABELS
    named = [(_slot(f, phrases) if i < schema.swept else "Colleagues at the account", f.level) for i, f in enumerate(schema.features)]
    named += [(a.label, a.level) for a in schema.attributes for _ in a.columns]
    of: dict[str, list[int]] = {}
    for index, (label, _) in enumerate(named):
        of.setdefault(label, []).append(index)
    return tuple(Field(label, named[columns[0]][1], tuple(columns)) for label, columns in of.items())


def _slot(feature: Feature, phrases: dict[str, str]) -> str:
    if feature.op in STAGE_OPS:
        return "Time and earlier stages"
    return phrases[feature.slot if feature.slot in phrases else GROUPS[0]]


def field_worth(sample: Sample, p: Floats, schema: Schema, answer: Callable[[Rows], Floats], seed: int) -> list[dict[str, Any]]:
    """{"field", "level", "cost", "error"} of each field that the model uses, dearest first: by how much log loss on the test rises when the field's
    values are dealt out to other landmarks at random (nats a landmark, with the lead-clustered standard error). Fields that tell the same share
    their worth: dealing out one leaves the others. On up to MOST_ROWS landmarks; a field the model never asks costs exactly 0 and is left out."""
    some = np.arange(0, len(p), max(1, -(-len(p) // MOST_ROWS)))
    X, y, lead = np.asarray(sample.X[some]), sample.y[some].astype(np.float64), sample.lead[some]
    known = row_losses(y, p[some])
    found = []
    for number, field in enumerate(fields(schema)):
        dealt = X.copy()
        mine = list(field.columns)
        dealt[:, mine] = X[np.random.default_rng([seed, number]).permutation(len(some))][:, mine]
        said = answer(dealt)
        if np.array_equal(said, p[some]):
            continue
        cost, error = difference_noise(row_losses(y, said), known, lead)
        found.append({"field": field.label, "level": field.level, "cost": round(cost, 10), "error": round(error, 10) if np.isfinite(error) else None})
    return sorted(found, key=lambda told: (-told["cost"], told["field"]))


def segmentations(schema: Schema, X: AnyRows, most: int = 4) -> dict[str, "np.ndarray[tuple[int], np.dtype[np.object_]]"]:
    """The attributes by which a team looks at its leads, as names of levels (m,) for each: categories with their levels, most evenly spread first."""
    names = {column.name: index for index, column in enumerate(schema.columns)}
    told = {a.label: [(c[0].partition("=")[2], names[c[0]]) for c in a.columns if "=" in c[0]] for a in schema.attributes if a.kind == "category"}
    of = {label: levels for label, levels in told.items() if len(levels) > 1}
    found = {}
    for (label, levels), held in zip(of.items(), columns(X, [[index for _, index in levels] for levels in of.values()]), strict=True):
        found[label] = np.array([level for level, _ in levels], dtype=object)[held.argmax(axis=1)]
    ranked = sorted(found, key=lambda label: (-_entropy(found[label]), label))
    return {label: found[label] for label in ranked[:most]}


def _entropy(labels: "np.ndarray[tuple[int], np.dtype[np.object_]]") -> float:
    share = np.unique(labels, return_counts=True)[1] / max(labels.size, 1)
    return float(-(share * np.log(share)).sum())
