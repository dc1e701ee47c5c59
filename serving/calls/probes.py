"""Whether the service is well: the probes, and the contract's own documents."""

from fastapi import Request
from fastapi.responses import HTMLResponse, Response

from serving.answers import Health, Readiness
from serving.exposition import CONTENT_TYPE, Exposition
from serving.openapi import COUNTED, UNLISTED, called, openapi_3_0, openapi_3_1
from serving.reference import reference_page
from serving.routes import Route, Service, answered


async def _alive(_: Request, __: Service) -> Response:
    return answered({"status": "ok"})


async def _ready(_: Request, service: Service) -> Response:
    champion = service.champion
    # Here, not in a thread: those may all be waiting for a database that is gone.
    unwritten = service.spool.problem()
    down = champion.down | ({"ledger": unwritten} if unwritten else {})
    ready = champion.ready and not unwritten
    return answered({"ready": ready, "version": champion.version, "down": list(down), "detail": down}, 200 if ready else 503)


async def _metrics(request: Request, service: Service) -> Response:
    exposition: Exposition = request.app.state.exposition
    return Response(await exposition.page(service.now()), media_type=CONTENT_TYPE)


async def _openapi(request: Request, _: Service) -> Response:
    return answered(openapi_3_1(request.app))


async def _openapi_3_0(request: Request, _: Service) -> Response:
    return answered(openapi_3_0(request.app))


async def _docs(request: Request, _: Service) -> Response:
    return HTMLResponse(
        reference_page(openapi_3_1(request.app)), headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
    )


ROUTES = (
    Route("/healthz", "GET", None, _alive, called("alive", "Whether the process is alive", Health, {})),
    Route("/readyz", "GET", None, _ready, called("ready", "Whether scores are given, and what is down", Readiness, {})),
    Route("/metrics", "GET", None, _metrics, COUNTED),
    Route("/openapi.json", "GET", None, _openapi, UNLISTED),
    Route("/openapi-3.0.json", "GET", None, _openapi_3_0, UNLISTED),
    Route("/docs", "GET", None, _docs, UNLISTED),
)
