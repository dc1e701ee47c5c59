"""The leak report before training: which fields know the outcome (proven: left out), which may (suspected: named), and what that would claim."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from data.arrow import array
from data.contract import DAY, RESERVED
from data.dataset import Dataset
from data.funnel import Funnel
from features.discovery import LeftOut
from features.rows import Cohort, compute
from features.schema import ACCOUNT, Schema
from features.tables import positions
from training.choice import Sample
from training.labels import Hop, outcome
from training.landmarks import landmarks
from training.leak_events import event_leaks, without_events
from training.leak_fill import Group, fields_of_leads, fill_leaks, groups_of
from training.leak_removal import Leak, measured, proven_by_removal, removal_leaks
from training.leak_suspects import entity_suspect, suspect_columns
from training.leak_trial import Trial, some_leads
from training.splits import forward_splits

__all__ = ["UNDATED", "Leak", "Studied", "find_leaks", "removal_leaks", "suspect_columns", "tell_leaks", "without_events"]

UNDATED = "no history says since when it is known: it counts from the lead's creation on, whenever it was filled in"
MOSTLY = 0.5


@dataclass(frozen=True)
class Studied:
    """What leaks are looked for in: a dataset, what was found in it at first, its leads, the stages (codes) that anybody stands in, and the hops
    between neighbours."""

    dataset: Dataset
    schema: Schema
    left_out: Sequence[LeftOut]
    cohort: Cohort
    path: Sequence[int]
    hops: Sequence[Hop]
    data_end: int


def find_leaks(studied: Studied, funnel: Funnel, seed: int = 0) -> tuple[Leak, ...]:
    """Proven ones first, each column once. What is proven is left out unless funnel.toml keeps it; a suspect is kept and named, since times tell
    what was known when; both with the AUC both ways, of the hop at which they matter most. Columns that funnel.toml leaves out, and personal
    ones, are not looked at."""
    timeline, looked_at = studied.cohort.timeline, _looked_at(studied)
    fields = [f for f in fields_of_leads(studied.dataset, studied.cohort.lead_ids) if f.column in looked_at]
    groups = groups_of(timeline, studied.path, funnel)
    told = [*fill_leaks(fields, groups, timeline.created, funnel), *event_leaks(studied.schema, timeline, studied.path, funnel)]
    told += _suspects(studied, groups, funnel)
    trials = [trial for hop in studied.hops for trial in _trial(studied, hop, seed)]
    undated = [f.column for f in fields if f.column in studied.schema.used and f.undated[f.filled].sum() > MOSTLY * f.filled.sum()]
    proven = {leak.column for leak in told if leak.kind == "proven"}
    aside = {leak.column for leak in told}
    for trial in trials:
        told += proven_by_removal(trial, funnel.keep, aside, set(undated) - proven)
    told += [Leak(column, UNDATED, True, "suspected") for column in undated]
    merged = [_as_used(leak, studied.schema) for leak in _merged(told)]
    return tuple(_weighed(merged, trials))


def _looked_at(studied: Studied) -> set[str]:
    """The columns that are used or that only their values keep out: neither personal data nor what funnel.toml leaves out."""
    only_by_values = {c.column for c in studied.left_out if not c.why.startswith(("personal data", "left out by funnel.toml"))}
    reserved = {f"{table}.{name}" for table, names in RESERVED.items() for name in names}
    return (set(studied.schema.used) | only_by_values) - reserved | ({ACCOUNT} if studied.schema.colleagues else set())


def _suspects(studied: Studied, groups: Sequence[Group], funnel: Funnel) -> Iterator[Leak]:
    """By columns: of leads, of accounts, and of the entities that are no attributes."""
    dataset, looked_at = studied.dataset, _looked_at(studied) - {ACCOUNT}
    ids = pa.chunked_array([pa.array(studied.cohort.lead_ids, pa.string())])
    leads = dataset.leads.take(array(positions(ids, dataset.leads["lead_id"])))
    converted = groups[0].members.astype(np.int8) if len(studied.path) > 1 else np.zeros(leads.num_rows, np.int8)
    for name, table, y in (("lead", leads, converted), ("account", dataset.accounts, None)):
        yield from suspect_columns(table.select([c for c in table.column_names if f"{name}.{c}" in looked_at]), y, funnel, name, timed=True)
    for name in ("account_id", "owner"):
        why = entity_suspect(leads[name], converted)
        if why is not None:
            yield Leak(f"lead.{name}", why, True, "suspected")


def _trial(studied: Studied, hop: Hop, seed: int) -> Iterator[Trial]:
    """The hop's landmarks before its test, of a part of the leads where they are many; nothing where the evidence is too thin."""
    timeline = studied.cohort.timeline
    marks = landmarks(timeline, hop.stage, studied.data_end)
    labels = outcome(timeline, [hop], marks.lead, marks.as_of, studied.data_end)
    rows = np.flatnonzero(labels.counts)
    rows = rows[forward_splits(marks.as_of[rows], hop.horizon_days * DAY).test.train]
    rows = rows[some_leads(marks.lead[rows], seed)]
    lead, as_of = marks.lead[rows], marks.as_of[rows]
    X = compute(studied.schema, studied.cohort, lead, as_of)
    trial = Trial(studied.schema, Sample(X, labels.y[rows], lead, as_of), np.ones(rows.size, bool), seed)
    if trial.enough:
        yield trial


