"""Around every call: a request id, one log line, and an answer even where the program itself is at fault."""

import logging
import re
import secrets
import time

import orjson
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.errors import InternalError
from serving.metrics import Metrics
from serving.paths import keep_slashes
from serving.tracing import Tracing, end

_LOG = logging.getLogger("leadscore.http")
_GIVEN_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")

CLIENT_GONE = 499
"""Logged where the caller hung up before its body was whole."""


class Envelope:
    """ASGI middleware. A caller's own `X-Request-ID` is kept where it is short and plain; calls find it as `request.state.request_id`."""

    def __init__(self, app: ASGIApp, metrics: Metrics, tracing: Tracing) -> None:
        self.app = app
        self._metrics = metrics
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = _request_id(scope)
        span = self._tracing.begin(scope)
        status = 0
        scope.setdefault("state", {})["request_id"] = request_id.decode()
        keep_slashes(scope)

        async def marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id)]
            await send(message)

        try:
            await self.app(scope, receive, marked)
        except ClientDisconnect:
            status = CLIENT_GONE
        except Exception as error:  # noqa: BLE001 - the server would log the exception's text, which may hold what was sent
            _LOG.error("failed", exc_info=error, extra={"fields": {"request_id": request_id.decode()}})
            if status == 0:
                await _apologise(marked, request_id)
        seconds, route = time.perf_counter() - began, _route(scope)
        self._metrics.called(scope["method"], route, status, seconds)
        fields = {"method": scope["method"], "path": route, "status": status, "request_id": request_id.decode()}
        trace = {} if span is None else {"trace_id": end(span, scope["method"], route, status, request_id.decode())}
        _LOG.info("answered", extra={"fields": fields | trace | {"ms": round(seconds * 1000, 2)}})


def _request_id(scope: Scope) -> bytes:
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return given if _GIVEN_ID.fullmatch(given) else secrets.token_hex(8).encode()


def _route(scope: Scope) -> str:
    """The route's template, which holds no id of a lead."""
    return getattr(scope.get("route"), "path", "(none)")


async def _apologise(send: Send, request_id: bytes) -> None:
    detail = f"something went wrong here, not in what was sent. The log has it under the request id {request_id.decode()}."
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": orjson.dumps(InternalError(detail).document)})
