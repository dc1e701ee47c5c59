"""What a call is: a path and method, the scope that a key needs, what answers, and what the contract says of it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import Request
from fastapi.responses import Response

from data.store import Store
from serving.champion import Champion
from serving.errors import TooLarge
from serving.security import Gate
from serving.settings import Settings


@dataclass(frozen=True)
class Service:
    """What the calls need, open."""

    settings: Settings
    store: Store
    gate: Gate
    champion: Champion


Call = Callable[[Request, Service], Awaitable[Response]]


@dataclass(frozen=True)
class Route:
    """`scope` None: no key needed. `told` is what the contract says, in the words of FastAPI's `add_api_route`."""

    path: str
    method: str
    scope: str | None
    call: Call
    told: Mapping[str, Any]


def guarded(route: Route) -> Callable[[Request], Awaitable[Response]]:
    """The route's endpoint: lets in whom the gate admits, then calls."""

    async def endpoint(request: Request) -> Response:
        service: Service = request.app.state.service
        if route.scope is not None:
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.scope["headers"]}
            await service.gate.admit(request.method, headers, route.scope)
        return await route.call(request, service)

    return endpoint


async def body_of(request: Request, service: Service) -> bytes:
    """The whole body, refused as soon as it is known to be larger than the limit."""
    limit = service.settings.max_body_bytes
    declared = request.headers.get("content-length", "")
    too_large = TooLarge(f"the body must have at most {limit:,} bytes; it has more. Send fewer events or items at once.")
    if len(declared) > len(str(limit)) or int(declared or 0) > limit:
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