def _merged(told: Iterable[Leak]) -> Iterator[Leak]:
    """One leak a column: a proof needs no suspicion beside it; suspicions are told together."""
    by_column: dict[str, list[Leak]] = {}
    for leak in told:
        by_column.setdefault(leak.column, []).append(leak)
    for leaks in by_column.values():
        proofs = [leak for leak in leaks if leak.kind == "proven"]
        reasons = [leak.why for leak in leaks if leak.why != UNDATED] or [UNDATED]
        yield max(proofs, key=_cost) if proofs else replace(leaks[0], why="; ".join(reasons))


def _as_used(leak: Leak, schema: Schema) -> Leak:
    """A column that makes no feature is not kept, whatever one thinks of it."""
    used = leak.column in schema.used or leak.column.startswith("event.") or (leak.column == ACCOUNT and schema.colleagues)
    return leak if used else replace(leak, kept=False)


def _weighed(leaks: Sequence[Leak], trials: Sequence[Trial]) -> list[Leak]:
    """A proof with the AUCs of the hop at which it costs most, a suspicion with those of the first hop that makes use of it."""
    told = [measured(trial, leaks) for trial in trials]
    weighed = [_at_one_hop(versions) for versions in zip(*told, strict=True)] if told else leaks
    return sorted(weighed, key=lambda leak: (leak.kind, leak.why == UNDATED, -max(_cost(leak), 0.0), leak.column))


def _at_one_hop(versions: Sequence[Leak]) -> Leak:
    known = [leak for leak in versions if leak.auc_with is not None]
    return max(known, key=_cost) if known and known[0].kind == "proven" else (known or versions)[0]


def _cost(leak: Leak) -> float:
    return -1.0 if leak.auc_with is None or leak.auc_without is None else leak.auc_with - leak.auc_without


def tell_leaks(leaks: Iterable[Mapping[str, object]]) -> list[str]:
    """Sentences for people, from the documents in a bundle; fields that share a reason share a sentence.

    proven leak: lead.tags left out: .... With it the model would claim AUC 0.98; without it 0.87."""
    alike: dict[tuple[object, object, object], list[Mapping[str, object]]] = {}
    for leak in leaks:
        alike.setdefault((leak["kind"], leak["kept"], leak["why"]), []).append(leak)
    return [_told(kind, bool(kept), why, same) for (kind, kept, why), same in alike.items()]


def _told(kind: object, kept: bool, why: object, same: Sequence[Mapping[str, object]]) -> str:
    done = "left out" if not kept else "kept, as funnel.toml says" if kind == "proven" else "kept"
    numbers = _both_ways(same) if len(same) == 1 or not kept else ""
    return f"{kind} leak: {', '.join(str(leak['column']) for leak in same)} {done}: {why}.{numbers}"


def _both_ways(leaks: Sequence[Mapping[str, object]]) -> str:
    weighed = [leak for leak in leaks if leak.get("auc_with") is not None and leak.get("auc_without") is not None]
    which = [str(leak["column"]) if len(leaks) > 1 else "it" for leak in weighed]
    return "".join(
        f" With {named} the model would claim AUC {leak['auc_with']:.2f}; without it {leak['auc_without']:.2f}."
        for named, leak in zip(which, weighed, strict=True)
    )
