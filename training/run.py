"""The run: from a dataset to a bundle with its evaluation."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from data.contract import DAY, DataError, format_instant, parse_instant
from data.dataset import Dataset
from data.funnel import Funnel
from features.discovery import discover
from features.rows import Rows, compute
from features.schema import Schema
from features.tables import Cohort, cohort_of, ints
from features.timeline import Ints, Timeline
from registry.bundle import Bundle, HopModel, transitions
from training.choice import MIN_CONVERTED_LEADS, Sample
from training.hop import ForwardTwin, Task, train_hop
from training.horizon import Horizon, default_horizon
from training.labels import Hop, Outcome, outcome, path, time_to_leave
from training.landmarks import Landmarks, landmarks, weekly_snapshots
from training.leaks import Leak, find_leaks
from training.splits import TEST_SHARE

POPULATION_WEEKS = 13
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Trained:
    """A bundle, what `train --json` says of it, and the forward twins' answers on the test (for the comparison of two bundles)."""

    bundle: Bundle
    report: dict[str, Any]
    forward: pa.Table


def train(dataset: Dataset, funnel: Funnel, trained_at: int, seed: int = 0, tell: Tell = lambda _: None) -> Trained:
    """Trains every hop of the funnel. Raises DataError where no hop has enough evidence; `tell` hears what is being done."""
    tell("finding event types, attributes and leaks")
    data_end = dataset.data_end if funnel.data_end is None else parse_instant(funnel.data_end)
    schema, left_out = discover(dataset, funnel)
    cohort = cohort_of(dataset, schema)
    stood = path(cohort.timeline)
    leaks = find_leaks(dataset, cohort.timeline, cohort.lead_ids, stood, funnel)
    without = {leak.column for leak in leaks if not leak.kept}
    if without:
        schema, left_out = discover(dataset, funnel, without)
        cohort = cohort_of(dataset, schema)
    names = tuple(funnel.stages[code] for code in stood)
    horizons = _horizons(cohort.timeline, stood, names, funnel, data_end)
    found = list(_hops(cohort, schema, stood, names, horizons, data_end, seed, tell))
    hops = tuple(hop for hop, _ in found if hop is not None)
    if not hops:
        raise DataError(_nothing_to_learn(names))
    about = _about(dataset, data_end, trained_at, seed) | {
        "left_out": [{"column": c.column, "why": c.why} for c in left_out],
        "leaks": [leak.document() for leak in leaks],
    }
    bundle = Bundle(schema, names, hops, funnel.training_document(), about)
    report = _report(bundle, names, leaks, [absent for hop, absent in found if hop is None and isinstance(absent, dict)])
    forward = pa.concat_tables([table for _, table in found if isinstance(table, pa.Table)])
    return Trained(bundle, report, forward)


def _horizons(timeline: Timeline, stood: Sequence[int], names: Sequence[str], funnel: Funnel, data_end: int) -> dict[str, Horizon]:
    """From the training period only: what happens in the last fifth of the history is not looked at."""
    begin = int(np.quantile(timeline.created, 0.01))  # one lead "created" in 1970 is no history
    end = begin + int((data_end - begin) * (1 - TEST_SHARE))
    found = {}
    for transition, stage in zip(transitions(tuple(names)), stood, strict=False):
        if transition in funnel.horizons:
            found[transition] = Horizon(funnel.horizons[transition], "set in funnel.toml")
        else:
            duration, cause = time_to_leave(timeline, stage, end)
            found[transition] = default_horizon(duration, cause, data_end - begin)
    return found


