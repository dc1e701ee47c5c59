"""The removal test: a field that a model can't do without, and that ends most of its mistakes, knows the outcome."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np

from data.arrow import Mask
from features.schema import Schema
from training.choice import Sample
from training.leak_trial import Trial
from training.metrics import Floats

COST = 0.03
"""AUC that leaving out an honest field rarely costs."""
MISTAKES = 0.5
"""An honest field that costs more (time on the website, where little else is known) ends about a third of the pairs that a model puts in the wrong
order; one that knows the outcome ends most of them."""
EXTREME = 0.85
"""AUC that honest fields rarely reach. Those that reach it alone are set aside first: leaks may hide one another."""
NOISE = 2.0
MOST_FIELDS = 8
WORTH_A_TEST = 0.6
"""AUC below which a field alone gives nothing away."""
ALIKE = 0.9
"""Correlation of two fields' answers from which one hides the other."""
USED = 0.03
"""Share of the gain from which a suspect that is kept is weighed."""
MOST_WEIGHED = 20
"""Of the suspects that are left out, so many are weighed: those of which a model of everything makes most."""


@dataclass(frozen=True)
class Leak:
    """A field that is left out, or kept because funnel.toml says so or because times are there and nothing is proven; why, in words for people.

    `auc_with` and `auc_without`: what a small model would claim on later leads with the field and without it; None where it was not measured."""

    column: str
    why: str
    kept: bool
    kind: Literal["proven", "suspected"] = "proven"
    auc_with: float | None = None
    auc_without: float | None = None

    def document(self) -> dict[str, object]:
        return asdict(self)


def is_kept(column: str, keep: Collection[str]) -> bool:
    """Whether funnel.toml keeps the column: `package` and `lead.package` mean the same."""
    return column in keep or column.split(".", 1)[-1] in keep


def removal_leaks(
    schema: Schema,
    sample: Sample,
    train_rows: Mask,
    seed: int,
    keep: Collection[str] = (),
    suspected: Collection[str] = (),
    tested: Collection[str] | None = None,
) -> tuple[Leak, ...]:
    """The fields proven to leak, strongest first, each with the AUC both ways.

    `train_rows` (m,) are the rows before the test. `suspected` fields are tested and never help the others: what is known of a field must not be
    hidden by another leak. `tested`: only these can be proven (fields without a history, where the data has times); default all attributes.
    """
    trial = Trial(schema, sample, train_rows, seed)
    return proven_by_removal(trial, keep, suspected, _attributes(schema) if tested is None else tested) if trial.enough else ()


def _attributes(schema: Schema) -> set[str]:
    return {a.inputs[0] for a in schema.attributes}


def proven_by_removal(trial: Trial, keep: Collection[str], suspected: Collection[str], tested: Collection[str]) -> tuple[Leak, ...]:
    """The same on a trial. The strongest is taken out first, then the others are tested without it."""
    alone = _strong(trial, tested)
    aside = {*suspected, *(name for name, value in alone.items() if value >= EXTREME)}
    found: dict[str, Leak] = {}
    while True:
        hidden = {name: aside | _twins(trial, name, alone) for name in alone if name not in found}
        leaks = [leak for name, others in hidden.items() for leak in _tested(trial, name, alone[name], others, keep)]
        if not leaks:
            return tuple(found.values())
        worst = max(leaks, key=lambda leak: (leak.auc_with or 0.0) - (leak.auc_without or 0.0))
        found[worst.column] = worst
        aside.add(worst.column)


def _strong(trial: Trial, tested: Collection[str]) -> dict[str, float]:
    """What the strongest fields tell alone. A model's gain would not do: of two columns that say the same it uses one."""
    alone = {name: trial.auc(trial.of_field(name)) for name in sorted(tested) if name in trial.fields}
    strongest = sorted((name for name in alone if alone[name] >= WORTH_A_TEST), key=lambda name: -alone[name])
    return {name: alone[name] for name in strongest[:MOST_FIELDS]}


def _twins(trial: Trial, name: str, others: Collection[str]) -> set[str]:
    """The fields that say much the same: a duration in seconds and in minutes."""
    mine = trial.answers(trial.of_field(name))
    return {other for other in others if other != name and _alike(mine, trial.answers(trial.of_field(other)))}


def _alike(a: Floats, b: Floats) -> bool:
    return bool(np.corrcoef(a, b)[0, 1] >= ALIKE)


def _tested(trial: Trial, name: str, alone: float, aside: Collection[str], keep: Collection[str]) -> Iterator[Leak]:
    more, fewer = trial.columns(without=set(aside) - {name}), trial.columns(without={*aside, name})
    with_it = trial.auc(more)
    if with_it < EXTREME:
        return
    without = trial.auc(fewer)
    cost, ends_most = with_it - without, with_it - without >= MISTAKES * (1 - without)
    if cost > COST and (ends_most or alone >= max(without, EXTREME)) and cost > NOISE * trial.noise(more, fewer):
        yield Leak(name, _why(without, alone), is_kept(name, keep), "proven", with_it, without)


def _why(without: float, alone: float) -> str:
    return (
        f"alone it orders leads with AUC {alone:.2f}, all other fields together with {without:.2f}, and a model can't do without it: nothing that is "
        "known beforehand tells so much, so it is filled in, or changed, once the outcome is known"
    )


def measured(trial: Trial, leaks: Iterable[Leak]) -> tuple[Leak, ...]:
    """Each leak with the AUC of a model of everything that is not left out, with the field and without it. Where a field makes no column, is a
    suspect that is kept and of which a model makes no use, or is one of many that are left out, nothing is measured."""
    every = tuple(leaks)
    gone = {leak.column for leak in every if not leak.kept}
    weighed = _weighed(trial, every, gone) if trial.enough else frozenset()
    return tuple(_measured(trial, leak, gone) if leak.column in weighed else leak for leak in every)


def _weighed(trial: Trial, leaks: Sequence[Leak], gone: Collection[str]) -> frozenset[str]:
    """Which columns are worth a model of their own."""
    there = [leak for leak in leaks if leak.column in trial.fields]
    aside = [leak.column for leak in there if leak.kind == "suspected" and not leak.kept]
    if len(aside) > MOST_WEIGHED:
        every = trial.worth()
        aside = sorted(aside, key=lambda column: (-every[column], column))[:MOST_WEIGHED]
    worth = trial.worth(without=gone)
    used = (leak.column for leak in there if leak.kind == "proven" or (leak.kept and worth[leak.column] >= USED))
    return frozenset([*aside, *used])


def _measured(trial: Trial, leak: Leak, gone: Collection[str]) -> Leak:
    if leak.auc_with is not None:
        return leak
    more, fewer = trial.columns(without=set(gone) - {leak.column}), trial.columns(without={*gone, leak.column})
    return replace(leak, auc_with=trial.auc(more), auc_without=trial.auc(fewer))
