"""The record of every call of the scopes `operate` and `admin`: written before it is made, closed after it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from fastapi import Request
from fastapi.responses import Response
from sqlalchemy.exc import SQLAlchemyError

from data.audit import UNDER_WAY, Entry, end, write
from data.store import Store
from serving.errors import ServiceError, refusal_of

AUDITED = frozenset({"operate", "admin"})
_LOG = logging.getLogger("leadscore.audit")


async def note_refused(store: Store, request: Request, now: int, refusal: ServiceError) -> None:
    """One that was not let through; the refusal stands even where it can't be written."""
    entry = _entry(request, now, refusal.status)
    try:
        await asyncio.to_thread(write, store, entry, _lead_of(request))
    except SQLAlchemyError:
        _tell(request, refusal.status)


async def audited(store: Store, request: Request, now: int, call: Callable[[], Awaitable[Response]]) -> Response:
    """The answer of `call`, which is not made where it can't be recorded: sqlalchemy's error then."""
    id = await asyncio.to_thread(write, store, _entry(request, now, UNDER_WAY), _lead_of(request))
    status = 500
    try:
        response = await call()
        status = response.status_code
    except (ServiceError, SQLAlchemyError) as error:
        refusal = refusal_of(error) if isinstance(error, SQLAlchemyError) else error
        status = refusal.status if refusal else status
        raise
    finally:
        await asyncio.to_thread(_close, store, request, id, status)
    return response


def _close(store: Store, request: Request, id: int, status: int) -> None:
    try:
        end(store, id, status)
    except SQLAlchemyError:
        _tell(request, status)


def _tell(request: Request, status: int) -> None:
    """The log is the second-best place."""
    _LOG.warning("not in the audit: the store is down", extra={"fields": {"request_id": request.state.request_id, "status": status}})


def _entry(request: Request, now: int, status: int) -> Entry:
    caller, template = request.state.caller, request.scope["route"].path
    targets = [value for name, value in request.path_params.items() if name != "lead_id"]
    return Entry(now, caller and caller.id, f"{request.method} {template}", " ".join(targets) or None, status, request.state.request_id)


def _lead_of(request: Request) -> str | None:
    lead_id: str | None = request.path_params.get("lead_id")
    return lead_id
