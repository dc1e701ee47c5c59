"""The run on a flat file: one transition, `outcome`, from rows that say nothing of when."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from data.arrow import array
from data.contract import RESERVED, DataError, format_instant
from data.dataset import Dataset
from data.flat import UNKNOWN, FlatColumns, FlatFile
from data.funnel import Funnel
from features.discovery import LeftOut, discover, without_placeholders
from features.rows import Rows, compute
from features.schema import Schema
from features.tables import cohort_of, positions
from registry.bundle import FLAT_PATH, OUTCOME, Bundle
from registry.profile import Profile
from training.choice import MIN_CONVERTED_LEADS, Sample
from training.drift import reference
from training.hop import Task, train_hop
from training.icp import Followed, of_followed
from training.leak_removal import Leak, measured, proven_by_removal
from training.leak_suspects import suspect_columns
from training.leak_trial import Trial
from training.run import Tell, Trained, forward_answers
from training.splits import Splits, dealt_splits, ordered_splits
from training.sums import on_any_cores
from training.tuning import NO_TUNING, Tuning

REASON = "no horizon: the file has no times"
_STAGE = FLAT_PATH[0]
_ORDER = 1
_NO_ATTRIBUTES = {"lead.lead_id", "lead.created_at", "lead.recorded_at"}


@dataclass(frozen=True)
class _Studied:
    """The file as it is learned from: rows (n, p) of all its leads, the `sample` of those with an outcome, and what was left out and why."""

    schema: Schema
    X: Rows
    sample: Sample
    splits: Splits
    leaks: tuple[Leak, ...]
    left_out: tuple[LeftOut, ...]


@on_any_cores
def train_flat(file: FlatFile, funnel: Funnel, trained_at: int, seed: int = 0, tell: Tell = lambda _: None, tuning: Tuning = NO_TUNING) -> Trained:
    """Trains the one model of a flat file. Raises DataError where too few leads ended either way."""
    tell("finding attributes and leaks")
    file = replace(file, dataset=filled(file.dataset))
    known, studied = file.y != UNKNOWN, _study(file, funnel, seed)
    sample = studied.sample
    task = Task(_STAGE, OUTCOME, 0, REASON, studied.splits, sample, np.zeros(sample.y.size), int((~known).sum()), studied.X)
    hop, twin = train_hop(task, studied.schema, seed, tell, tuning)
    limits = list(_limits(file.columns))
    hop = replace(hop, evaluation={**hop.evaluation, "limits": limits})
    about = _about(file, studied, trained_at, seed) | {
        "trials": [hop.evaluation["trials"]],
        "limits": limits,
        "icp": _profile(file, studied, seed).document(),
        "inputs": {_STAGE: reference(studied.schema, (hop,), studied.X, file.group)},
    }
    bundle = Bundle(studied.schema, FLAT_PATH, (hop,), funnel.training_document(), about)
    report = {"transitions": {OUTCOME: dict(hop.evaluation) | {"leaks": about["leaks"]}}}
    ids = np.asarray(file.dataset.leads["lead_id"].to_pylist(), dtype=object)[known][twin.rows]
    return Trained(bundle, report, _timeless(forward_answers(ids, task, twin), file.columns))


def _study(file: FlatFile, funnel: Funnel, seed: int) -> _Studied:
    schema, left_out = discover(file.dataset, funnel)
    X = rows_of(file.dataset, schema)
    sample = _sample(X, file, seed)
    _require_evidence(sample, file.columns, ())
    splits = _splits(sample, file, seed)
    leaks = _leaks(schema, sample, splits, file, funnel, seed)
    without = {leak.column for leak in leaks if not leak.kept}
    if without:
        schema, left_out = discover(file.dataset, funnel, without)
        X = rows_of(file.dataset, schema)
        sample = replace(sample, X=X[file.y != UNKNOWN])
        _require_evidence(sample, file.columns, sorted(without))
    return _Studied(schema, X, sample, splits, leaks, tuple(c for c in left_out if c.column.startswith("lead.")))


def _timeless(forward: pa.Table, columns: FlatColumns) -> pa.Table:
    """The answers as another training on the same leads would name them: a random order is nobody else's."""
    place = forward.column_names.index("as_of")
    return forward if columns.ordered else forward.set_column(place, "as_of", pa.array(np.zeros(forward.num_rows, np.int64)))


def filled(dataset: Dataset) -> Dataset:
    """The dataset with null where a placeholder stands (`Select`), so that a column is as full as it looks."""
    leads = dataset.leads
    for place, name in enumerate(leads.column_names):
        if f"lead.{name}" not in _NO_ATTRIBUTES:
            leads = leads.set_column(place, name, without_placeholders(leads[name]))
    return replace(dataset, leads=leads)


def rows_of(dataset: Dataset, schema: Schema) -> Rows:
    """(n, p) in the order of the file. The timeline's features are the same in every row, so no model uses them."""
    cohort = cohort_of(dataset, schema)
    lead = positions(dataset.leads["lead_id"], pa.chunked_array([pa.array(cohort.lead_ids, pa.string())]))
    return compute(schema, cohort, lead, np.zeros(lead.size, np.int64))


