"""The HTTP service. All that is costly opens in `lifespan` and closes after it."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from data.store import open_store
from serving.background import background
from serving.calls import icp, ingest, leads, ledger, model, operations, probes, queue, reports, scoring, webhooks
from serving.champion import Champion
from serving.envelope import Envelope
from serving.errors import MethodNotAllowed, NotFound, ServiceError, refusal_of
from serving.exposition import Exposition
from serving.metrics import Metrics
from serving.pages import ALL as PAGES
from serving.pages import files, guarding
from serving.refusing import refused
from serving.routes import Route, Service, guarded
from serving.security import Gate
from serving.settings import Settings
from serving.tracing import Tracing
from serving.watched import WatchedSpool

THREADS = 32
_HEAD = ("HEAD",)
"""Monitors and link checkers ask so for a page or a probe; the server sends no body then."""
ROUTES: tuple[Route, ...] = (
    *scoring.ROUTES, *ingest.ROUTES, *leads.ROUTES, *ledger.ROUTES, *queue.ROUTES, *operations.ROUTES, *webhooks.ROUTES, *reports.ROUTES,
    *icp.ROUTES, *model.ROUTES, *probes.ROUTES,
)  # fmt: skip


def create_app(settings: Settings) -> FastAPI:
    """The application. Opening the store, loading the champion and warming the kernels wait for its lifespan."""
    metrics, tracing = Metrics(), Tracing()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # asyncio's own has six threads on two cores: a few calls that wait for the store would hold up all others.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, "call"))
        with await asyncio.to_thread(open_store, settings.store_url) as store:
            gate = Gate(store, settings.host, settings.rate_per_second, settings.burst)
            await asyncio.to_thread(gate.learn)
            spool = WatchedSpool(settings.home / "spool", settings.fsync, metrics=metrics)
            service = app.state.service = Service(settings, store, gate, Champion(store), spool, metrics)
            app.state.exposition = Exposition(metrics, store, service.champion, spool)
            tracing.open()
            try:
                async with background(service):
                    yield
            finally:
                await asyncio.to_thread(tracing.close)

    app = FastAPI(title="leadscore", version="1", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False, lifespan=lifespan)
    app.state.calls = ROUTES
    for route in ROUTES:
        told = {name: value for name, value in route.told.items() if name != "asked"}
        app.add_api_route(route.path, guarded(route), methods=[route.method], **told)
        if route.scope is None:
            app.add_api_route(route.path, guarded(route), methods=["HEAD"], include_in_schema=False)
    for page in PAGES:
        app.add_api_route(page.path, guarding.guarded(page), methods=[*page.methods, *_HEAD[: "GET" in page.methods]], include_in_schema=False)
    app.add_api_route(files.PATH, files.endpoint, methods=["GET", *_HEAD], include_in_schema=False)
    app.add_middleware(Envelope, metrics=metrics, tracing=tracing)
    app.add_exception_handler(ServiceError, _refused)
    app.add_exception_handler(SQLAlchemyError, _store_failed)
    app.add_exception_handler(HTTPException, _not_served)
    return app


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    return refused(error)


async def _store_failed(_: Request, error: Exception) -> Response:
    """The database's fault is told by name; the program's own goes on to the log."""
    assert isinstance(error, SQLAlchemyError)
    refusal = refusal_of(error)
    if refusal is None:
        raise error
    return refused(refusal)


async def _not_served(request: Request, error: Exception) -> Response:
    """Starlette's own refusals, in the form of ours."""
    assert isinstance(error, HTTPException)
    refusal = _of_path(request, error.status_code)
    return await guarding.shown(request, refusal) if guarding.by_browser(request) else refused(refusal)


def _of_path(request: Request, status: int) -> ServiceError:
    if status == 405:
        template = request.scope["route"].path
        served = [route.method for route in ROUTES if route.path == template] + [m for page in PAGES if page.path == template for m in page.methods]
        allowed = ", ".join(sorted(served or ["GET"]))
        return MethodNotAllowed(f"{request.method} is not served here; {allowed} is. GET /docs lists every call.", allowed)
    return NotFound("nothing is served under this path. GET /docs lists every call.")
