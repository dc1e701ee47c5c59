"""`GET /v1/queue`: whom to call first."""

import asyncio
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from hashlib import blake2b
from math import isfinite
from typing import Any

import orjson
from fastapi import Request
from fastapi.responses import Response

from data.contract import format_instant
from data.queue_pages import ACTIONS, GRADES, OPEN_STAGES, Page, Place, SnapshotGone, Sort, Wanted, page
from features.schema import Schema
from serving.answers_queue import QueueAnswer
from serving.contract import MAX_NAME
from serving.errors import CursorExpired, MalformedBody
from serving.openapi import KEYED, LANGUAGE, called
from serving.retelling import schema_of, stored, words_of
from serving.routes import Route, Service, answered
from serving.words import Words

LIMIT, MOST = 50, 500
MOST_CAPACITY = 1_000_000
TOP_REASONS = 3
_SORTS: tuple[Sort, ...] = ("likelihood", "expected_value")
_LARGEST = 2**63 - 1
_LONGEST = 16 * MAX_NAME
_START_AGAIN = "Leave the cursor out to start again."


def _bad_cursor() -> MalformedBody:
    return MalformedBody(f"the parameter cursor must be the next_cursor of a page before. {_START_AGAIN}")


@dataclass(frozen=True, slots=True)
class _Cursor:
    """Where a walk stands: its snapshot, its last row, which walk it is, and how many leads it has given."""

    snapshot: int
    key: float
    lead_id: str
    walk: str
    given: int

    def text(self) -> str:
        return urlsafe_b64encode(orjson.dumps(astuple(self))).decode().rstrip("=")

    @classmethod
    def of(cls, text: str, walk: str) -> "_Cursor":
        """Raises MalformedBody for anything that `text` did not make, or made for other parameters."""
        if len(text) > _LONGEST or not re.fullmatch(r"[A-Za-z0-9_-]+", text):
            raise _bad_cursor()
        try:
            parts = orjson.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        except ValueError:
            raise _bad_cursor() from None
        if not isinstance(parts, list) or [type(part) for part in parts] != [int, float, str, str, int]:
            raise _bad_cursor()
        cursor = cls(*parts)
        if not (0 <= cursor.snapshot <= _LARGEST and isfinite(cursor.key) and "\0" not in cursor.lead_id and 0 < cursor.given <= _LARGEST):
            raise _bad_cursor()
        if cursor.walk != walk:
            raise MalformedBody(f"the parameter cursor belongs to another sort, filter or capacity: send those of the first page. {_START_AGAIN}")
        return cursor


@dataclass(frozen=True, slots=True)
class Asked:
    """One page of the queue as it was asked for; `capacity`: leads over all pages at most."""

    wanted: Wanted
    limit: int
    capacity: int | None
    walk: str
    cursor: _Cursor | None

    @property
    def given(self) -> int:
        """Leads on the pages before."""
        return self.cursor.given if self.cursor else 0

    @property
    def size(self) -> int:
        """Leads of this page at most."""
        return self.limit if self.capacity is None else max(0, min(self.limit, self.capacity - self.given))

    def next_cursor(self, found: Page) -> str | None:
        """What asks for the page behind the one found; None where it is the last."""
        given = self.given + len(found.rows)
        ends = not found.more or given == self.capacity or not found.rows
        return None if ends else _Cursor(found.snapshot, *found.end[self.wanted.sort], self.walk, given).text()


async def _queue(request: Request, service: Service) -> Response:
    asked = asked_of(_parameters(request), service)
    return answered(_document(asked, await asyncio.to_thread(walked, service, asked), schema_of(service.champion), words_of(request)))


def walked(service: Service, asked: Asked) -> Page:
    """The leads that were asked for; blocking. Raises CursorExpired."""
    after, snapshot = (Place(asked.cursor.key, asked.cursor.lead_id), asked.cursor.snapshot) if asked.cursor else (None, None)
    try:
        return page(service.store, asked.wanted, asked.size, service.now(), after, snapshot)
    except SnapshotGone:
        raise CursorExpired(f"the queue as it was at this cursor's first page is no longer kept: an hour is. {_START_AGAIN}") from None


def _parameters(request: Request) -> dict[str, str]:
    given = request.query_params.multi_items()
    names = [name for name, _ in given]
    unknown = sorted(set(names) - {parameter["name"] for parameter in PARAMETERS})
    if unknown:
        raise MalformedBody(f"this call has no such parameter; it has {', '.join(parameter['name'] for parameter in PARAMETERS)}.")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise MalformedBody(f"the parameter {twice} must be given once.")
    return dict(given)


def asked_of(given: Mapping[str, str], service: Service) -> Asked:
    """The parameters of `GET /v1/queue`, checked. Raises MalformedBody, and NoChampion or NotReady where `capacity=day` needs a policy."""
    wanted = Wanted(
        sort=_one_of(given, "sort", _SORTS) or "likelihood",  # type: ignore[arg-type]
        stage=_one_of(given, "stage", OPEN_STAGES),
        owner=_text(given, "owner"),
        grade=_one_of(given, "grade", GRADES),
        action=_one_of(given, "action", ACTIONS),
        min_probability=_share(given, "min_probability"),
    )
    walk = blake2b(orjson.dumps([*astuple(wanted), given.get("capacity")]), digest_size=8).hexdigest()
    cursor = _Cursor.of(given["cursor"], walk) if "cursor" in given else None
    return Asked(wanted, _whole(given, "limit", MOST) or LIMIT, _capacity(given, service), walk, cursor)


