"""Whom a bundle is asked about: the open leads of each stage on recent Mondays, then and now."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data.funnel import Drift
from features.rows import Cohort
from features.schema import Schema
from features.timeline import Ints
from registry.bundle import Bundle, HopModel
from training.drift import Shift, input_shifts, reference, score_shifts
from training.landmarks import weekly_snapshots
from training.matrix import AnyRows, Matrix, RowsOf, rows_of

POPULATION_WEEKS = 13


@dataclass(frozen=True)
class StageDrift:
    """How the inputs and the scores of one stage moved, and which share of what its models weigh the drifted inputs carry (0 to 1)."""

    stage: str
    leads: int
    inputs: tuple[Shift, ...]
    scores: tuple[Shift, ...]
    drifted_weight: float


def open_leads(cohort: Cohort, schema: Schema, stage: str, data_end: int, since: int = -1, computed: RowsOf = rows_of) -> tuple[Matrix, Ints]:
    """Rows (n, p) of the leads that stood in `stage` on the Mondays of the last POPULATION_WEEKS weeks before data_end, but after `since` (micros);
    and the index of each row's lead."""
    marks = weekly_snapshots(cohort.timeline, schema.stage_code(stage), data_end, POPULATION_WEEKS)
    marks = marks.where(marks.as_of > since)
    return computed(schema, cohort, marks.lead, marks.as_of), marks.lead


def open_a_week(cohort: Cohort, schema: Schema, stages: Sequence[str], data_end: int) -> dict[str, float]:
    """Of each stage, how many leads stood in it on an average Monday of the same weeks; 0 where there was no Monday."""
    found = {}
    for stage in stages:
        marks = weekly_snapshots(cohort.timeline, schema.stage_code(stage), data_end, POPULATION_WEEKS)
        found[stage] = marks.lead.size / max(len(set(marks.as_of.tolist())), 1)
    return found


def references(cohort: Cohort, schema: Schema, hops: Sequence[HopModel], data_end: int, computed: RowsOf = rows_of) -> dict[str, Any]:
    """What a bundle keeps of its population, by stage: see `training.drift.reference`."""
    found = {}
    for stage in dict.fromkeys(hop.stage for hop in hops):
        X, lead = open_leads(cohort, schema, stage, data_end, computed=computed)
        found[stage] = reference(schema, [hop for hop in hops if hop.stage == stage], X, lead)
    return found


def drift_of(bundle: Bundle, cohort: Cohort, data_end: int, since: int, limits: Drift) -> Iterator[StageDrift]:
    """Every stage that the bundle keeps a population of, against the cohort's open leads after `since`; their rows are of the bundle's schema."""
    for stage, kept in bundle.about.get("inputs", {}).items():
        yield drift_of_rows(bundle, stage, kept, *open_leads(cohort, bundle.schema, stage, data_end, since), limits)


def drift_of_rows(bundle: Bundle, stage: str, kept: Mapping[str, Any], X: AnyRows, lead: Ints, limits: Drift) -> StageDrift:
    """The same of rows that are at hand."""
    hops = bundle.hops_from(stage)
    inputs = input_shifts(kept, bundle.schema, X, lead, limits)
    weights = weights_of(hops)
    drifted = sum(weights.get(shift.name, 0.0) for shift in inputs if shift.state == "drifted")
    return StageDrift(stage, len(set(lead.tolist())), tuple(inputs), tuple(score_shifts(kept, hops, X, lead, limits)), drifted)


def weights_of(hops: Sequence[HopModel]) -> dict[str, float]:
    """Share of each input in what the hops weigh: its mean absolute effect, as training measured it, over that of all; a mean over the hops that
    weigh anything (a base rate does not). All shares sum to 1, or there is none."""
    told = [{one["feature"]: one["effect"] for one in hop.evaluation.get("importance", ())} for hop in hops]
    weighing = [effects for effects in told if effects]
    found: dict[str, float] = {}
    for effects in weighing:
        for name, effect in effects.items():
            found[name] = found.get(name, 0.0) + effect / sum(effects.values()) / len(weighing)
    return found
