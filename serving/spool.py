"""The spool: what a score's record is appended to before the score is answered. It needs no database; serving/drainer.py empties it into the ledger.

A process only ever appends, to one file at a time, and holds its lock meanwhile. It hands a file over by letting go of the lock, as its end would:
whoever gets the lock of a file that it did not make, has inherited it. So there is one way into the ledger, whether the writer lives or not.
"""

import errno
import fcntl
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self
from uuid import uuid4

from data.ledger import ScoreRecord
from serving.errors import LedgerDown
from serving.spool_format import packed

LARGEST = 8 * 1024 * 1024
"""Bytes after which a file is followed by the next one."""

HAND_OVER_SECONDS = 0.25
SUFFIX = ".spool"
TORN = "torn"

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_WHAT_NOW = "Make room under LEADSCORE_HOME, and see that it can be written."


@dataclass
class SpoolFile:
    """A file of the spool whose lock this process holds."""

    path: Path
    fd: int
    size: int = 0
    records: int = 0

    @classmethod
    def made(cls, folder: Path, durable: bool) -> Self:
        """A new file, locked. One that another process inherited before it was locked is left to it."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        while True:
            path = folder / f"{uuid4().hex}{SUFFIX}"
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            if _locked(fd):
                break
            os.close(fd)
        if durable:
            _sync_folder(folder)
        return cls(path, fd)

    @classmethod
    def inherited(cls, path: Path) -> Self | None:
        """A file that its process has handed over, or left by ending; None while it writes it, where another has taken it, or where it is another
        user's."""
        try:
            fd = os.open(path, os.O_RDWR)
        except (FileNotFoundError, PermissionError):
            return None
        if not _locked(fd):
            os.close(fd)
            return None
        return cls(path, fd, os.fstat(fd).st_size)

    def content(self) -> bytes:
        """All of it, also of a file that somebody has deleted."""
        return os.pread(self.fd, os.fstat(self.fd).st_size, 0)

    def release(self) -> None:
        """Let go of the lock; the file stays for whoever takes it."""
        os.close(self.fd)

    def remove(self) -> None:
        """The file's records are in the ledger: it goes."""
        self.path.unlink(missing_ok=True)
        os.close(self.fd)


def _locked(fd: int) -> bool:
    """Whether the lock is ours and the file is still there: who had it before may have removed it."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(fd).st_nlink > 0


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def orphans(folder: Path) -> Iterator[SpoolFile]:
    """The files that nobody writes any more, locked one after the other; the caller removes or releases each."""
    for path in files_in(folder):
        if (file := SpoolFile.inherited(path)) is not None:
            yield file


def files_in(folder: Path) -> list[Path]:
    """Every file of the spool, whoever's it is."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def waiting(folder: Path) -> list[Path]:
    """Those of them that hold anything. Once they are gone, all that was acknowledged before the call is in the ledger."""
    return [path for path in files_in(folder) if _holds_anything(path)]


def _holds_anything(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False


class Backlog(NamedTuple):
    """What this process has acknowledged and is not in the ledger yet."""

    records: int
    bytes: int


class _HandedOver(NamedTuple):
    path: Path
    records: int
    bytes: int


@dataclass
class Spool:
    """This process's end of the spool under `folder`. `fsync`: a record is on the disk, not only with the system, before the score is answered.

    Any thread may call; the first append makes the folder and the file.
    """

    folder: Path
    fsync: bool = False
    _current: SpoolFile | None = None
    _handed_over: list[_HandedOver] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def append(self, record: ScoreRecord) -> None:
        """Keeps the record, or raises LedgerDown and keeps nothing of it."""
        self._write(packed(record), 1)

    def append_many(self, records: Iterable[ScoreRecord]) -> None:
        """Keeps all of them with one write, or raises LedgerDown and keeps none."""
        pieces = [packed(record) for record in records]
        if pieces:
            self._write(b"".join(pieces), len(pieces))

    def _write(self, content: bytes, records: int) -> None:
        with self._lock:
            try:
                file = self._writable()
                self._add(file, content)
            except OSError as error:
                raise LedgerDown(f"the ledger can't be written ({error.strerror}), so no score is given. {_WHAT_NOW}") from None
            file.size += len(content)
            file.records += records

    def _writable(self) -> SpoolFile:
        if self._current is not None and self._current.size >= LARGEST:
            self._let_go()
        if self._current is None:
            self._current = SpoolFile.made(self.folder, self.fsync)
        return self._current

    def _add(self, file: SpoolFile, content: bytes) -> None:
        """All of it, or the file as it was."""
        try:
            written = os.write(file.fd, content)
            while written < len(content):
                written += os.write(file.fd, content[written:])
            if self.fsync:
                os.fsync(file.fd)
        except OSError as error:
            self._restore(file, full=error.errno in _FULL)
            raise

    def _restore(self, file: SpoolFile, full: bool) -> None:
        """A file that is no more than full is written on; any other is followed by a new one."""
        with suppress(OSError):
            os.ftruncate(file.fd, file.size)
            if full:
                return
        self._let_go()

    def _let_go(self) -> None:
        """The current file is written no more: it is a drainer's, or goes if it holds nothing."""
        if (file := self._current) is None:
            return
        self._current = None
        if file.size:
            self._handed_over.append(_HandedOver(file.path, file.records, file.size))
            file.release()
        else:
            file.remove()

    def hand_over(self) -> None:
        """Lets go of the current file, if it holds anything and none that was let go of before still waits: so an outage makes one file for each
        8 MB, not one for each call. Call every `HAND_OVER_SECONDS`, as `handing_over` does.

        The next file is made here: a disk that others wait for may take milliseconds for that, and they would be a score's.
        """
        if (file := self._due()) is None:
            return
        fresh = None
        with suppress(OSError):  # where there is no room for another file, draining this one makes some
            fresh = SpoolFile.made(self.folder, self.fsync)
        with self._lock:
            if self._current is file:
                self._let_go()
                self._current, fresh = fresh, None
        if fresh is not None:
            fresh.remove()

    def _due(self) -> SpoolFile | None:
        """The current file, where it is to be handed over."""
        with self._lock:
            self._forget_drained()
            return self._current if self._current is not None and self._current.size and not self._handed_over else None

    def handing_over(self, stop: threading.Event) -> None:
        """Hand over every `HAND_OVER_SECONDS` until told to stop."""
        while not stop.wait(HAND_OVER_SECONDS):
            self.hand_over()

    def _forget_drained(self) -> None:
        self._handed_over = [file for file in self._handed_over if file.path.exists()]

    def backlog(self) -> Backlog:
        """What of this process is not in the ledger yet: a file that is gone has been drained."""
        with self._lock:
            self._forget_drained()
            records, size = (self._current.records, self._current.size) if self._current is not None else (0, 0)
            return Backlog(records + sum(file.records for file in self._handed_over), size + sum(file.bytes for file in self._handed_over))

    def close(self) -> None:
        """Let go of the file, for whoever drains; one that holds nothing goes."""
        with self._lock:
            self._let_go()
