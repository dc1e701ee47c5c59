"""A lead's score along its time: what one model says of every moment, from what was known at it. The ledger holds what was said then; this is told
by one and the same model, so that a move is the lead's own."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data.facts import Facts
from serving.colleagues import Around, request_of
from serving.errors import ServiceError
from serving.scorer import Scorer

MOST_MOMENTS = 120
MOST_ROWS = 200_000
"""Events read at most, over all moments: a lead with very many is asked at fewer."""
_STEPS = 40
"""Moments between those at which something happened: time itself moves a score."""


@dataclass(frozen=True, slots=True)
class Moment:
    """`as_of` in micros UTC; the stage in which the lead stood; None where nothing could be told of it."""

    as_of: int
    stage: str
    probability: float | None
    score: int | None


def along(scorer: Scorer, facts: Facts, others: Around | None, changes: Sequence[Mapping[str, Any]], now: int) -> list[Moment]:
    """The lead from its creation to `now` (micros UTC), in order of time. `changes` is the history of its values and of its account's, as
    `data.leads.held_on` gives it; `others` is what happened at its account (`around`)."""
    asked = request_of(facts, others)
    began = asked.created_at
    if began is None or began > now:
        return []
    histories = _histories(changes)
    requests = [asked.model_copy(update={"as_of": at, **_known(facts, histories, at)}) for at in moments(facts, began, now)]
    scored = scorer.score_many(requests, now, with_reasons=False)
    records = [one[1] for one in scored if not isinstance(one, ServiceError)]
    return [Moment(one.as_of, one.stage, one.probability, None if one.score is None else round(one.score)) for one in records]


def moments(facts: Facts, began: int, now: int) -> list[int]:
    """Instants in [began, now], each once, in order: both ends, and, as there is room, entries of a stage (half of it at most), instants at which
    something happened, and steps of equal length."""
    rows = max(1, len(facts.events) + len(facts.stages))
    most = max(_STEPS // 2, min(MOST_MOMENTS, MOST_ROWS // rows))
    entered = sorted({row["entered_at"] for row in facts.stages if began <= row["entered_at"] <= now})
    fixed = {began, now, *_thinned(entered, most // 2)}
    happened = {max(row["occurred_at"], row.get("recorded_at") or 0) for row in facts.events}
    steps = {began + (now - began) * n // _STEPS for n in range(_STEPS)}
    other = sorted(at for at in happened | steps if began <= at <= now and at not in fixed)
    return sorted(fixed | set(_thinned(other, most - len(fixed))))


def _thinned(instants: Sequence[int], most: int) -> list[int]:
    """At most that many, evenly chosen by their place."""
    if most <= 0:
        return []
    return list(instants) if len(instants) <= most else [instants[n * len(instants) // most] for n in range(most)]


Histories = dict[tuple[str, str], list[tuple[int, str | None]]]


def _histories(changes: Iterable[Mapping[str, Any]]) -> Histories:
    """{(object, field): (instant, value from then on) in order of time}."""
    found: Histories = {}
    for row in changes:
        found.setdefault((row["object"], row["field"]), []).append((row["changed_at"], row["value"]))
    return {key: sorted(entries, key=lambda entry: entry[0]) for key, entries in found.items()}


def _known(facts: Facts, histories: Histories, at: int) -> dict[str, dict[str, Any]]:
    """What was known of the lead and of its account at that instant; nothing of the account before the lead belonged to it."""
    lead, account = _then(facts.lead, histories, "lead", at), _then(facts.account, histories, "account", at)
    return {"lead": lead, "account": account if lead.get("account_id") == facts.lead.get("account_id") else {}}


def _then(values: Mapping[str, Any], histories: Histories, object: str, at: int) -> dict[str, Any]:
    """The values at that instant: one with a history is nothing before its first entry, one without was always so."""
    then = dict(values)
    for (of, field), entries in histories.items():
        if of == object:
            then[field] = next((value for since, value in reversed(entries) if since <= at), None)
    return {name: value for name, value in then.items() if value is not None}