def _hops(
    cohort: Cohort, schema: Schema, stood: Sequence[int], names: tuple[str, ...], horizons: dict[str, Horizon], data_end: int, seed: int, tell: Tell
) -> Iterator[tuple[HopModel | None, pa.Table | dict[str, Any]]]:
    """(model, its twin's answers), or (None, why it is absent), for every stage and every hop from it on."""
    steps = transitions(names)
    chain = [Hop(a, b, horizons[t].days) for t, a, b in zip(steps, stood, stood[1:], strict=False)]
    for first, stage in enumerate(names[:-1]):
        tell(f"computing the landmarks of {stage}")
        marks = landmarks(cohort.timeline, stood[first], data_end)
        X = compute(schema, cohort.timeline, cohort.known, marks.lead, marks.as_of)
        recent = weekly_snapshots(cohort.timeline, stood[first], data_end, POPULATION_WEEKS)
        population = compute(schema, cohort.timeline, cohort.known, recent.lead, recent.as_of)
        _, entered = cohort.timeline.standing(marks.lead, marks.as_of)
        for last in range(first, len(steps)):
            labels = outcome(cohort.timeline, chain[first : last + 1], marks.lead, marks.as_of, data_end)
            task = _task(stage, steps[last], horizons[steps[last]], chain[first : last + 1], marks, X, labels, marks.as_of - entered, population)
            if not task.sample.enough:
                yield None, _absent(task)
                break
            hop, twin = train_hop(task, schema, seed, tell)
            yield hop, _forward(cohort, task, twin)


def _task(
    stage: str, transition: str, horizon: Horizon, chain: Sequence[Hop], marks: Landmarks, X: Rows, labels: Outcome, age: Ints, population: Rows
) -> Task:
    counts = labels.counts
    sample = Sample(X[counts], labels.y[counts], marks.lead[counts], marks.as_of[counts])
    censored = int((~labels.ripe & labels.eligible).sum()) if len(chain) > 1 else int((~labels.ripe).sum())
    embargo = sum(hop.horizon_days for hop in chain)
    return Task(stage, transition, horizon.days, horizon.reason, embargo, sample, age[counts] / DAY, censored, population)


def _absent(task: Task) -> dict[str, Any]:
    converted = int(np.unique(task.sample.lead[task.sample.y == 1]).size)
    others = int(np.unique(task.sample.lead[task.sample.y == 0]).size)
    why = (
        f"not enough evidence: {converted} leads made it within {task.horizon_days} days and {others} did not; "
        f"at least {MIN_CONVERTED_LEADS} of each are needed"
    )
    return {"stage": task.stage, "transition": task.transition, "absent": why, "censored": task.censored}


def _forward(cohort: Cohort, task: Task, twin: ForwardTwin) -> pa.Table:
    ids = np.asarray(cohort.lead_ids, dtype=object)
    rows = twin.rows
    return pa.table(
        {
            "lead_id": pa.array(ids[task.sample.lead[rows]], pa.string()),
            "as_of": pa.array(task.sample.as_of[rows], pa.int64()),
            "stage": pa.array([task.stage] * rows.size, pa.string()),
            "transition": pa.array([task.transition] * rows.size, pa.string()),
            "horizon_days": pa.array([task.horizon_days] * rows.size, pa.int64()),
            "y": pa.array(task.sample.y[rows], pa.int8()),
            "probability": pa.array(twin.probability, pa.float64()),
        }
    )


def _nothing_to_learn(names: Sequence[str]) -> str:
    stood = ", ".join(names) or "none"
    return (
        f"no transition has enough evidence to be learned: at least {MIN_CONVERTED_LEADS} converted leads and as many others are needed, "
        f"each with a whole horizon of history behind them. Stages found: {stood}. Check that `stages` holds the entries, or wait for more."
    )


def _about(dataset: Dataset, data_end: int, trained_at: int, seed: int) -> dict[str, Any]:
    return {
        "trained_at": format_instant(trained_at),
        "data_end": format_instant(data_end),
        "data_digest": dataset.digest,
        "seed": seed,
        "leads": dataset.leads.num_rows,
        "events": dataset.events.num_rows,
        "first_created": format_instant(int(ints(dataset.leads["created_at"]).min())),
    }


def _report(bundle: Bundle, names: tuple[str, ...], leaks: Sequence[Leak], absent: Sequence[dict[str, Any]]) -> dict[str, Any]:
    direct = {f"{hop.stage}->": hop for hop in bundle.hops if hop.transition.startswith(f"{hop.stage}->")}
    told = {hop.transition: dict(hop.evaluation) | {"leaks": [leak.document() for leak in leaks]} for hop in direct.values()}
    missing = {
        a["transition"]: {"absent": a["absent"], "landmarks": {"censored": a["censored"]}}
        for a in absent
        if a["transition"].startswith(f"{a['stage']}->")
    }
    return {"transitions": {t: told.get(t, missing.get(t)) for t in transitions(names) if t in told or t in missing}}
