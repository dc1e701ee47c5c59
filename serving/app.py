"""The HTTP service. All that is costly opens in `lifespan` and closes after it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from data.store import open_store
from serving.calls import probes, scoring
from serving.champion import Champion
from serving.envelope import Envelope
from serving.errors import MethodNotAllowed, NotFound, ServiceError
from serving.routes import Route, Service, guarded
from serving.security import Gate
from serving.settings import Settings

ROUTES: tuple[Route, ...] = (*scoring.ROUTES, *probes.ROUTES)


def create_app(settings: Settings) -> FastAPI:
    """The application. Opening the store, loading the champion and warming the kernels wait for its lifespan."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with await asyncio.to_thread(open_store, settings.store_url) as store:
            champion = Champion(store)
            app.state.service = Service(settings, store, Gate(store, settings.host), champion)
            watching = asyncio.create_task(champion.watch())
            try:
                yield
            finally:
                champion.stop()
                await watching

    app = FastAPI(title="leadscore", version="1", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False, lifespan=lifespan)
    for route in ROUTES:
        app.add_api_route(route.path, guarded(route), methods=[route.method], **route.told)
    app.add_middleware(Envelope)
    app.add_exception_handler(ServiceError, _refused)
    app.add_exception_handler(HTTPException, _not_served)
    return app


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