def _sample(X: Rows, file: FlatFile, seed: int) -> Sample:
    """The rows whose outcome is known; the entity stands for the lead, whose rows are not independent. Their `as_of` is the row's number where
    that is time. Where nothing is, it is a random one: then whatever compares the earlier with the later compares two random halves, as it should."""
    known = file.y != UNKNOWN
    order = np.arange(file.y.size, dtype=np.int64)
    if not file.columns.ordered:
        order = np.random.default_rng((seed, _ORDER)).permutation(order)
    return Sample(X[known], file.y[known], file.group[known], order[known])


def _splits(sample: Sample, file: FlatFile, seed: int) -> Splits:
    found = ordered_splits(sample.as_of, sample.lead) if file.columns.ordered else dealt_splits(sample.y, sample.lead, seed)
    if not found.test.train.any():
        raise DataError(
            f"what is measured must be of other entities than what is learned from; every {file.columns.group!r} has rows in the last fifth of the "
            "file. Leave --group or --ordered out."
        )
    return found


def _require_evidence(sample: Sample, columns: FlatColumns, without: Sequence[str]) -> None:
    """Raises DataError where too few ended either way, or where no column differs between rows, with those `without` or before them."""
    if sample.enough:
        return
    of = "leads" if columns.group is None else f"entities ({columns.group!r})"
    ones, zeros = (int(np.unique(sample.lead[sample.y == outcome]).size) for outcome in (1, 0))
    if min(ones, zeros) < MIN_CONVERTED_LEADS:
        raise DataError(
            f"not enough evidence: {ones} {of} with a yes in {columns.outcome!r} and {zeros} with a no; at least {MIN_CONVERTED_LEADS} of each are "
            "needed. Export more, or wait for more."
        )
    if without:
        raise DataError(
            f"nothing is left to learn from: every column that differs between leads gives the outcome away, or may do so ({', '.join(without)}). "
            "Export columns that are filled in before it is known how a lead ends, or say with `keep` in funnel.toml which of these are."
        )
    raise DataError(
        f"there is nothing to learn from: beside {columns.outcome!r} no column differs enough between leads. Export what is known of them, too."
    )


def _leaks(schema: Schema, sample: Sample, splits: Splits, file: FlatFile, funnel: Funnel, seed: int) -> tuple[Leak, ...]:
    """What is proven to know the outcome, and what is suspected: without times a suspect can't clear itself, so both are left out unless funnel.toml
    keeps them."""
    train = splits.test.train
    trial = Trial(schema, replace(sample, as_of=np.zeros_like(sample.as_of)), train, seed)  # drift would hide what a field knows
    table = file.dataset.leads.filter(array(file.y != UNKNOWN)).filter(array(train))
    suspected = suspect_columns(table.select(_filled_columns(table)), sample.y[train], funnel)
    names = {leak.column for leak in suspected}
    proven = proven_by_removal(trial, funnel.keep, names, {a.inputs[0] for a in schema.attributes}) if trial.enough else ()
    known = {leak.column for leak in proven}
    return measured(trial, (*proven, *(leak for leak in suspected if leak.column not in known)))


def _filled_columns(table: pa.Table) -> list[str]:
    return [name for name in table.column_names if name not in RESERVED["lead"] and table[name].null_count < table.num_rows]


def _profile(file: FlatFile, studied: _Studied, seed: int) -> Profile:
    """Who ended with a yes against who did not, of the rows whose outcome is known."""
    cohort, known = cohort_of(file.dataset, studied.schema), file.y != UNKNOWN
    lead = positions(file.dataset.leads["lead_id"], pa.chunked_array([pa.array(cohort.lead_ids, pa.string())]))[known]
    told = Followed(OUTCOME, None, lead, np.zeros(lead.size, np.int64), file.y[known].astype(np.int8))
    return of_followed(file.dataset, studied.schema, cohort, told, file.group[known], studied.leaks, seed)


def _limits(columns: FlatColumns) -> Iterator[str]:
    """What a file without times can't prove, in words for people."""
    yield "The chance is that of ever ending like the leads of this file: without times nobody can say within how many days."
    yield (
        "Nothing says when a field was filled in: one that was filled in or changed after the outcome looks like any other. What is proven or "
        "suspected to be so is left out; look through the other fields, too."
    )
    if columns.ordered:
        yield "The test is the last fifth of the rows, as you say that their order is that of time; nothing in the file proves that it is."
    else:
        yield (
            "The test is a random fifth of the leads, not the later ones: what changes with time (campaigns, prices, seasons) does not count against "
            "the model here, and will. If the rows are in order of time, say so with --ordered."
        )
    yield "Whether a lead that says no had the time to say yes is not known: leads that are still open and stand as a no make the chances too low."
    if columns.group is None:
        yield "If several rows are of one company or person, name that column with --group: else the same one is learned from and measured on."


def _about(file: FlatFile, studied: _Studied, trained_at: int, seed: int) -> dict[str, Any]:
    return {
        "trained_at": format_instant(trained_at),
        "data_end": None,
        "data_digest": file.dataset.digest,
        "seed": seed,
        "leads": file.dataset.leads.num_rows,
        "events": 0,
        "first_created": None,
        "flat": file.columns.document(),
        "left_out": [{"column": c.column, "why": c.why} for c in studied.left_out],
        "leaks": [leak.document() for leak in studied.leaks],
    }
