"""One lead: what is known of it, its score over time and why it changed, what to do next, and what would be if."""

import asyncio
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi.responses import Response

from data.contract import format_instant, parse_instant
from data.facts import Facts, facts_of
from data.people import Person, person_of
from data.queue_pages import row_of
from serving import terms
from serving.calls.leads import held_on
from serving.calls.ledger import explained_history, lead_id_of
from serving.colleagues import Around, around, request_of
from serving.errors import ServiceError
from serving.pages import what_if
from serving.pages.frame import Page, Visit
from serving.pages.overriding import SAYINGS, SCOPE, reason_told, say
from serving.pages.queue import address_of, back_of, lead_after
from serving.pages.resemblance import resemblance
from serving.pages.timeline import Timeline
from serving.retelling import answer_in, schema_of, stored
from serving.retrospect import Moment, along
from serving.routes import Service
from serving.scorer import Scorer
from serving.words import Words

HISTORY_SHOWN = 8
ENTRIES_SHOWN, MOST_ENTRIES = 30, 1_000
PATH = "/leads/{lead_id}"
_NOT_FACTS = frozenset({"lead_id", "created_at", "recorded_at", "ingested_at", "changed_at", "account_id"})
_WEEK = 7 * 86_400_000_000


@dataclass(frozen=True, slots=True)
class Known:
    """A lead and all that is said of it. `row` is that of the queue, None for a lead that is not in it; `answer` what `POST /v1/score` says of it,
    stored or (`fresh`) given now; `moments` its score along its time; `following` the lead behind it in the queue of `back`."""

    lead_id: str
    held: Mapping[str, Any]
    person: Person
    row: Mapping[str, Any] | None
    answer: Mapping[str, Any] | None
    fresh: bool
    moments: Sequence[Moment]
    history: Sequence[Mapping[str, Any]]
    facts: Facts | None
    scorer: Scorer | None
    back: str
    following: str | None


def _read(service: Service, id: str, words: Words, back: str) -> Known:
    """Blocking. `back`: the page of the queue that one comes from. Raises UnknownLead, Erased."""
    held, now = held_on(service, id), service.now()
    lead_id = held["lead"].get("lead_id", id)
    row = row_of(service.store, lead_id, now)
    facts = facts_of(service.store, [lead_id]).get(lead_id)
    scorer, schema = service.champion.take().scorer if service.champion.ready else None, schema_of(service.champion)
    others = None if scorer is None else around(service.store, [lead_id], scorer.bundle.schema)
    answer = _fresh(scorer, facts, others, now, words) if row is None else stored(row["answer"], schema, words)
    return Known(
        lead_id,
        held,
        person_of(held["lead"], held["account"]),
        row,
        _whole(answer),
        row is None and answer is not None,
        [] if facts is None or scorer is None else along(scorer, facts, others, held["changes"], now),
        explained_history(service, lead_id, HISTORY_SHOWN, words)["items"],
        facts,
        scorer,
        back,
        None if row is None else lead_after(service, back, row),
    )


def _fresh(scorer: Scorer | None, facts: Facts | None, others: Around | None, now: int, words: Words) -> Mapping[str, Any] | None:
    """What would be answered now, told to nobody else; None where the lead can't be scored."""
    if scorer is None or facts is None:
        return None
    try:
        return answer_in(scorer.answer(request_of(facts, others), now), scorer.bundle.schema, words)
    except ServiceError:
        return None


