"""The run: from a dataset to a bundle with its evaluation."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from data.contract import DAY, DataError, format_instant, parse_instant
from data.dataset import Dataset
from data.funnel import Funnel
from features.discovery import LeftOut, discover
from features.rows import Cohort
from features.schema import Schema
from features.tables import cohort_of, ints
from features.timeline import Ints, Timeline
from registry.bundle import Bundle, HopModel, transitions
from training.choice import MIN_CONVERTED_LEADS, Sample
from training.evidence import lacking
from training.hop import ForwardTwin, Task, train_hop
from training.horizon import Horizon, default_horizon
from training.icp import learn_profile
from training.labels import Hop, Outcome, outcome, path, time_to_leave
from training.landmarks import Landmarks, landmarks, weekly_snapshots
from training.leaks import Leak, Studied, find_leaks, without_events
from training.matrix import AnyRows, RowsOf, rows_of
from training.populations import POPULATION_WEEKS, open_a_week, references
from training.pseudonyms import pseudonyms
from training.reach import reached
from training.recording import ALWAYS, recorded_since, recording
from training.short_history import short_history, splits_of
from training.splits import TEST_SHARE
from training.sums import on_any_cores
from training.tuning import NO_TUNING, Tuning

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Trained:
    """A bundle, what `train --json` says of it, and the forward twins' answers on the test (for the comparison of two bundles)."""

    bundle: Bundle
    report: dict[str, Any]
    forward: pa.Table


@on_any_cores
def train(
    dataset: Dataset,
    funnel: Funnel,
    trained_at: int,
    seed: int = 0,
    tell: Tell = lambda _: None,
    tuning: Tuning = NO_TUNING,
    computed: RowsOf = rows_of,
) -> Trained:
    """Trains every hop of the funnel. Raises DataError where no hop has enough evidence; `tell` hears what is being done, `computed` makes the rows
    that are learned from: here, or on a cluster."""
    tell("finding event types, attributes and leaks")
    studied, horizons = study(dataset, funnel)
    leaks = find_leaks(studied, funnel, seed)
    schema, left_out, cohort = _without_proven(studied, funnel, leaks)
    stood, data_end = studied.path, studied.data_end
    names = tuple(funnel.stages[code] for code in stood)
    found = list(_hops(cohort, schema, stood, names, horizons, data_end, seed, tell, tuning, computed))
    hops = tuple(hop for hop, _ in found if hop is not None)
    absent = [told for hop, told in found if hop is None and isinstance(told, dict)]
    if not hops:
        raise DataError(_nothing_to_learn(names, absent))
    about = _about(dataset, data_end, trained_at, seed) | {
        "trials": [hop.evaluation["trials"] for hop in hops],
        "left_out": [{"column": c.column, "why": c.why} for c in left_out],
        "leaks": [leak.document() for leak in leaks],
        "inputs": references(cohort, schema, hops, data_end, computed),
        "open_leads": open_a_week(cohort, schema, names[:-1], data_end),
        "icp": learn_profile(dataset, schema, cohort, stood, leaks, data_end, seed).document(),
        "absent": {told["stage"]: told["absent"] for told in absent if told["transition"].startswith(f"{told['stage']}->")},
    }
    bundle = Bundle(schema, names, hops, funnel.training_document(), about)
    report = _report(bundle, names, leaks, absent)
    forward = pa.concat_tables([table for _, table in found if isinstance(table, pa.Table)], promote_options="default")
    return Trained(bundle, report, forward)


def study(dataset: Dataset, funnel: Funnel) -> tuple[Studied, dict[str, Horizon]]:
    """What there is to learn from, before anything is left out, and each transition's horizon."""
    data_end = dataset.data_end if funnel.data_end is None else parse_instant(funnel.data_end)
    schema, left_out = discover(dataset, funnel)
    cohort = cohort_of(dataset, schema)
    stood = path(cohort.timeline)
    names = tuple(funnel.stages[code] for code in stood)
    horizons = _horizons(cohort.timeline, stood, names, funnel, data_end)
    direct = [Hop(a, b, horizons[t].days) for t, a, b in zip(transitions(names), stood, stood[1:], strict=False)]
    return Studied(dataset, schema, left_out, cohort, stood, direct, data_end), horizons


def _without_proven(studied: Studied, funnel: Funnel, leaks: Sequence[Leak]) -> tuple[Schema, tuple[LeftOut, ...], Cohort]:
    without = {leak.column for leak in leaks if leak.kind == "proven" and not leak.kept}
    if not without:
        return studied.schema, tuple(studied.left_out), studied.cohort
    schema, left_out = discover(studied.dataset, without_events(funnel, studied.schema, without), without)
    return schema, left_out, cohort_of(studied.dataset, schema)


def _horizons(timeline: Timeline, stood: Sequence[int], names: Sequence[str], funnel: Funnel, data_end: int) -> dict[str, Horizon]:
    """From the training period only: what happens in the last fifth of the history is not looked at."""
    begin, end = int(np.quantile(timeline.created, 0.01)), _training_end(timeline, data_end)
    found = {}
    for transition, stage, target in zip(transitions(tuple(names)), stood, stood[1:], strict=False):
        if transition in funnel.horizons:
            found[transition] = Horizon(funnel.horizons[transition], "set in funnel.toml")
        else:
            first = default_horizon(*time_to_leave(timeline, stage, end), data_end - begin)
            since = recorded_since(timeline, Hop(stage, target, first.days), end)
            found[transition] = first if since == ALWAYS else default_horizon(*time_to_leave(timeline, stage, end, since), data_end - since)
    return found


