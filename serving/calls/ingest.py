"""What a CRM sends to be kept: leads, accounts, events, stages and deals, each item answered for itself."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel

from data.contract import canonical
from data.funnel import Funnel
from data.ingest import Outcome, add_events, add_stages, put_accounts, put_deals, put_leads
from data.store import Store
from serving import rows
from serving.answers_leads import IngestAnswer
from serving.errors import MalformedBody, ServiceError
from serving.openapi import posted
from serving.routes import Route, Service, answered, body_of
from serving.rows import Kind, Row
from serving.security import NDJSON

Result = dict[str, str | None]
Put = Callable[[Sequence[Row], int, bool], Sequence[Outcome]]

_BACKFILL = {
    "name": "backfill",
    "in": "query",
    "required": False,
    "description": "`true`: this is history being loaded, of which nobody is to be told: no webhook comes of it.",
    "schema": {"type": "string", "enum": ["true", "false"], "default": "false"},
}


@dataclass(frozen=True)
class _Sent:
    """One call: its body and what that says it is, the id in its path where it has one, and whether it is history."""

    body: bytes
    ndjson: bool
    backfill: bool
    now: int
    id: str | None = None


async def _put_lead(request: Request, service: Service) -> Response:
    sent = await _sent(request, service, request.path_params["lead_id"])
    return await _ingested(_of_one, sent, "lead_id", rows.LEADS, partial(put_leads, service.store))


async def _put_account(request: Request, service: Service) -> Response:
    sent = await _sent(request, service, request.path_params["account_id"])
    return await _ingested(_of_one, sent, "account_id", rows.ACCOUNTS, partial(put_accounts, service.store))


async def _add_events(request: Request, service: Service) -> Response:
    put = partial(_put_events, service.store, service.champion.minds_colleagues)
    return await _ingested(_of_many, await _sent(request, service), rows.EVENTS, put)


async def _add_stages(request: Request, service: Service) -> Response:
    put = partial(_put_stages, service.store, service.champion.funnel)
    return await _ingested(_of_many, await _sent(request, service), rows.STAGES, put)


async def _put_deals(request: Request, service: Service) -> Response:
    return await _ingested(_of_many, await _sent(request, service), rows.DEALS, partial(put_deals, service.store))


def _put_events(store: Store, with_colleagues: bool, items: Sequence[Row], now: int, quiet: bool) -> Sequence[Outcome]:
    return add_events(store, items, now, quiet, with_colleagues)


def _put_stages(store: Store, funnel: Funnel, items: Sequence[Row], now: int, quiet: bool) -> Sequence[Outcome]:
    return add_stages(store, items, now, quiet, funnel=funnel)


async def _sent(request: Request, service: Service, id: str | None = None) -> _Sent:
    ndjson = request.headers.get("content-type", "").partition(";")[0].strip().lower() == NDJSON
    backfill = request.query_params.get("backfill", "false")
    if backfill not in ("true", "false"):
        raise MalformedBody("the parameter backfill must be true or false.")
    return _Sent(await body_of(request, service), ndjson, backfill == "true", service.now(), id)


async def _ingested(read: Callable[..., list[Result]], *arguments: Any) -> Response:
    """Reading, checking and writing are work for another thread: calls that only score go on meanwhile."""
    return answered({"results": await asyncio.to_thread(read, *arguments)})


def _of_many(sent: _Sent, kind: Kind, put: Put) -> list[Result]:
    items = rows.lines(sent.body) if sent.ndjson else rows.listed(sent.body)
    return _kept(kind.check(items), put, sent)


def _of_one(sent: _Sent, key: str, kind: Kind, put: Put) -> list[Result]:
    """A body that is the object itself is refused as a whole where it is malformed; items are refused one by one."""
    assert sent.id is not None
    if canonical(sent.id) is None:
        raise MalformedBody(f'{key} in the path must be an id: "-", "n/a" and "null" stand for nothing known.')
    items, alone = (rows.lines(sent.body), False) if sent.ndjson else rows.listed_or_one(sent.body)
    checked = [_with_id(row, key, sent.id) for row in kind.check(items)]
    if alone and isinstance(checked[0], ServiceError):
        raise checked[0]
    return _kept(checked, put, sent)


def _with_id(row: Row | ServiceError, key: str, id: str) -> Row | ServiceError:
    if isinstance(row, ServiceError):
        return row
    if key in row and canonical(row[key]) != canonical(id):
        return MalformedBody(f"{key} must be the one in the path, or be left out.")
    return row | {key: id}


def _kept(checked: Sequence[Row | ServiceError], put: Put, sent: _Sent) -> list[Result]:
    """Write what passed; one result for each item, in order."""
    passed = [row for row in checked if not isinstance(row, ServiceError)]
    outcomes = iter(put(passed, sent.now, sent.backfill) if passed else ())
    return [dict(row.document) if isinstance(row, ServiceError) else result_of(next(outcomes)) for row in checked]


def result_of(outcome: Outcome) -> Result:
    """What the caller is told of one item."""
    if outcome.status == "refused":
        return {"error": outcome.error, "detail": outcome.detail}
    return {"status": outcome.status, "id": outcome.id, "detail": outcome.detail}


def _told(id: str, summary: str, asked: type[BaseModel], example: Any) -> dict[str, Any]:
    return posted(id, summary, asked, IngestAnswer, example, tag="data", parameters=[_BACKFILL])


_LEAD = {"created_at": "2026-11-02T08:30:00Z", "job_title": "Head of Procurement", "country": "SE", "account_id": "A-1", "owner": "kim",
         "aliases": [{"object": "contact", "external_id": "C-77"}]}  # fmt: skip
_EVENT = {"lead_id": "L-1", "event_id": "E-1", "occurred_at": "2026-11-18T14:05:00Z", "type": "pricing_page_view"}
_STAGE = {"lead_id": "L-1", "entered_at": "2026-11-19T09:00:00Z", "stage": "prospect"}
_DEAL = {"deal_id": "D-1", "lead_id": "L-1", "opened_at": "2026-11-20T12:00:00Z", "amount": 12000, "currency": "EUR"}

ROUTES = (
    Route("/v1/leads/{lead_id}", "PUT", "ingest", _put_lead, _told("put_lead", "Keep what is known of a lead", rows.LeadBody, _LEAD), ndjson=True),
    Route("/v1/accounts/{account_id}", "PUT", "ingest", _put_account,
          _told("put_account", "Keep what is known of an account", rows.AccountBody, {"industry": "manufacturing", "employees": 800}), ndjson=True),
    Route("/v1/events", "POST", "ingest", _add_events, _told("add_events", "Keep events", rows.EventItems, {"items": [_EVENT]}), ndjson=True),
    Route("/v1/stages", "POST", "ingest", _add_stages, _told("add_stages", "Keep stage entries", rows.StageItems, {"items": [_STAGE]}), ndjson=True),
    Route("/v1/deals", "POST", "ingest", _put_deals, _told("put_deals", "Keep deals", rows.DealItems, {"items": [_DEAL]}), ndjson=True),
)  # fmt: skip
