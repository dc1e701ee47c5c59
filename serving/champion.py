"""What serves: the champion's bundle with the live policy, warm, and watched for the next one."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy.exc import SQLAlchemyError

from data.contract import DAY, HOUR, DataError, format_instant
from data.funnel import Funnel, load_funnel
from data.home import clock, leadscore_home
from data.pending import mark_open
from data.store import Store
from registry.bundle import Bundle
from serving.contract import EventRow, ScoreRequest
from serving.errors import NoChampion, NotReady
from serving.logs import place_of
from serving.reports.model import served
from serving.scorer import Scorer
from serving.warm import warm

POLL_SECONDS = 1.0

_LOG = logging.getLogger("leadscore.champion")


@dataclass(frozen=True)
class Serving:
    """One promotion, ready to answer."""

    scorer: Scorer
    seq: int
    promoted_at: int

    @cached_property
    def model(self) -> dict[str, Any]:
        """What `GET /v1/model` says of what serves."""
        return served(self.scorer.bundle, self.scorer.version, format_instant(self.promoted_at))


class Champion:
    """Holds what serves in one reference: a call takes it once and keeps it, so that a promotion never changes an answer half way.

    An older champion goes on serving while the store is down or the next bundle is broken, an older policy while funnel.toml is; `down` says so.
    Only `refresh` writes, and always whole new values: the thread that runs it and the calls need no lock.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._serving: Serving | None = None
        self._seen: int | None = None
        self._funnel = Funnel()
        self._stamp: int | None = None
        self._problems: dict[str, str] = {"kernel": "the kernels are being loaded."}
        self._stopping = asyncio.Event()
        self._looked = asyncio.Event()

    @property
    def down(self) -> dict[str, str]:
        """What is down (kernel, policy, database, champion) and why."""
        loading = self._serving is None and not self._problems
        return {"champion": _LOADING} if loading else dict(self._problems)

    @property
    def ready(self) -> bool:
        """Whether scores are given: something of what is `down` may be survivable."""
        return self._serving is not None

    @property
    def version(self) -> str | None:
        """The version that serves."""
        return self._serving.scorer.version if self._serving else None

    @property
    def minds_colleagues(self) -> bool:
        """Whether a lead's score depends on what others at its account do."""
        return self._serving is not None and self._serving.scorer.bundle.schema.colleagues

    @property
    def funnel(self) -> Funnel:
        """funnel.toml as it was last read whole; its defaults before that."""
        return self._funnel

    def take(self) -> Serving:
        """What serves now. Raises NoChampion before the first promotion, NotReady while it is being loaded or can't be."""
        if self._serving is not None:
            return self._serving
        if self._problems.get("champion") == _NONE_YET:
            raise NoChampion(_NONE_YET)
        raise NotReady("no model is loaded: " + " ".join(self.down.values()))

    async def watch(self) -> None:
        """Look for a new champion or policy at once and every `POLL_SECONDS`, until `stop`."""
        while not self._stopping.is_set():
            await asyncio.to_thread(self.refresh)
            self._looked.set()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), POLL_SECONDS)

    async def looked(self, seconds: float) -> None:
        """Returns after the first look, or after so many seconds without one."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._looked.wait(), seconds)

    def stop(self) -> None:
        """Let `watch` return once its look at the store is over."""
        self._stopping.set()

    def refresh(self) -> None:
        """One look at funnel.toml and at the store; blocking. What goes wrong is told once and tried again at the next look."""
        if "kernel" in self._problems:
            self._attempt("kernel", warm)
        if "kernel" not in self._problems:
            self._attempt("policy", self._follow_policy)
            self._attempt("database", self._follow_store)

    def _attempt(self, part: str, step: Callable[[], None]) -> None:
        try:
            step()
        except DataError as error:
            self._tell(part, str(error))
        except SQLAlchemyError as error:
            self._tell(part, f"the operational store does not answer ({type(error).__name__}).")
        except Exception as error:  # noqa: BLE001 - a watch that died of one bad bundle would miss the good one after it
            self._tell(part, f"{type(error).__name__} in {place_of(error)}.")
        else:
            self._problems = {other: problem for other, problem in self._problems.items() if other != part}

    def _tell(self, part: str, problem: str) -> None:
        if self._problems.get(part) != problem:
            _LOG.warning("%s: %s", part, problem)
        self._problems = self._problems | {part: problem}

    def _follow_policy(self) -> None:
        """A file that could not be used is read again at every look."""
        stamp = _stamp(leadscore_home() / "funnel.toml")
        if stamp == self._stamp and "policy" not in self._problems:
            return
        funnel = load_funnel(None)
        self._stamp = stamp
        if funnel != self._funnel and self._serving is not None:
            self._serving = replace(self._serving, scorer=_scorer(self._serving.scorer.bundle, self._serving.scorer.version, funnel))
            mark_open(self._store, clock())  # by each process, once it scores so itself: none must be left as another had it
        self._funnel = funnel

    def _follow_store(self) -> None:
        current = self._store.champion()
        if current is None:
            return self._tell("champion", _NONE_YET)
        if current[1] == self._seen:
            return None
        version, seq = current
        content = self._store.bundle(version)
        promoted_at = next(p.promoted_at for p in self._store.champions() if p.seq == seq)
        self._attempt("champion", lambda: self._load(version, content, seq, promoted_at))
        return None

    def _load(self, version: str, content: bytes, seq: int, promoted_at: int) -> None:
        try:
            bundle = Bundle.from_bytes(content)
        except DataError:
            self._seen = seq  # its bytes will not be better at the next look
            raise
        self._serving = Serving(_scorer(bundle, version, self._funnel), seq, promoted_at)
        self._seen = seq
        _LOG.info("version %s serves", version)


def _scorer(bundle: Bundle, version: str, funnel: Funnel) -> Scorer:
    """A scorer that has been through everything a request may need: every stage, type and attribute once."""
    scorer = Scorer.of(bundle, version, funnel)
    now = clock()
    columns = [column.split(".", 1) for column in bundle.schema.inputs]
    lead, account = ({field: "1" for table, field in columns if table == name} for name in ("lead", "account"))
    lead["created_at"] = format_instant(now - DAY)
    events: list[EventRow] = [{"occurred_at": now - HOUR, "type": kind.name, "value": 1.0} for kind in bundle.schema.types]
    events += [{"occurred_at": now - HOUR, "recorded_at": now, "type": kind.name, "channel": "web"} for kind in bundle.schema.types]
    for stage in (s for s in bundle.path if s in bundle.schema.stages):  # the outcome of a flat file is none
        request = ScoreRequest.model_construct(
            lead=lead, account=account, events=events, stages=[], deals=[], account_events=events, stage=stage, as_of=now
        )
        orjson.dumps(scorer.answer(request, now, all_reasons=True))
    return scorer


def _stamp(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


_LOADING = "the champion is being loaded."
_NONE_YET = "no model has been promoted yet. `leadscore train DATASET` makes one, `leadscore promote VERSION` lets it serve."