def _training_end(timeline: Timeline, data_end: int) -> int:
    """Where the last fifth of the history begins."""
    begin = int(np.quantile(timeline.created, 0.01))  # one lead "created" in 1970 is no history
    return begin + int((data_end - begin) * (1 - TEST_SHARE))


def _hops(
    cohort: Cohort,
    schema: Schema,
    stood: Sequence[int],
    names: tuple[str, ...],
    horizons: dict[str, Horizon],
    data_end: int,
    seed: int,
    tell: Tell,
    tuning: Tuning,
    computed: RowsOf,
) -> Iterator[tuple[HopModel | None, pa.Table | dict[str, Any]]]:
    """(model, its twin's answers), or (None, why it is absent), for every stage and every hop from it on."""
    steps = transitions(names)
    trained, most = 0, len(steps) * (len(steps) + 1) // 2
    chain = [Hop(a, b, horizons[t].days) for t, a, b in zip(steps, stood, stood[1:], strict=False)]
    begins = [recorded_since(cohort.timeline, hop, _training_end(cohort.timeline, data_end)) for hop in chain]
    for first, stage in enumerate(names[:-1]):
        tell(f"computing the landmarks of {stage}")
        marks = landmarks(cohort.timeline, stood[first], data_end)
        X = computed(schema, cohort, marks.lead, marks.as_of)
        recent = weekly_snapshots(cohort.timeline, stood[first], data_end, POPULATION_WEEKS)
        population = computed(schema, cohort, recent.lead, recent.as_of)
        _, entered = cohort.timeline.standing(marks.lead, marks.as_of)
        twins, cut = list[ForwardTwin](), 0
        for last in range(first, len(steps)):
            hops = chain[first : last + 1]
            record = recording(marks, entered, max(begins[first : last + 1]), data_end - DAY * sum(hop.horizon_days for hop in hops))
            held = record.holds(marks, entered)
            used, rows = (marks, X) if held.all() else (marks.where(held), X[held])
            labels = outcome(cohort.timeline, hops, used.lead, used.as_of, data_end)
            task = _task(stage, steps[last], horizons[steps[last]], hops, used, rows, labels, used.as_of - entered[held], population, seed)
            if not task.sample.enough:
                yield None, _absent(task)
                break
            hop, twin = train_hop(task, schema, seed, tell, tuning.of_hop(trained, most))
            trained, cut = trained + 1, max(cut, task.splits.cut)
            twins.append(twin)
            if not hop.direct:
                hop = replace(hop, evaluation={**hop.evaluation, "reach": reached(twins, rows, labels, used, cut, seed)})
            ids = np.asarray(cohort.lead_ids, dtype=object)[task.sample.lead[twin.rows]]
            notes = [*hop.evaluation["notes"], *record.notes(steps[last], int((~held).sum())), *short_history(task)]
            yield replace(hop, evaluation={**hop.evaluation, "notes": notes}), forward_answers(ids, task, twin)


def _task(
    stage: str,
    transition: str,
    horizon: Horizon,
    chain: Sequence[Hop],
    marks: Landmarks,
    X: AnyRows,
    labels: Outcome,
    age: Ints,
    population: AnyRows,
    seed: int,
) -> Task:
    counts = labels.counts
    sample = Sample(X[counts], labels.y[counts], marks.lead[counts], marks.as_of[counts])
    censored = int((~labels.ripe & labels.eligible).sum()) if len(chain) > 1 else int((~labels.ripe).sum())
    splits = splits_of(sample, sum(hop.horizon_days for hop in chain) * DAY, seed)
    return Task(stage, transition, horizon.days, horizon.reason, splits, sample, age[counts] / DAY, censored, population)


def _absent(task: Task) -> dict[str, Any]:
    told = {"stage": task.stage, "transition": task.transition, "censored": task.censored}
    return told | lacking(task.sample, task.horizon_days, task.censored)


def forward_answers(lead_ids: Any, task: Task, twin: ForwardTwin) -> pa.Table:
    """What the twin said on the test, a row for each landmark of it; `lead_ids` (rows,) name their leads, which are told by pseudonyms."""
    rows = twin.rows
    told = {name: pa.array(values, pa.float64()) for name, values in twin.beside.items()}
    return pa.table(
        {
            "lead_id": pseudonyms(lead_ids),
            "as_of": pa.array(task.sample.as_of[rows], pa.int64()),
            "stage": pa.array([task.stage] * rows.size, pa.string()),
            "transition": pa.array([task.transition] * rows.size, pa.string()),
            "horizon_days": pa.array([task.horizon_days] * rows.size, pa.int64()),
            "y": pa.array(task.sample.y[rows], pa.int8()),
            "probability": pa.array(twin.probability, pa.float64()),
            **told,
        }
    )


def _nothing_to_learn(names: Sequence[str], absent: Sequence[dict[str, Any]]) -> str:
    stood = ", ".join(names) or "none"
    found = "".join(f" {told['transition']}: {told['absent']}" for told in absent)
    return (
        f"no transition has enough evidence to be learned: at least {MIN_CONVERTED_LEADS} converted leads and as many others are needed, "
        f"each with a whole horizon of history behind them. Stages found: {stood}. Check that `stages` holds the entries, or wait for more.{found}"
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
    direct = {f"{hop.stage}->": hop for hop in bundle.hops if hop.direct}
    told = {hop.transition: dict(hop.evaluation) | {"leaks": [leak.document() for leak in leaks]} for hop in direct.values()}
    missing = {
        a["transition"]: {"absent": a["absent"], "needed": a["needed"], "landmarks": {"censored": a["censored"]}}
        for a in absent
        if a["transition"].startswith(f"{a['stage']}->")
    }
    return {"transitions": {t: told.get(t, missing.get(t)) for t in transitions(names) if t in told or t in missing}}
