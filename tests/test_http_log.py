"""A fault of the program itself: what the caller is told, and a log that says where without saying what."""

import asyncio
import logging
import re
from typing import Any

import orjson
import pytest
from starlette.types import Message, Receive, Scope, Send

from serving.envelope import Envelope
from serving.logs import JsonLines, place_of
from serving.metrics import Metrics
from serving.tracing import Tracing

SECRET = "anna@example.org"


async def breaks(scope: Scope, receive: Receive, send: Send) -> None:
    raise ValueError(f"could not convert string to float: {SECRET}")


async def breaks_half_way(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise ValueError(SECRET)


def called(app: Any, headers: list[tuple[bytes, bytes]] | None = None) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    asyncio.run(Envelope(app, Metrics(), Tracing())({"type": "http", "method": "GET", "path": f"/{SECRET}", "headers": headers or []}, receive, send))
    return sent


def test_the_caller_gets_an_apology_with_the_request_id() -> None:
    start, body = called(breaks, [(b"x-request-id", b"crm-7")])
    assert start["status"] == 500
    assert (b"x-request-id", b"crm-7") in start["headers"]
    told = orjson.loads(body["body"])
    assert told["error"] == "InternalError"
    assert "crm-7" in told["detail"]
    assert SECRET not in told["detail"]


def test_an_answer_that_has_begun_is_not_begun_again() -> None:
    assert [message["status"] for message in called(breaks_half_way)] == [200]


def test_the_log_says_where_and_not_what(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "leadscore.http"):
        called(breaks)
    lines = [JsonLines().format(record) for record in caplog.records]
    failed, answered = map(orjson.loads, lines)
    assert re.search(r"> test_http_log.py:\d+ breaks > ValueError$", failed["trace"])
    assert failed["request_id"] == answered["request_id"]
    assert (answered["status"], answered["path"]) == (500, "(none)")
    assert SECRET not in "".join(lines)
    assert "\n" not in "".join(lines)


def test_an_error_that_was_never_raised_has_no_place() -> None:
    assert place_of(ValueError()) == "nowhere"
