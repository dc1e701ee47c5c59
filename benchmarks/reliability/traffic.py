"""Callers that never wait for each other, and remember what was acknowledged to them."""

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import urllib3

from benchmarks.reliability.instance import Instance
from data.contract import format_instant
from data.home import clock

DAY = 86_400_000_000


@dataclass
class Acknowledged:
    """What the service said it keeps: leads with the last value of a field, event ids, score ids; and how calls ended that were not kept."""

    leads: dict[str, str] = field(default_factory=dict)
    events: dict[str, str] = field(default_factory=dict)
    scores: dict[str, str] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def total(self) -> int:
        return len(self.leads) + len(self.events) + len(self.scores)


def score_body(lead_id: str) -> dict[str, Any]:
    """A lead of a few events, as a CRM would send it."""
    now = clock()
    events = [{"occurred_at": format_instant(now - n * DAY), "type": "pricing_page_view"} for n in range(5)]
    return {"lead": {"lead_id": lead_id, "created_at": format_instant(now - 20 * DAY)}, "account": {"industry": "it"}, "events": events}


def one_round(instance: Instance, kept: Acknowledged, seen: random.Random) -> None:
    """A new lead, a change of it, five events, a score."""
    lead = uuid4().hex
    created = {"created_at": format_instant(clock() - 5 * DAY), "budget": str(seen.randrange(1000))}
    if _told(instance, kept, "PUT", f"/v1/leads/{lead}", created) is None:
        return
    changed = str(seen.randrange(1000, 2000))
    with kept.lock:
        kept.leads[lead] = created["budget"]
    answer = _told(instance, kept, "PUT", f"/v1/leads/{lead}", {"budget": changed})
    with kept.lock:
        kept.leads[lead] = changed if answer is not None else f"{created['budget']}|{changed}"
    rows = [{"lead_id": lead, "event_id": uuid4().hex, "occurred_at": format_instant(clock() - n * DAY), "type": "email_open"} for n in range(5)]
    if (answer := _told(instance, kept, "POST", "/v1/events", {"items": rows})) is not None:
        assert [result["status"] for result in answer["results"]] == ["created"] * len(rows), answer
        with kept.lock:
            kept.events |= {row["event_id"]: lead for row in rows}
    score_once(instance, kept, lead)


def score_once(instance: Instance, kept: Acknowledged, lead: str) -> None:
    if (answer := _told(instance, kept, "POST", "/v1/score", score_body(lead))) is not None:
        with kept.lock:
            kept.scores[answer["score_id"]] = lead


def _told(instance: Instance, kept: Acknowledged, method: str, path: str, body: Any) -> dict[str, Any] | None:
    began = time.perf_counter()
    try:
        status, answer = instance.call(method, path, body)
    except urllib3.exceptions.HTTPError as error:
        with kept.lock:
            kept.refused[type(error).__name__] += 1
        return None
    with kept.lock:
        kept.milliseconds.append((time.perf_counter() - began) * 1000)
        if status != 200:
            kept.refused[f"{status} {answer.get('error')}"] += 1
    results = answer.get("results", [])
    refused = [result for result in results if "error" in result]
    return answer if status == 200 and not refused else None


class Callers:
    """Threads that call `what(instance, kept, random)` again and again until told to stop, at most `per_second` times each."""

    def __init__(
        self, instance: Instance, kept: Acknowledged, what: Any = one_round, threads: int = 4, per_second: float = 1e9, seed: int = 0
    ) -> None:
        self._stop = threading.Event()
        self._problem: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._run, args=(instance, kept, what, random.Random(seed * 1000 + n), 1 / per_second)) for n in range(threads)
        ]

    def _run(self, instance: Instance, kept: Acknowledged, what: Any, seen: random.Random, pause: float) -> None:
        due = time.monotonic()
        try:
            while not self._stop.is_set():
                what(instance, kept, seen)
                due = max(due + pause, time.monotonic() - 1)
                self._stop.wait(max(0.0, due - time.monotonic()))
        except BaseException as error:  # noqa: BLE001 - told to whoever waits for the callers
            self._problem = error

    def __enter__(self) -> "Callers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if self._problem is not None:
            raise self._problem
