"""`leadscore serve`: listens, runs one or several worker processes on the same port, and says where."""

import gc
import logging
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.supervisors import Multiprocess

from data.contract import DataError
from data.store import open_store
from serving.draining import DrainerProcess
from serving.logs import log_config
from serving.security import is_loopback
from serving.settings import Settings
from serving.tracing import wanted

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import Lifespan

_BACKLOG = 2048
_LAST_PORT = 65_535
_GRACE_SECONDS = 10
_IDLE_SECONDS = 75
"""Longer than callers keep an idle connection: one that the service closes may be met by a call that is just being sent."""
_SWITCH_SECONDS = 0.0005
"""So long a call waits for Python's lock while a thread beside it is busy; ten times as long unless told."""
_COLLECT = (50_000, 20, 100)
"""As the command line sets it, which a worker process does not come through."""
_LOG = logging.getLogger("leadscore.serve")


def serve(host: str = "127.0.0.1", port: int = 8000, workers: int = 1) -> int:
    """Serve until told to stop (SIGINT, SIGTERM); port 0 takes a free one. Exit code: 0 after that, 1 refused with a reason on stderr."""
    try:
        settings = Settings.from_env(host)
        wanted()
        keyless = _without_keys(settings)
        listening = _listen(host, port)
    except DataError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    config = uvicorn.Config(
        partial(_application, settings),
        factory=True,
        log_config=log_config(),
        access_log=False,
        server_header=False,
        lifespan="on",
        workers=workers,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        timeout_keep_alive=_IDLE_SECONDS,
    )
    return _run(config, listening, keyless, settings.home)


def _application(settings: Settings) -> "FastAPI":
    """Imported where it runs: the process that only supervises workers stays small and starts at once."""
    from serving.app import create_app

    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.set_threshold(*_COLLECT)
    gc.freeze()  # what was imported stays: the collector need not look through it again
    app = create_app(settings)
    app.router.lifespan_context = partial(_frozen, app.router.lifespan_context)
    return app


@asynccontextmanager
async def _frozen(opened: "Lifespan[FastAPI]", app: "FastAPI") -> AsyncIterator[None]:
    """The lifespan; what stands once all of it is open, the champion too, stays as well."""
    async with opened(app):
        gc.collect()
        gc.freeze()
        yield


def _without_keys(settings: Settings) -> bool:
    """Whether no key exists. Raises DataError where the service must not be open."""
    with open_store(settings.store_url) as store:
        keyless = not store.has_keys()
    if keyless and not is_loopback(settings.host):
        raise DataError(
            f"a service that listens on {settings.host} needs a key before it starts, and none exists. "
            "Make one with `leadscore keys create`, or serve this machine only with `--host 127.0.0.1`."
        )
    return keyless


def check_free(port: int) -> None:
    """Raises DataError where `serve` could not listen on this port of this machine: better said before a training than after it."""
    _listen("127.0.0.1", port).close()


def _listen(host: str, port: int) -> socket.socket:
    # getaddrinfo would take 70000 for 4464.
    if not 0 <= port <= _LAST_PORT:
        raise DataError(f"--port must be from 0 (any free one) to {_LAST_PORT}; got {port}.")
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        raise DataError(
            f"{host}:{port} can't be listened on: {str(error.strerror).partition(' (')[0]}. Choose another with --host and --port."
        ) from None
    listening.set_inheritable(True)
    return listening


def _announce(listening: socket.socket, keyless: bool) -> None:
    host, port = listening.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    sys.stdout.write(f"leadscore serves on {url} (the calls: {url}/docs)\n")
    sys.stdout.flush()
    if keyless:
        _LOG.warning("no key exists: calls from this machine need none, others are refused; `leadscore keys create` makes one")


def _run(config: uvicorn.Config, listening: socket.socket, keyless: bool, home: Path) -> int:
    if config.workers > 1:
        return _supervise(config, listening, keyless, home)
    server = uvicorn.Server(config)
    _end_in_order(server)
    _announce(listening, keyless)
    with DrainerProcess():
        server.run(sockets=[listening])
    return 0 if server.started else 1


def _supervise(config: uvicorn.Config, listening: socket.socket, keyless: bool, home: Path) -> int:
    from serving.metrics import share_counts

    counts = share_counts(home)
    try:
        supervisor = Multiprocess(config, sockets=[listening])
        _announce(listening, keyless)
        with DrainerProcess():
            supervisor.run()
    finally:
        shutil.rmtree(counts, ignore_errors=True)
    return 0


def _end_in_order(server: uvicorn.Server) -> None:
    """While it serves the server handles these signals itself; before, it would miss them, and afterwards it raises them once more."""

    def end(*_: object) -> None:
        server.should_exit = True

    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, end)
