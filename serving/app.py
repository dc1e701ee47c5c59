"""The HTTP service: thin routes around the scorer. All that is costly opens in `lifespan` and closes after it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from data.home import clock
from data.store import open_store
from serving.champion import Champion, Serving
from serving.contract import BatchRequest, ScoreRequest
from serving.envelope import Envelope
from serving.errors import InternalError, MalformedBody, MethodNotAllowed, NotFound, ServiceError, TooLarge, malformed
from serving.openapi import CALLS, openapi_3_0, openapi_3_1
from serving.reference import reference_page
from serving.security import Gate
from serving.settings import Settings

_LOG = logging.getLogger("leadscore.http")
_IN_ONE_GO = 8
"""Items of a batch between two looks at other calls."""


@dataclass(frozen=True)
class Service:
    """What the routes need, open."""

    settings: Settings
    gate: Gate
    champion: Champion


Call = Callable[[Request, Service], Awaitable[Response]]


def create_app(settings: Settings) -> FastAPI:
    """The application. Opening the store, loading the champion and warming the kernels wait for its lifespan."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with await asyncio.to_thread(open_store, settings.store_url) as store:
            champion = Champion(store)
            app.state.service = Service(settings, Gate(store, settings.host), champion)
            watching = asyncio.create_task(champion.watch())
            try:
                yield
            finally:
                champion.stop()
                await watching

    app = FastAPI(title="leadscore", version="1", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False, lifespan=lifespan)
    for path, method, scope, call in _ROUTES:
        app.add_api_route(path, _guarded(call, scope), methods=[method], **CALLS[path])
    app.add_middleware(Envelope)
    app.add_exception_handler(ServiceError, _refused)
    app.add_exception_handler(HTTPException, _not_served)
    return app


def _guarded(call: Call, scope: str | None) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        service: Service = request.app.state.service
        if scope is not None:
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in request.scope["headers"]}
            await service.gate.admit(request.method, headers, scope)
        return await call(request, service)

    return endpoint


async def _score(request: Request, service: Service) -> Response:
    everything = _wants_all(request)
    body = await _body(request, service)
    serving = service.champion.take()
    try:
        asked = ScoreRequest.model_validate_json(body)
    except ValidationError as error:
        raise malformed(error) from None
    return _json(serving.scorer.answer(asked, clock(), everything))


async def _score_batch(request: Request, service: Service) -> Response:
    everything = _wants_all(request)
    body = await _body(request, service)
    serving = service.champion.take()
    try:
        items = BatchRequest.model_validate_json(body).items
    except ValidationError as error:
        raise malformed(error) from None
    now, results = clock(), []
    for n, item in enumerate(items):
        if n % _IN_ONE_GO == 0:
            await asyncio.sleep(0)
        results.append(_one_of_many(serving, item, now, everything))
    return _json({"results": results})


def _one_of_many(serving: Serving, item: Any, now: int, everything: bool) -> dict[str, Any]:
    try:
        return serving.scorer.answer(ScoreRequest.model_validate(item), now, everything)
    except ValidationError as error:
        return malformed(error).document
    except ServiceError as error:
        return error.document
    except Exception as error:  # noqa: BLE001 - the other items still get their answers
        _LOG.error("failed", exc_info=error)
        return InternalError("something went wrong here with this item; the log has it.").document


async def _model(_: Request, service: Service) -> Response:
    return _json(service.champion.take().model)


async def _alive(_: Request, __: Service) -> Response:
    return _json({"status": "ok"})


async def _ready(_: Request, service: Service) -> Response:
    champion = service.champion
    down = champion.down
    answer = {"ready": champion.ready, "version": champion.version, "down": list(down), "detail": down}
    return _json(answer, 200 if champion.ready else 503)


async def _openapi(request: Request, _: Service) -> Response:
    return _json(openapi_3_1(request.app))


async def _openapi_3_0(request: Request, _: Service) -> Response:
    return _json(openapi_3_0(request.app))


async def _docs(request: Request, _: Service) -> Response:
    return HTMLResponse(
        reference_page(openapi_3_1(request.app)), headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
    )


# A path, its method, the scope that a key needs (None: no key needed), and what answers.
_ROUTES: tuple[tuple[str, str, str | None, Call], ...] = (
    ("/v1/score", "POST", "score", _score),
    ("/v1/score/batch", "POST", "score", _score_batch),
    ("/v1/model", "GET", "read", _model),
    ("/healthz", "GET", None, _alive),
    ("/readyz", "GET", None, _ready),
    ("/openapi.json", "GET", None, _openapi),
    ("/openapi-3.0.json", "GET", None, _openapi_3_0),
    ("/docs", "GET", None, _docs),
)


def _wants_all(request: Request) -> bool:
    asked = request.query_params.get("reasons", "top") if request.scope["query_string"] else "top"
    if asked not in ("top", "all"):
        raise MalformedBody("the parameter reasons must be top or all.")
    return asked == "all"


async def _body(request: Request, service: Service) -> bytes:
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


def _json(document: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(document), status, media_type="application/json")


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    return Response(orjson.dumps(error.document), error.status, error.headers, "application/json")


async def _not_served(request: Request, error: Exception) -> Response:
    """Starlette's own refusals, in the form of ours."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        return await _refused(request, MethodNotAllowed(f"{request.method} is not served here; {allowed} is. GET /docs lists every call.", allowed))
    return await _refused(request, NotFound("nothing is served under this path. GET /docs lists every call."))
