"""`Idempotency-Key`: a call that is sent again gets the first answer again, whatever happened to it on the way."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterator
from hashlib import sha256
from typing import Any

import orjson
from fastapi import Request
from fastapi.responses import Response
from sqlalchemy.exc import SQLAlchemyError

from data.idempotency import Claim, Kept, abandon, begin, finish
from data.store import Store
from serving.errors import IdempotencyConflict, InProgress, MalformedBody, ServiceError
from serving.refusing import refused

HEADER = "idempotency-key"
REPLAYED = "Idempotency-Replayed"
_KEY = re.compile(r"[\x20-\x7e]{1,255}")
_NAMES = ("lead_id", "merged", "id")
_TOLD = ("content-type", "location")
_FAULT = 500
_LOG = logging.getLogger("leadscore.http")


async def once(store: Store, request: Request, body: bytes, given: str, now: int, call: Callable[[], Awaitable[Response]]) -> Response:
    """The answer of `call`, or of the first one with this key: keys belong to the caller, last 24 hours, and forget answers of 500 and above.

    Raises MalformedBody, IdempotencyConflict, InProgress; sqlalchemy's error where the store is down: the call has not been made then.
    """
    if not _KEY.fullmatch(given):
        raise MalformedBody("the header Idempotency-Key must have 1 to 255 printable characters.")
    key = _digest(str(request.state.caller and request.state.caller.id), given)
    claim = await asyncio.to_thread(begin, store, key, _digest(*_call(request), body), now)
    match claim:
        case Kept():
            return _again(claim)
        case Claim.OTHER_CALL:
            raise IdempotencyConflict(IdempotencyConflict.example)
        case Claim.UNDER_WAY:
            raise InProgress(InProgress.example)
    return await _first(store, key, now, call)


async def _first(store: Store, key: str, now: int, call: Callable[[], Awaitable[Response]]) -> Response:
    response: Response | None = None
    try:
        response = await call()
    except ServiceError as error:
        response = refused(error)
        if error.status >= _FAULT:
            raise
    finally:
        await asyncio.to_thread(_settle, store, key, now, response)
    return response


def _settle(store: Store, key: str, began: int, response: Response | None) -> None:
    """The call has been made, and nothing here changes its answer."""
    try:
        if response is None or response.status_code >= _FAULT:
            abandon(store, key, began)
        else:
            named = set(_ids(orjson.loads(bytes(response.body))))
            finish(store, key, began, Kept(response.status_code, _packed(response)), named)
    except SQLAlchemyError as error:
        _LOG.warning("an answer could not be kept for its Idempotency-Key (%s)", type(error).__name__)


def _ids(document: Any) -> Iterator[str]:
    """What may be a lead's id in an answer, however deep."""
    if isinstance(document, dict):
        yield from (document[name] for name in _NAMES if isinstance(document.get(name), str))
        document = list(document.values())
    for part in document if isinstance(document, list) else ():
        if isinstance(part, dict | list):
            yield from _ids(part)


def _call(request: Request) -> tuple[str, str, str]:
    return request.method, (request.scope.get("raw_path") or b"").decode("latin-1"), request.scope["query_string"].decode("latin-1")


def _digest(*parts: str | bytes) -> str:
    """One hash of all, each with its length: no two lists of parts make the same text."""
    digest = sha256()
    for part in parts:
        content = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()


def _packed(response: Response) -> bytes:
    """As it was written: whoever erases a lead must find its id in here."""
    head = "\n".join(response.headers.get(name, "") for name in _TOLD)
    return head.encode("latin-1") + b"\n" + bytes(response.body)


def _again(kept: Kept) -> Response:
    *told, body = kept.content.split(b"\n", len(_TOLD))
    headers = {name: value.decode("latin-1") for name, value in zip(_TOLD, told, strict=True) if value}
    return Response(body, kept.status, headers | {REPLAYED: "true"})
