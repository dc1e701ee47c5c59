"""A load generator for one server on this machine: closed loop for the top rate, open loop for latency. HTTP/1.1 over kept connections.

Answers are taken in the connection's own callback, without a task for each call, and `run` gives timers that keep to microseconds: a generator that
is slower or less punctual than the server would tell its own waiting as the server's.
"""

import asyncio
import selectors
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeVar, cast

HEADER_END = b"\r\n\r\n"
_LENGTH = b"content-length:"
_WHILE_ALL_ARE_BUSY = 0.0002
"""Seconds between two looks at what is overdue; an answer sends it at once."""

Told = TypeVar("Told")


def run(work: Coroutine[Any, Any, Told]) -> Told:
    """Runs it in a loop that waits by `select`: epoll, and so uvloop, waits whole milliseconds, longer than a call takes."""
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        return runner.run(work)


@dataclass(frozen=True)
class Call:
    """POST `body` to `path`."""

    path: str
    body: bytes

    def on_the_wire(self, port: int) -> bytes:
        head = f"POST {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: {len(self.body)}\r\n\r\n"
        return head.encode() + self.body


class Connection(asyncio.Protocol):
    """One call at a time; `answered(connection, body)` at each answer. Anything but 200 ends the run through `done`: a refusal is sooner given than
    an answer, and must not count as one."""

    def __init__(self, answered: Callable[["Connection", bytes], None], done: "asyncio.Future[None]") -> None:
        self._answered, self._done = answered, done
        self._received = b""
        self._transport: asyncio.Transport | None = None
        self.due = 0.0
        """When the call under way was to be sent."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        head = received.find(HEADER_END)
        if head < 0 or len(received) < (end := head + len(HEADER_END) + _length(received[:head])):
            self._received = received
            return
        self._received = received[end:]
        if received.startswith(b"HTTP/1.1 200"):
            self._answered(self, received[head + len(HEADER_END) : end])
        else:
            self._break(RuntimeError(received[:1000].decode("utf-8", "replace")))

    def connection_lost(self, error: Exception | None) -> None:
        self._break(error or ConnectionResetError("the server hung up"))

    def _break(self, error: Exception) -> None:
        if not self._done.done():
            self._done.set_exception(error)

    def send(self, wire: bytes) -> None:
        """The answer is told to `answered`."""
        assert self._transport is not None
        self._transport.write(wire)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _length(head: bytes) -> int:
    head = head.lower()
    at = head.find(_LENGTH)
    if at < 0:
        raise RuntimeError(f"an answer must say its length; got {head[:300]!r}.")
    return int(head[at + len(_LENGTH) :].partition(b"\r")[0])


@dataclass
class Latencies:
    """Seconds from when each call was due to when its answer was there."""

    seconds: list[float] = field(default_factory=list)

    def quantile(self, share: float) -> float:
        ordered = sorted(self.seconds)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


async def top_rate(port: int, calls: Sequence[Call], connections: int, seconds: float) -> float:
    """Answers a second while each connection sends its next call as soon as it has its answer."""
    wires, numbers, answers, done = [call.on_the_wire(port) for call in calls], count(), 0, asyncio.get_running_loop().create_future()
    busy = connections

    def again(connection: Connection, _: bytes) -> None:
        nonlocal answers, busy
        answers += 1
        if time.perf_counter() < end:
            connection.send(wires[next(numbers) % len(wires)])
            return
        busy -= 1
        if not busy and not done.done():
            done.set_result(None)

    opened = await _opened(port, connections, again, done)
    began = time.perf_counter()
    end = began + seconds
    for connection in opened:
        connection.send(wires[next(numbers) % len(wires)])
    await done
    rate = answers / (time.perf_counter() - began)
    _close(opened)
    return rate


async def latencies(port: int, calls: Sequence[Call], rate: float, seconds: float, connections: int = 128) -> Latencies:
    """At a fixed schedule of `rate` calls a second, kept whatever the server does: a call that had to wait for a connection has waited since
    it was due, so a stall is felt by all the calls it held up, and not by one."""
    schedule = _Schedule([call.on_the_wire(port) for call in calls], rate, int(rate * seconds))
    opened = await _opened(port, connections, schedule.answered, schedule.done)
    schedule.begin(opened)
    await schedule.done
    _close(opened)
    return schedule.found


class _Schedule:
    """Call n is due at `began + n / rate`, and sent then or as soon as a connection is idle."""

    def __init__(self, wires: Sequence[bytes], rate: float, calls: int) -> None:
        self._wires, self._rate, self._calls = wires, rate, calls
        self._loop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = self._loop.create_future()
        self.found = Latencies()
        self._idle: deque[Connection] = deque()
        self._sent = 0
        self._began = 0.0

    def begin(self, connections: Sequence[Connection]) -> None:
        self._idle.extend(connections)
        self._began = time.perf_counter()
        self._look()

    def _look(self) -> None:
        self._send_due()
        if self._sent == self._calls or self.done.done():
            return
        early = self._began + self._sent / self._rate - time.perf_counter()
        self._loop.call_later(max(early, _WHILE_ALL_ARE_BUSY), self._look)

    def _send_due(self) -> None:
        now = time.perf_counter()
        while self._idle and self._sent < self._calls and (due := self._began + self._sent / self._rate) <= now:
            connection = self._idle.popleft()
            connection.due = due
            connection.send(self._wires[self._sent % len(self._wires)])
            self._sent += 1

    def answered(self, connection: Connection, _: bytes) -> None:
        self.found.seconds.append(time.perf_counter() - connection.due)
        self._idle.append(connection)
        self._send_due()
        if len(self.found.seconds) == self._calls and not self.done.done():
            self.done.set_result(None)


async def answers(port: int, calls: Sequence[Call]) -> list[bytes]:
    """The bodies of the answers, one call after the other."""
    waiting, found, done = deque(call.on_the_wire(port) for call in calls), list[bytes](), asyncio.get_running_loop().create_future()

    def keep(connection: Connection, body: bytes) -> None:
        found.append(body)
        if waiting:
            connection.send(waiting.popleft())
        else:
            done.set_result(None)

    (connection,) = await _opened(port, 1, keep, done)
    connection.send(waiting.popleft())
    await done
    connection.close()
    return found


async def _opened(port: int, connections: int, answered: Callable[[Connection, bytes], None], done: "asyncio.Future[None]") -> list[Connection]:
    loop = asyncio.get_running_loop()
    return [(await loop.create_connection(lambda: Connection(answered, done), "127.0.0.1", port))[1] for _ in range(connections)]


def _close(connections: Sequence[Connection]) -> None:
    for connection in connections:
        connection.close()
