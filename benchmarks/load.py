"""A load generator for one server on this machine: closed loop for the top rate, open loop for latency. HTTP/1.1 over kept connections."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import cast

HEADER_END = b"\r\n\r\n"


@dataclass(frozen=True)
class Call:
    """POST `body` to `path`."""

    path: str
    body: bytes

    def on_the_wire(self, port: int) -> bytes:
        head = f"POST {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: {len(self.body)}\r\n\r\n"
        return head.encode() + self.body


class Connection(asyncio.Protocol):
    """One call at a time. Anything but 200 ends the run: a refusal is sooner given than an answer, and must not count as one."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._waiting: asyncio.Future[bytes] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head = self._received.find(HEADER_END)
        if head < 0:
            return
        end = head + len(HEADER_END) + _length(bytes(self._received[:head]))
        if len(self._received) >= end and self._waiting is not None:
            answer, self._received = bytes(self._received[:end]), self._received[end:]
            waiting, self._waiting = self._waiting, None
            if answer.startswith(b"HTTP/1.1 200"):
                waiting.set_result(answer[head + len(HEADER_END) :])
            else:
                waiting.set_exception(RuntimeError(answer[:1000].decode("utf-8", "replace")))

    def connection_lost(self, error: Exception | None) -> None:
        if self._waiting is not None:
            self._waiting.set_exception(error or ConnectionResetError("the server hung up"))

    def call(self, wire: bytes) -> "asyncio.Future[bytes]":
        """Send; the future is the answer's body."""
        assert self._transport is not None
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(wire)
        return self._waiting

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    raise RuntimeError(f"an answer must say its length; got {head[:300]!r}.")


@dataclass
class Latencies:
    """Seconds from when each call was due to when its answer was there."""

    seconds: list[float] = field(default_factory=list)

    def quantile(self, share: float) -> float:
        ordered = sorted(self.seconds)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


async def top_rate(port: int, calls: Sequence[Call], connections: int, seconds: float) -> float:
    """Answers a second while each connection sends its next call as soon as it has its answer."""
    wires, numbers = [call.on_the_wire(port) for call in calls], count()
    opened = await _opened(port, connections)
    end = time.perf_counter() + seconds

    async def without_pause(connection: Connection) -> int:
        done = 0
        while time.perf_counter() < end:
            await connection.call(wires[next(numbers) % len(wires)])
            done += 1
        return done

    began = time.perf_counter()
    answers = sum(await asyncio.gather(*map(without_pause, opened)))
    rate = answers / (time.perf_counter() - began)
    _close(opened)
    return rate


async def latencies(port: int, calls: Sequence[Call], rate: float, seconds: float, connections: int = 128) -> Latencies:
    """At a fixed schedule of `rate` calls a second, kept whatever the server does: a call that had to wait for a connection has waited since
    it was due, so a stall is felt by all the calls it held up, and not by one."""
    wires, found, tasks = [call.on_the_wire(port) for call in calls], Latencies(), set[asyncio.Task[None]]()
    opened = await _opened(port, connections)
    idle: asyncio.Queue[Connection] = asyncio.Queue()
    for connection in opened:
        idle.put_nowait(connection)

    async def one(due: float, wire: bytes) -> None:
        connection = await idle.get()
        await connection.call(wire)
        found.seconds.append(time.perf_counter() - due)
        idle.put_nowait(connection)

    began = time.perf_counter()
    for n in range(int(rate * seconds)):
        due = began + n / rate
        if (early := due - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        task = asyncio.create_task(one(due, wires[n % len(wires)]))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    _close(opened)
    return found


async def answers(port: int, calls: Sequence[Call]) -> list[bytes]:
    """The bodies of the answers, one call after the other."""
    (connection,) = await _opened(port, 1)
    found = [await connection.call(call.on_the_wire(port)) for call in calls]
    connection.close()
    return found


async def _opened(port: int, connections: int) -> list[Connection]:
    loop = asyncio.get_running_loop()
    return [(await loop.create_connection(Connection, "127.0.0.1", port))[1] for _ in range(connections)]


def _close(connections: Sequence[Connection]) -> None:
    for connection in connections:
        connection.close()
