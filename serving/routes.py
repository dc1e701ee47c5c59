"""What a call is: a path and method, the scope that a key needs, what answers, and what the contract says of it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson
from fastapi import Request
from fastapi.responses import Response
from starlette.types import Message

from data.home import clock
from data.store import Store
from serving.auditing import AUDITED, audited, note_refused
from serving.champion import Champion
from serving.errors import Forbidden, TooLarge
from serving.idempotency import HEADER, once
from serving.metrics import Metrics
from serving.paths import plain
from serving.reports.kept import Kept
from serving.security import JSON, NDJSON, Gate
from serving.settings import Settings
from serving.watched import WatchedSpool


@dataclass(frozen=True)
class Service:
    """What the calls need, open. `now` is the wall clock, micros UTC."""

    settings: Settings
    store: Store
    gate: Gate
    champion: Champion
    spool: WatchedSpool
    metrics: Metrics
    now: Callable[[], int] = clock
    reports: Kept = field(default_factory=Kept)


Call = Callable[[Request, Service], Awaitable[Response]]


@dataclass(frozen=True)
class Route:
    """`scope` None: no key needed. `told` is what the contract says, as `serving.openapi.called` makes it. `ndjson`: the body may be NDJSON, too."""

    path: str
    method: str
    scope: str | None
    call: Call
    told: Mapping[str, Any]
    ndjson: bool = False


def guarded(route: Route) -> Callable[[Request], Awaitable[Response]]:
    """The route's endpoint: lets in whom the gate permits, then calls. The caller's ApiKey, or None, is `request.state.caller`."""

    async def open_to_all(request: Request) -> Response:
        return await route.call(request, request.app.state.service)

    async def endpoint(request: Request) -> Response:
        service: Service = request.app.state.service
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.scope["headers"]}
        if request.scope["path_params"]:
            request.scope["path_params"] = plain(request.scope["path_params"])
        caller = await service.gate.identify(headers, request.client.host if request.client else "")
        request.state.caller = caller
        try:
            service.gate.permit(caller, request.method, headers, scope, kinds)
        except Forbidden as refusal:
            if scope in AUDITED:
                await note_refused(service.store, request, service.now(), refusal)
            raise
        call = partial(_once, route, request, service, headers[HEADER]) if repeatable and HEADER in headers else partial(route.call, request, service)
        return await audited(service.store, request, service.now(), call) if scope in AUDITED else await call()

    scope, repeatable, kinds = route.scope or "", route.method == "POST", (JSON, NDJSON) if route.ndjson else (JSON,)
    return open_to_all if route.scope is None else endpoint


async def _once(route: Route, request: Request, service: Service, key: str) -> Response:
    body = await body_of(request, service)
    call = partial(route.call, Request(request.scope, _sent(body)), service)
    return await once(service.store, request, body, key, service.now(), call)


def _sent(body: bytes) -> Callable[[], Awaitable[Message]]:
    """A body that has been read, to be read again."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def body_of(request: Request, service: Service) -> bytes:
    """The whole body, refused as soon as it is known to be larger than the limit."""
    limit = service.settings.max_body_bytes
    declared = request.headers.get("content-length", "")
    too_large = TooLarge(f"the body must have at most {limit:,} bytes; it has more. Send fewer events or items at once.")
    if declared.isdecimal() and (len(declared) > len(str(limit)) or int(declared) > limit):
        raise too_large
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise too_large
    return bytes(body)


def answered(document: Any, status: int = 200) -> Response:
    """The document as JSON."""
    return Response(orjson.dumps(document), status, media_type="application/json")