def _one_of(given: Mapping[str, str], name: str, options: tuple[str, ...]) -> str | None:
    if name in given and given[name] not in options:
        raise MalformedBody(f"the parameter {name} must be one of {', '.join(options)}.")
    return given.get(name)


def _text(given: Mapping[str, str], name: str) -> str | None:
    text = given.get(name)
    if text is not None and (not 0 < len(text) <= MAX_NAME or "\0" in text):
        raise MalformedBody(f"the parameter {name} must have 1 to {MAX_NAME:,} characters, none of them NUL.")
    return text


def _whole(given: Mapping[str, str], name: str, most: int, more: str = "") -> int | None:
    text = given.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) or not 1 <= int(text) <= most:
        raise MalformedBody(f"the parameter {name} must be a whole number from 1 to {most:,}{more}.")
    return int(text)


def _share(given: Mapping[str, str], name: str) -> float | None:
    text = given.get(name)
    try:
        share = None if text is None else float(text)
    except ValueError:
        share = -1.0
    if share is not None and not 0 <= share <= 1:
        raise MalformedBody(f"the parameter {name} must be a number from 0 to 1.")
    return share


def _capacity(given: Mapping[str, str], service: Service) -> int | None:
    if given.get("capacity") == "day":
        return service.champion.take().scorer.policy.capacity_per_day
    return _whole(given, "capacity", MOST_CAPACITY, ", or day")


def _document(asked: Asked, found: Page, schema: Schema | None, words: Words) -> dict[str, Any]:
    return {
        "items": [_item(row, stored(row["answer"], schema, words), words) for row in found.rows],
        "next_cursor": asked.next_cursor(found),
        "snapshot": found.snapshot,
        "freshness": {"oldest_scored_at": _time(found.oldest), "newest_scored_at": _time(found.newest), "pending": found.pending},
    }


_AS_THEY_ARE = (
    "lead_id", "stage", "transition", "probability", "low", "high", "horizon_days", "grade", "action", "recommended_stage",
    "owner", "value", "expected_value", "version", "override", "handled", "stale",
)  # fmt: skip


def _item(row: Mapping[str, Any], answer: Mapping[str, Any], words: Words) -> dict[str, Any]:
    before = row["previous_score"]
    return {name: row[name] for name in _AS_THEY_ARE} | {
        "score": round(row["score"]),
        "trend": None if before is None else round(row["score"] - before),
        "as_of": _time(row["as_of"]),
        "scored_at": _time(row["scored_at"]),
        "next_step": words.text(row["next_step"]) if row["next_step"] else None,
        "reasons": [reason["text"] for reason in answer["reasons"][:TOP_REASONS]],
    }


def _time(micros: int | None) -> str | None:
    return None if micros is None else format_instant(micros)


def _parameter(name: str, description: str, schema: Mapping[str, Any], example: Any = None) -> dict[str, Any]:
    told = {"name": name, "in": "query", "required": False, "description": description, "schema": dict(schema)}
    return told if example is None else told | {"example": example}


def _enum(options: tuple[str, ...]) -> dict[str, Any]:
    return {"type": "string", "enum": list(options)}


PARAMETERS = (
    _parameter("sort", "Most likely first, or highest expected value first; leads without a value last.", _enum(_SORTS) | {"default": "likelihood"}),
    _parameter("stage", "Leads that stand in this stage.", _enum(OPEN_STAGES)),
    _parameter("owner", "Leads of this owner.", {"type": "string", "minLength": 1, "maxLength": MAX_NAME}, "rep-7"),
    _parameter("grade", "Leads of this grade.", _enum(GRADES)),
    _parameter("action", "Leads for which this is recommended.", _enum(ACTIONS)),
    _parameter("min_probability", "Leads at least as likely.", {"type": "number", "minimum": 0, "maximum": 1}),
    _parameter("limit", "Leads on a page.", {"type": "integer", "minimum": 1, "maximum": MOST, "default": LIMIT}),
    _parameter("cursor", "The `next_cursor` of the page before, for the next one. Sort, filters and capacity stay the same.", {"type": "string"}),
    _parameter(
        "capacity",
        "At most so many leads over all pages; `day`: `policy.capacity_per_day` of funnel.toml. Leads that got feedback today keep their place.",
        {"anyOf": [{"type": "integer", "minimum": 1, "maximum": MOST_CAPACITY}, {"type": "string", "enum": ["day"]}]},
    ),
)  # fmt: skip
_REFUSALS = KEYED | {410: "The cursor is too old", 422: "A parameter is malformed"}

ROUTES = (
    Route("/v1/queue", "GET", "read", _queue,
          called("queue", "Open leads, the best first", QueueAnswer, _REFUSALS, tag="queue", parameters=[*PARAMETERS, LANGUAGE])),
)  # fmt: skip
