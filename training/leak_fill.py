"""Fields without a history that are filled for those who converted (or were lost) and for hardly anybody else of the same age."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from data.arrow import Mask, array, as_mask, pc
from data.contract import RESERVED
from data.dataset import Dataset
from data.funnel import Funnel
from features.tables import positions
from features.timeline import Ints, Timeline
from training.labels import NEVER, first_entry
from training.leak_removal import Leak, is_kept

MIN_LEADS = 30
MIN_FILLED = 0.25
TIMES_FILLED = 5.0
"""A field is proven to leak if those who got there have it at least this many times as often as others of their age."""
SUSPICIOUS = 1.5
NOISE = 4.0
LEADS_PER_AGE, MOST_AGES = 100, 10
"""Leads are compared within tenths by creation, of at least a hundred leads each."""


@dataclass(frozen=True)
class Field:
    """One field of leads or of their accounts: for which leads (n,) it is filled, and for which no history says since when."""

    column: str
    filled: Mask
    undated: Mask


@dataclass(frozen=True)
class Group:
    """The leads (n,) that ever got somewhere, and the words for it: "reached prospect", "were lost"."""

    said: str
    members: Mask


def fields_of_leads(dataset: Dataset, lead_ids: Sequence[str]) -> Iterator[Field]:
    """All fields that may become features, and the account itself, from which follows what colleagues did. What is known of an account counts as
    undated: many CRMs make one as they convert the lead."""
    lead = positions(pa.chunked_array([pa.array(lead_ids, pa.string())]), dataset.leads["lead_id"])
    account = positions(dataset.leads["account_id"].take(array(lead)), dataset.accounts["account_id"])
    for table, rows, row in (("lead", dataset.leads, lead), ("account", dataset.accounts, account)):
        for name in sorted(set(rows.column_names) - RESERVED[table] | ({"account_id"} if table == "lead" else set())):
            filled = np.append(as_mask(rows[name].is_valid()), False)
            yield Field(f"{table}.{name}", filled[row], _undated(dataset, name)[row] if table == "lead" else np.ones(len(row), bool))


def _undated(dataset: Dataset, name: str) -> Mask:
    """Which rows of leads have no history of the field: the value counts from the lead's creation on, whenever it was filled in."""
    changes = dataset.changes
    changed = changes["id"].filter(pc.and_(pc.equal(changes["object"], "lead"), pc.equal(changes["field"], name)))
    row = positions(changed, dataset.leads["lead_id"])
    undated = np.ones(dataset.leads.num_rows, bool)
    undated[row[row >= 0]] = False
    return undated


def groups_of(timeline: Timeline, path: Sequence[int], funnel: Funnel) -> tuple[Group, ...]:
    """Who ever reached each stage after the first, and who ever left by each exit."""
    every = np.arange(timeline.leads, dtype=np.int64)
    before = np.full(timeline.leads, np.iinfo(np.int64).min)
    reached = [Group(f"reached {funnel.stages[code]}", first_entry(timeline, code, every, before) != NEVER) for code in path[1:]]
    owner = np.repeat(every, np.diff(timeline.stage_start))
    for number, name in enumerate(funnel.exits):
        members = np.zeros(timeline.leads, bool)
        members[owner[timeline.stage_code == timeline.stages + number]] = True
        reached.append(Group(f"were {name}", members))
    return tuple(reached)


def fill_leaks(fields: Sequence[Field], groups: Sequence[Group], created: Ints, funnel: Funnel) -> tuple[Leak, ...]:
    """Compares, group by group and age by age, how often each field is filled among the members and among all others, of the leads that have no
    history of it (in a store that was filled from an export most have none, however many changed since). Far more often proves a leak; clearly
    more often makes a suspect, which is kept."""
    found = []
    for field in fields:
        told = [t for group in groups for t in _compared(field, group, created)]
        proven = next((why for proof, why in told if proof), None)
        if proven is not None:
            found.append(Leak(field.column, proven, is_kept(field.column, funnel.keep)))
        elif told:
            found.append(Leak(field.column, told[0][1], True, "suspected"))
    return tuple(found)


def _compared(field: Field, group: Group, created: Ints) -> Iterator[tuple[bool, str]]:
    """(whether it is a proof, why), or nothing."""
    members, filled = group.members[field.undated], field.filled[field.undated]
    if min(int(members.sum()), int((~members).sum())) < MIN_LEADS:
        return
    with_it, without, error = _rates(filled, members, _age(created[field.undated]))
    said = f"filled for {with_it:.0%} of the leads that {group.said} and {without:.0%} of the others of their age"
    if with_it >= MIN_FILLED and with_it >= TIMES_FILLED * without:
        yield True, f"{said}: people fill it in afterwards"
    elif with_it >= MIN_FILLED and with_it >= SUSPICIOUS * without and with_it - without > NOISE * error:
        yield False, f"{said}, and no history says when"


def _age(created: Ints) -> Ints:
    ages = int(np.clip(created.size // LEADS_PER_AGE, 1, MOST_AGES))
    edges = np.quantile(created, np.arange(1, ages) / ages)
    return np.asarray(np.searchsorted(edges, created, side="right"), np.int64)


def _rates(filled: Mask, members: Mask, age: Ints) -> tuple[float, float, float]:
    """(share of members that have it, share of the others as if they were as old as the members, standard error of the difference). Ages at which
    there is nobody to compare with don't count."""
    size = int(age.max()) + 1
    ours, theirs = (np.bincount(age[who], minlength=size).astype(np.float64) for who in (members, ~members))
    have, theirs_have = (np.bincount(age[who & filled], minlength=size).astype(np.float64) for who in (members, ~members))
    both = (ours > 0) & (theirs > 0)
    weight = ours[both] / max(ours[both].sum(), 1.0)
    with_it = float(have[both].sum() / max(ours[both].sum(), 1.0))
    without = float(weight @ (theirs_have[both] / theirs[both]))
    variance = with_it * (1 - with_it) / max(ours[both].sum(), 1.0) + without * (1 - without) * float((weight**2 / theirs[both]).sum())
    return with_it, without, max(variance, 0.0) ** 0.5
