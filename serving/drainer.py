"""The drainer: brings what the spool holds into the ledger, of this process and of those that have ended."""

import logging
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy.exc import DataError, IntegrityError, OperationalError, SQLAlchemyError

from data.ledger import BATCH, ScoreRecord, insert
from data.store import Store
from serving.logs import place_of
from serving.spool import TORN, Spool, SpoolFile, orphans, packed, unpacked, waiting

EVERY_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 5.0
"""Between two looks while the database is down."""

_LIMIT_EXCEEDED = "54"
_LOG = logging.getLogger("leadscore.ledger")


class Drainer:
    """Empties the spool into the store. `run` belongs into a thread of its own; the rest may be read from any."""

    def __init__(self, spool: Spool, store: Store) -> None:
        self._spool = spool
        self._store = store
        self.problem: str | None = None
        """Why records wait, where they do."""
        self.drained = 0
        self.torn = 0
        """Damaged bytes found so far; what they were is in the spool's folder `torn`."""

    def run(self, stop: threading.Event) -> None:
        """Drain every `EVERY_SECONDS` until told to stop, then once more; less often while the database is down."""
        wait = EVERY_SECONDS
        while not stop.wait(wait):
            wait = EVERY_SECONDS if self._attempt() else min(wait * 2, LONGEST_WAIT_SECONDS)
        self._attempt()

    def _attempt(self) -> bool:
        try:
            self.drain()
        except SQLAlchemyError as error:
            self._tell(f"the operational store does not answer ({type(error).__name__}); scores wait in the spool.")
        except Exception as error:  # noqa: BLE001 - a drainer that died would let the spool grow for ever
            self._tell(f"{type(error).__name__} in {place_of(error)}; scores wait in the spool.")
        else:
            self.problem = None
        return self.problem is None

    def _tell(self, problem: str) -> None:
        if problem != self.problem:
            _LOG.warning(problem)
        self.problem = problem

    def drain(self) -> int:
        """One pass over this process's files and those of ended ones; how many records were new. Raises SQLAlchemyError and loses nothing."""
        added = 0
        for file in self._spool.sealed():
            added += self._empty(file)
            self._spool.drained(file)
        return added + self._inherit()

    def _inherit(self) -> int:
        added = 0
        for file in orphans(self._spool.folder):
            try:
                added += self._empty(file)
            except BaseException:
                file.release()
                raise
            file.remove()
        return added

    def _empty(self, file: SpoolFile) -> int:
        records, torn = unpacked(file.content())
        added = sum(_kept(self._store, batch, self._spool.folder) for batch in _batches(records))
        if torn:
            self.torn += sum(map(len, torn))
            _LOG.warning("a spool file held %d damaged bytes beside %d whole records", sum(map(len, torn)), len(records))
            _set_aside(self._spool.folder, file.path.stem, b"".join(torn))
        self.drained += added
        return added


def _batches(records: Sequence[ScoreRecord]) -> Iterator[Sequence[ScoreRecord]]:
    return (records[start : start + BATCH] for start in range(0, len(records), BATCH))


def _kept(store: Store, batch: Sequence[ScoreRecord], folder: Path) -> int:
    """How many of the batch were new. A record that the database takes in no way is set aside, so that it does not hold up the others."""
    try:
        return insert(store, batch)
    except (SQLAlchemyError, ValueError, ArithmeticError) as error:
        if not _is_refusal(error):
            raise
        if len(batch) > 1:
            half = len(batch) // 2
            return _kept(store, batch[:half], folder) + _kept(store, batch[half:], folder)
        _LOG.error("a score can't be put into the ledger (%s)", type(error).__name__)
        _set_aside(folder, batch[0].score_id, packed(batch[0]))
        return 0


def _is_refusal(error: Exception) -> bool:
    """Whether it is the values that the database does not take, today or ever; anything else may pass."""
    if isinstance(error, OperationalError):
        return str(getattr(error.orig, "sqlstate", "")).startswith(_LIMIT_EXCEEDED)
    return isinstance(error, DataError | IntegrityError | ValueError | ArithmeticError)


def _set_aside(folder: Path, name: str, content: bytes) -> None:
    """The same again, after a pass that the database broke off, is written over."""
    aside = folder / TORN
    aside.mkdir(mode=0o700, exist_ok=True)
    (aside / name).write_bytes(content)


def purge(folder: Path, patience: float) -> bool:
    """Call once an erasure is committed: waits up to `patience` seconds until the drainers, which keep nothing of an erased lead, are through with
    every file that held anything, and removes what was set aside: what can't be read can't be shown to hold nothing of the lead.
    False where a file is still there: its process hangs, or the database is down.
    """
    older, deadline = waiting(folder), time.monotonic() + patience
    while any(path.exists() for path in older) and time.monotonic() < deadline:
        time.sleep(EVERY_SECONDS / 20)
    shutil.rmtree(folder / TORN, ignore_errors=True)
    return not any(path.exists() for path in older)