def _whole(answer: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The answer with what one that was stored by an earlier version lacks."""
    return answer and {**answer, "recommendation": {"gate": None, "known": {}, **answer["recommendation"]}}


def _back(given: Mapping[str, str]) -> str:
    return back_of(given.get("back", ""))


async def _lead(visit: Visit) -> Response:
    known = await asyncio.to_thread(_read, visit.service, visit.parameters["lead_id"], visit.words, _back(visit.query))
    return visit.page("lead.html", **_context(visit, known))


def _context(visit: Visit, known: Known) -> dict[str, Any]:
    words, now = visit.words, visit.service.now()
    timeline = Timeline(words, visit.service.champion.funnel)
    entries = timeline.entries(known.held, now)
    shown = MOST_ENTRIES if visit.query.get("timeline") == "all" else ENTRIES_SHOWN
    return _shared(visit) | {
        "known": known,
        "contact": {name: known.held["lead"].get(name) for name in ("email", "phone", "owner", "created_at")},
        "address": address_of(known.lead_id),
        "following": None if known.following is None else address_of(known.following, known.back),
        "chances": _chances(visit, known),
        "entries": entries[:shown],
        "entries_left": max(0, len(entries) - shown),
        "curve": _curve(timeline, known),
        "attributes": [
            *_attributes(words, known.held["lead"]),
            *((words.text("Account: {field}", field=label), value) for label, value in _attributes(words, known.held["account"])),
        ],
        "fields": what_if.fields(known.scorer.bundle, known.facts, words) if known.scorer and known.facts else [],
        "events": [(kind.name, timeline.event(kind.name)[1]) for kind in known.scorer.bundle.schema.types] if known.scorer else [],
        "resemblance": resemblance(known.scorer.adviser.firms.profile, known.held, words) if known.scorer else None,
        "compared": None,
    }


def _shared(visit: Visit) -> dict[str, Any]:
    words = visit.words
    return {
        "stage_told": lambda name: terms.stage(words, name),
        "action_told": lambda name: terms.action(words, name),
        "reason_told": lambda text: reason_told(words, text),
        "signed": lambda number: f"{'+' if number > 0 else '−'}{words.number(abs(number))}",
        "instant": parse_instant,
        "iso": format_instant,
        "sayings": tuple(SAYINGS.values()),
        "may_say": visit.may(SCOPE),
    }


def _chances(visit: Visit, known: Known) -> list[dict[str, Any]]:
    """Each transition ahead in words, with its interval."""
    answer = known.answer or {"transitions": {}}
    return [
        {**told, "transition": name, "text": terms.chance(visit.words, name, told["probability"], told["horizon_days"])}
        for name, told in answer["transitions"].items()
    ]


def _curve(timeline: Timeline, known: Known) -> dict[str, Any] | None:
    """The score at each moment, a line for each stage, and what the lead did in the week before; None where there is nothing to draw."""
    told = [moment for moment in known.moments if moment.score is not None]
    if len(told) < 2:
        return None
    words = timeline.words
    signs = sorted(row["occurred_at"] for row in known.held["events"] if timeline.event(row["type"])[0] == "inbound")
    series: list[dict[str, Any]] = [
        {
            "name": words.text("Score as {stage}", stage=terms.stage(words, stage)),
            "values": [one.score if one.stage == stage else None for one in told],
        }
        for stage in dict.fromkeys(one.stage for one in told)
    ]
    active = [bisect_right(signs, one.as_of) - bisect_right(signs, one.as_of - _WEEK) for one in told]
    series.append({"name": words.text("Signs of interest in the 7 days before"), "values": active, "right": True})
    return {"x": [one.as_of // 1_000_000 for one in told], "series": series}


def _attributes(words: Words, values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(terms.field(words, name), value) for name, value in sorted(values.items()) if name not in _NOT_FACTS and value is not None]


async def _say(visit: Visit) -> Response:
    """Store what was said, and show the lead as it is then."""
    lead_id = visit.parameters["lead_id"]
    await say(visit, lead_id)
    return visit.redirect(address_of(lead_id, _back(visit.form)))


async def _what_if(visit: Visit) -> Response:
    read = await asyncio.to_thread(_read_facts, visit.service, visit.parameters["lead_id"])
    compared = await asyncio.to_thread(what_if.compared, *read, visit.form, visit.service.now(), visit.words)
    context = _shared(visit) | {"compared": compared, "address": address_of(visit.parameters["lead_id"])}
    return visit.fragment("_what_if.html", **context) if visit.by_htmx else visit.page("what_if.html", **context)


def _read_facts(service: Service, id: str) -> tuple[Scorer, Facts, Around | None]:
    """Blocking. Raises UnknownLead, Erased, NoChampion, NotReady."""
    lead_id, scorer = lead_id_of(service.store, id), service.champion.take().scorer
    return scorer, facts_of(service.store, [lead_id])[lead_id], around(service.store, [lead_id], scorer.bundle.schema)


PAGES = (
    Page(PATH, ("GET",), "read", _lead),
    Page(f"{PATH}/feedback", ("POST",), SCOPE, _say),
    Page(f"{PATH}/what-if", ("POST",), "read", _what_if),
)
