"""The queue: whom to call first, why, and what to do; one click says that it should be otherwise."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from fastapi.responses import Response

from data.people import NOBODY, Person, people
from data.queue_pages import ACTIONS, GRADES, MOST_PENDING, OPEN_STAGES, Place, owners, page, row_of
from data.queue_pages import Page as Found
from serving import terms
from serving.calls.queue import Asked, asked_of, walked
from serving.errors import CursorExpired, MalformedBody, ServiceError
from serving.pages.frame import Page, Visit, local
from serving.pages.overriding import SAYINGS, SCOPE, reason_told, say
from serving.retelling import schema_of, stored
from serving.routes import Service

PATH = "/queue"
LIMIT, MOST_OF_A_DAY = 25, 100
TOP_REASONS = 3
_FILTERS = ("sort", "stage", "owner", "grade", "action")
_CHOSEN = (*_FILTERS, "min_percent", "capacity")


@dataclass(frozen=True, slots=True)
class Reason:
    """One bar: `effect` in log-odds."""

    text: str
    effect: float


@dataclass(frozen=True, slots=True)
class Line:
    """One lead as the queue shows it. `row` holds the columns of `data.queue_pages.page`; `chance` is its probability in words."""

    rank: int
    row: Mapping[str, Any]
    person: Person
    chance: str
    next_step: str | None
    reasons: tuple[Reason, ...]

    @property
    def saying_address(self) -> str:
        """Where what is said of it goes."""
        return f"{PATH}/{quote(self.row['lead_id'], safe='')}"

    @property
    def trend(self) -> int | None:
        """The score less the last one that was different; None for the first."""
        before = self.row["previous_score"]
        return None if before is None else round(self.row["score"] - before)


def address_of(lead_id: str, back: str = PATH) -> str:
    """The page of a lead; its id may hold any character. `back`: the page of the queue that one comes from."""
    return f"/leads/{quote(lead_id, safe='')}" + (f"?{urlencode({'back': back})}" if back != PATH else "")


def back_of(text: str) -> str:
    """An address of this page, to go back to; the first page, where the text is none."""
    return text if local(text) == text and (text == PATH or text.startswith(f"{PATH}?")) else PATH


def lead_after(service: Service, back: str, row: Mapping[str, Any]) -> str | None:
    """The lead behind that of `row`, as the filters and the order of `back` have it now; blocking. None where it is the last."""
    query = {name: text for name, text in parse_qsl(urlsplit(back).query) if name != "cursor"}
    try:
        wanted = asked_of(_wanted(query, service), service).wanted
    except ServiceError:
        return None
    place = Place(row["by_likelihood" if wanted.sort == "likelihood" else "by_value"], row["lead_id"])
    return next((str(found["lead_id"]) for found in page(service.store, wanted, 1, service.now(), place).rows), None)


async def _queue(visit: Visit) -> Response:
    try:
        asked = asked_of(_wanted(visit.query, visit.service), visit.service)
        found, known, everyone = await asyncio.to_thread(_read, visit.service, asked)
    except CursorExpired:
        return visit.redirect(_address(_chosen(visit.query)))
    lines = [_line(visit, asked.given + place, row, known) for place, row in enumerate(found.rows, 1)]
    return visit.page("queue.html", **_context(visit, asked, found, everyone), lines=lines)


def _read(service: Service, asked: Asked) -> tuple[Found, dict[str, Person], list[str]]:
    """The page of the queue, who its leads are, and who owns any; blocking."""
    found = walked(service, asked)
    return found, people(service.store, [row["lead_id"] for row in found.rows]), owners(service.store)


def _chosen(query: Mapping[str, str]) -> dict[str, str]:
    """What the form of the filters holds: an empty field asks for nothing."""
    return {name: text for name in _CHOSEN if (text := query.get(name, "").strip())}


def _wanted(query: Mapping[str, str], service: Service) -> dict[str, str]:
    """The same as the parameters of `GET /v1/queue`."""
    chosen = _chosen(query)
    given = {name: chosen[name] for name in _FILTERS if name in chosen}
    if "min_percent" in chosen:
        given["min_probability"] = _share(chosen["min_percent"])
    if chosen.get("capacity") == "day":
        day = _capacity(service)
        given |= {"capacity": str(day), "limit": str(min(day, MOST_OF_A_DAY))}
    else:
        given["limit"] = str(LIMIT)
    if query.get("cursor"):
        given["cursor"] = query["cursor"]
    return given


def _share(percent: str) -> str:
    try:
        return repr(float(percent.replace(",", ".")) / 100)
    except ValueError:
        raise MalformedBody("the least chance must be a number from 0 to 100, in percent.") from None


def _capacity(service: Service) -> int:
    """Contacts that the team makes a day, from funnel.toml."""
    return service.champion.funnel.policy.capacity_per_day


def _line(visit: Visit, rank: int, row: Mapping[str, Any], known: Mapping[str, Person]) -> Line:
    answer = stored(row["answer"], schema_of(visit.service.champion), visit.words)
    reasons = tuple(Reason(reason["text"], reason.get("effect", 0.0)) for reason in answer["reasons"][:TOP_REASONS])
    chance = terms.chance(visit.words, row["transition"], row["probability"], row["horizon_days"])
    next_step = visit.words.text(row["next_step"]) if row["next_step"] else None
    return Line(rank, row, known.get(row["lead_id"], NOBODY), chance, next_step, reasons)


def _context(visit: Visit, asked: Asked, found: Found, everyone: list[str]) -> dict[str, Any]:
    chosen, cursor = _chosen(visit.query), asked.next_cursor(found)
    mine = visit.caller.owner if visit.caller is not None else None
    return _shared(visit) | {
        "chosen": chosen,
        "found": found,
        "first": asked.given == 0,
        "following": None if cursor is None else _address(chosen | {"cursor": cursor}),
        "beginning": _address(chosen),
        "handled": sum(row["handled"] for row in found.rows),
        "owners": sorted({*everyone, *filter(None, (mine, chosen.get("owner")))}),
        "mine": mine,
        "day": _capacity(visit.service),
        "today": _address(({"owner": mine} if mine else {}) | {"capacity": "day"}),
        "most_pending": MOST_PENDING,
        "stages": OPEN_STAGES,
        "grades": GRADES,
        "actions": ACTIONS,
        "ready": visit.service.champion.ready,
        "address_of": address_of,
        "back": _address(chosen | ({"cursor": visit.query["cursor"]} if visit.query.get("cursor") else {})),
        "fresh": False,
    }


def _shared(visit: Visit) -> dict[str, Any]:
    """What a line of the queue is drawn with."""
    words = visit.words
    return {
        "now": visit.service.now(),
        "stage_told": lambda name: terms.stage(words, name),
        "action_told": lambda name: terms.action(words, name),
        "reason_told": lambda text: reason_told(words, text),
        "sayings": tuple(SAYINGS.values()),
        "may_say": visit.may(SCOPE),
    }


def _address(chosen: Mapping[str, str]) -> str:
    return f"{PATH}?{urlencode(chosen)}" if chosen else PATH


async def _say(visit: Visit) -> Response:
    """Store the override, and answer with the lead's new line."""
    lead_id, back = visit.parameters["lead_id"], back_of(visit.form.get("back", PATH))
    await say(visit, lead_id)
    if not visit.by_htmx or not visit.may("read"):
        return visit.redirect(back)
    service, rank = visit.service, visit.form.get("rank", "")
    row, known = await asyncio.to_thread(lambda: (row_of(service.store, lead_id, service.now()), people(service.store, [lead_id])))
    line = None if row is None else _line(visit, int(rank) if rank.isdecimal() and len(rank) < 9 else 0, row, known)
    return visit.fragment("_queue_line.html", **_shared(visit), address_of=address_of, line=line, back=back, fresh=True)


PAGES = (
    Page(PATH, ("GET",), "read", _queue),
    Page(f"{PATH}/{{lead_id}}", ("POST",), SCOPE, _say),
)
