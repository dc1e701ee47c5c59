"""The drainer: brings the files that nobody writes any more into the ledger. serving/draining.py runs it as a process of its own.

One drainer works on a folder at a time: whoever holds the lock of its file `drainer.lock`. What is drained twice all the same is there once.
"""

import fcntl
import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy.exc import DataError, IntegrityError, OperationalError, SQLAlchemyError

from data.ledger import BATCH, ScoreRecord, insert
from data.store import Store
from serving.logs import place_of
from serving.spool import TORN, SpoolFile, orphans, waiting
from serving.spool_format import packed, unpacked

EVERY_SECONDS = 0.25
LONGEST_WAIT_SECONDS = 5.0
"""Between two looks while the database is down."""

PASS_SECONDS = 5.0
"""After which a pass ends with the file that it is at: one that is told to stop, or to leave the work to another, soon does."""

LOCK = "drainer.lock"

_LOOK_SECONDS = 0.02
_LIMIT_EXCEEDED = "54"
_LOG = logging.getLogger("leadscore.ledger")


class Drainer:
    """Empties the folder's files into the store. `run` belongs into a thread or a process of its own.

    `stays`: keeps the lock once it has it, and is the one that drains. Else it drains while nobody stays, and gives way to who comes to.
    """

    def __init__(self, folder: Path, store: Store, stays: bool = False) -> None:
        self._folder = folder
        self._store = store
        self._stays = stays
        self._lock: int | None = None
        self.problem: str | None = None
        """Why records wait, where they do."""
        self.drained = 0
        self.torn = 0
        """Damaged bytes found so far; what they were is in the folder's `torn`."""

    def run(self, stop: threading.Event) -> None:
        """Drain every `EVERY_SECONDS` until told to stop, then once more; less often while the database is down."""
        wait = EVERY_SECONDS
        try:
            while not stop.wait(wait):
                wait = EVERY_SECONDS if self._attempt() else min(wait * 2, LONGEST_WAIT_SECONDS)
            self._attempt()
        finally:
            self._unlock()

    def _attempt(self) -> bool:
        """Whether nothing went wrong; nothing does where another drains."""
        try:
            if self._locked():
                self.drain(PASS_SECONDS)
        except SQLAlchemyError as error:
            self._tell(f"the operational store does not answer ({type(error).__name__}); scores wait in the spool.")
        except Exception as error:  # noqa: BLE001 - a drainer that died would let the spool grow for ever
            self._tell(f"{type(error).__name__} in {place_of(error)}; scores wait in the spool.")
        else:
            self.problem = None
        if not self._stays:
            self._unlock()
        return self.problem is None

    def _tell(self, problem: str) -> None:
        if problem != self.problem:
            _LOG.warning(problem)
        self.problem = problem

    def _locked(self) -> bool:
        """Whether this one drains the folder; where there is no folder there is nothing to drain."""
        if self._lock is None and self._folder.is_dir():
            self._lock = _lock_of(self._folder)
        return self._lock is not None

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def drain(self, seconds: float = float("inf")) -> int:
        """One pass; how many records were new. Begins no further file after so many seconds. Raises SQLAlchemyError and loses nothing."""
        added, deadline = 0, time.monotonic() + seconds
        for file in orphans(self._folder):
            try:
                added += self._empty(file)
            except BaseException:
                file.release()
                raise
            file.remove()
            if time.monotonic() > deadline:
                break
        return added

    def _empty(self, file: SpoolFile) -> int:
        records, torn = unpacked(file.content())
        added = sum(_kept(self._store, batch, self._folder) for batch in _batches(records))
        if torn:
            self.torn += sum(map(len, torn))
            _LOG.warning("a spool file held %d damaged bytes beside %d whole records", sum(map(len, torn)), len(records))
            _set_aside(self._folder, file.path.stem, b"".join(torn))
        self.drained += added
        return added


def _lock_of(folder: Path) -> int | None:
    """The lock on draining the folder, or None where another has it; closing it lets go."""
    fd = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


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
    """Call once an erasure is committed: waits up to `patience` seconds until every file that held anything has been handed over by its process and
    drained, which keeps nothing of an erased lead, and removes what was set aside: what can't be read can't be shown to hold nothing of the lead.
    False where a file is still there: its process hangs, nobody drains, or the database is down.
    """
    older, deadline = waiting(folder), time.monotonic() + patience
    while any(path.exists() for path in older) and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
    shutil.rmtree(folder / TORN, ignore_errors=True)
    return not any(path.exists() for path in older)
