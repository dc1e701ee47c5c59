"""One lead as a whole: what people say of it, two that become one, all that is held on it, and its erasure."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import Response
from pydantic import ValidationError

from data import leads
from data.contract import DataError, canonical, format_instant
from data.funnel import Funnel
from data.store import ApiKey
from serving import rows
from serving.answers_leads import ErasureAnswer, HeldAnswer, IngestAnswer, MergeAnswer
from serving.drainer import purge
from serving.errors import Conflict, Erased, MalformedBody, ServiceError, UnknownLead, UnknownStage, malformed
from serving.openapi import KEYED, called, posted
from serving.routes import Route, Service, answered, body_of
from serving.rows import MAX_FEEDBACK, MergeRequest, Row
from serving.spreadsheet import zip_of

PURGE_SECONDS = 10.0
"""How long an erasure waits for the files of scores that are on their way into the ledger."""

_TIMES = frozenset({"created_at", "recorded_at", "changed_at", "ingested_at", "occurred_at", "entered_at", "opened_at", "closed_at", "at", "as_of"})

T = TypeVar("T")


async def _held(request: Request, service: Service) -> Response:
    form = request.query_params.get("format", "json")
    if form not in ("json", "csv"):
        raise MalformedBody("the parameter format must be json or csv.")
    return await asyncio.to_thread(_export, service, _path_id(request), form)


def _export(service: Service, id: str, form: str) -> Response:
    held = _told(held_on(service, id))
    if form == "json":
        return answered(held)
    tables = {name: [found] if isinstance(found, dict) else found for name, found in held.items()}
    return Response(zip_of(tables), media_type="application/zip", headers={"Content-Disposition": 'attachment; filename="lead.zip"'})


def held_on(service: Service, id: str) -> dict[str, Any]:
    """All that is held on the lead of this id or alias, times in micros; blocking. Raises UnknownLead, Erased."""
    return _settled(lambda: leads.held_on(service.store, id))


def _told(held: Any) -> Any:
    """The same with times in ISO-8601. Attributes are text; a number under a time's name is the store's own."""
    if isinstance(held, list):
        return [_told(row) for row in held]
    if isinstance(held, dict):
        return {str(name): format_instant(value) if name in _TIMES and type(value) is int else _told(value) for name, value in held.items()}
    return held


async def _merge(request: Request, service: Service) -> Response:
    into, body = _path_id(request), await body_of(request, service)
    try:
        other = canonical(MergeRequest.model_validate_json(body).other)
    except ValidationError as error:
        raise malformed(error) from None
    if other is None:
        raise MalformedBody('other must be an id: "", "-", "n/a" and "null" stand for nothing known.')
    outcome = await asyncio.to_thread(_settled, lambda: leads.merge(service.store, into, other, service.now()))
    return answered({"status": outcome.status, "lead_id": outcome.id, "merged": other})


async def _erase(request: Request, service: Service) -> Response:
    return answered(await asyncio.to_thread(_erased, service, _path_id(request), request.state.request_id))


def _erased(service: Service, id: str, receipt_id: str) -> dict[str, Any]:
    """Blocking. Scores that are still on their way are kept out of the ledger by what the erasure leaves behind; their files go first."""
    now, spool = service.now(), service.settings.home / "spool"
    try:
        counts = _settled(lambda: leads.erase(service.store, id, now))
    except UnknownLead:  # it may have been scored a moment ago, and be known to the spool alone
        purge(spool, PURGE_SECONDS)
        counts = _settled(lambda: leads.erase(service.store, id, now))
    cleared = purge(spool, PURGE_SECONDS)
    return {"receipt_id": receipt_id, "lead_id": id, "erased_at": format_instant(now), "erased": _told(counts), "spools_cleared": cleared}


async def _feedback(request: Request, service: Service) -> Response:
    body = await body_of(request, service)
    return answered({"results": await asyncio.to_thread(_add_feedback, service, body, name_of(request.state.caller))})


def _add_feedback(service: Service, body: bytes, by: str | None) -> list[dict[str, Any]]:
    items, alone = rows.listed_or_one(body)
    if len(items) > MAX_FEEDBACK:
        raise MalformedBody(f"items must have at most {MAX_FEEDBACK} rows; it has {len(items):,}. Send them in several calls.")
    return [_one(row, service, by, alone) for row in rows.FEEDBACK.check(items)]


def _one(row: Row | ServiceError, service: Service, by: str | None, alone: bool) -> dict[str, Any]:
    """The only one is refused as a whole."""
    try:
        return keep_feedback(row, service, by)
    except ServiceError as error:
        if alone:
            raise
        return dict(error.document)


def keep_feedback(row: Row | ServiceError, service: Service, by: str | None) -> dict[str, Any]:
    """Check and store what `rows.FEEDBACK.check` made of one piece; blocking. Raises why it is refused."""
    return _kept(_checked(row, service.champion.funnel), service, by)


def _checked(row: Row | ServiceError, funnel: Funnel) -> Row:
    if isinstance(row, ServiceError):
        raise row
    if all(row.get(name) is None for name in ("action", "stage", "useful", "reason")):
        raise MalformedBody("one of action, stage, useful and reason must be given.")
    stage = row.get("stage")
    if stage is None:
        return row
    known = funnel.stage_of(stage)
    if known is None:
        raise UnknownStage(f"stage must be one of {', '.join((*funnel.stages, *funnel.exits))}, or a name that funnel.toml gives to one of them.")
    return row | {"stage": known}


def _kept(row: Row, service: Service, by: str | None) -> dict[str, Any]:
    lead_id = canonical(row["lead_id"])
    if lead_id is None:
        raise _unknown()
    told = {"by": by} | {name: value for name, value in row.items() if name != "lead_id" and value is not None}
    entry = _settled(lambda: leads.add_feedback(service.store, lead_id, service.now(), **told))
    return {"status": "created", "id": str(entry), "detail": None}


def name_of(caller: ApiKey | None) -> str | None:
    """Who speaks, as feedback names them."""
    return None if caller is None else caller.owner or caller.name or None


def _path_id(request: Request) -> str:
    id = canonical(request.path_params["lead_id"])
    if id is None:
        raise _unknown()
    return id


def _unknown() -> UnknownLead:
    return UnknownLead("there is no lead of this id, nor an alias of one. Send it with PUT /v1/leads/{lead_id} first.")


def _settled(work: Callable[[], T]) -> T:
    """The store's refusals in the words of a call: an id may be somebody's address and is not repeated."""
    try:
        return work()
    except leads.UnknownLead:
        raise _unknown() from None
    except leads.ErasedLead:
        raise Erased("this lead was erased: nothing is held on it, and nothing is taken in again.") from None
    except leads.SameLead:
        raise Conflict("a lead can't be merged into itself. Name two leads.") from None
    except DataError as error:
        raise MalformedBody(str(error)) from None


_ERASED = {410: "The lead was erased"}
_REFUSED = {404: "No lead of this id, nor an alias of one"} | _ERASED
_FORMAT = {
    "name": "format",
    "in": "query",
    "required": False,
    "description": "`csv`: a zip of one CSV a table, whose cells no spreadsheet runs.",
    "schema": {"type": "string", "enum": ["json", "csv"], "default": "json"},
}
_OVERRIDE: Mapping[str, Any] = {"lead_id": "L-1", "action": "nurture", "useful": False, "reason": "Budget only next year"}


def _exported(told: dict[str, Any]) -> dict[str, Any]:
    """The same call's other form of answer."""
    files = {"schema": {"type": "string", "format": "binary"}, "example": "a zip of lead.csv, account.csv, events.csv, ..."}
    told["responses"][200]["content"] = {"application/zip": files}
    return told


ROUTES = (
    Route("/v1/leads/{lead_id}", "GET", "read", _held,
          _exported(called("lead", "All that is held on a lead", HeldAnswer, KEYED | _REFUSED | {422: "Not a format"}, tag="leads",
                           parameters=[_FORMAT]))),
    Route("/v1/leads/{lead_id}", "DELETE", "admin", _erase,
          called("erase_lead", "Erase a lead everywhere", ErasureAnswer, KEYED | {404: "Nothing is held, and nothing was erased"}, tag="leads")),
    Route("/v1/leads/{lead_id}/merge", "POST", "ingest", _merge,
          posted("merge_leads", "Make two leads one, with both histories", MergeRequest, MergeAnswer, {"other": "L-2"},
                 refusals=_REFUSED | {409: "Both are the same id"}, tag="leads")),
    Route("/v1/feedback", "POST", "ingest", _feedback,
          posted("add_feedback", "Keep what people say of a lead: overrides and ratings", rows.FeedbackBody, IngestAnswer, _OVERRIDE,
                 refusals=_REFUSED, tag="leads")),
)  # fmt: skip
