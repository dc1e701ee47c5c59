"""The spool: what a score's record is appended to before the score is answered. It needs no database; serving/drainer.py empties it into the ledger.

A record is `magic, length, crc32` and the payload: `length of the told part, the told part (JSON), the features (float32)`. One write a record.
A process writes to one file at a time, locked for as long as it lives; whoever gets the lock of a file that it did not make, inherits it.
"""

import errno
import fcntl
import os
import struct
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self
from uuid import uuid4
from zlib import crc32

import orjson

from data.ledger import ScoreRecord
from serving.errors import LedgerDown

LARGEST = 8 * 1024 * 1024
"""Bytes after which a file is followed by the next one."""
SUFFIX = ".spool"
TORN = "torn"

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_WHAT_NOW = "Make room under LEADSCORE_HOME, and see that it can be written."
_MAGIC = b"\xf5LS\x01"
_HEAD = struct.Struct("<4sII")
_TOLD = struct.Struct("<I")


def packed(record: ScoreRecord) -> bytes:
    """The record as it stands in a file."""
    return framed(orjson.dumps(record[:-1]), record.features)


def framed(told: bytes, features: bytes) -> bytes:
    payload = b"".join((_TOLD.pack(len(told)), told, features))
    return _HEAD.pack(_MAGIC, len(payload), crc32(payload, len(payload))) + payload


class Content(NamedTuple):
    """What a file holds: its whole records in order, and the pieces that are none."""

    records: list[ScoreRecord]
    torn: list[bytes]


def unpacked(content: bytes) -> Content:
    """Reads on behind a damaged piece at the next whole record; never raises."""
    found = Content([], [])
    at = read = 0
    while at < len(content):
        record, end = _record(content, at)
        if record is None:
            at = _next_magic(content, at + 1)
            continue
        if read < at:
            found.torn.append(content[read:at])
        found.records.append(record)
        at = read = end
    if read < len(content):
        found.torn.append(content[read:])
    return found


def _record(content: bytes, at: int) -> tuple[ScoreRecord | None, int]:
    """The whole record that begins at `at`, or None where there is none, and where it ends."""
    start = at + _HEAD.size
    if start > len(content):
        return None, at
    magic, length, check = _HEAD.unpack_from(content, at)
    payload = content[start : start + length]
    if magic != _MAGIC or len(payload) < length or crc32(payload, length) != check:
        return None, at
    try:
        (told,) = _TOLD.unpack_from(payload)
        fields = orjson.loads(payload[_TOLD.size : _TOLD.size + told])
        return ScoreRecord._make([*fields, payload[_TOLD.size + told :]]), start + length
    except (struct.error, ValueError, TypeError):
        return None, at


def _next_magic(content: bytes, at: int) -> int:
    found = content.find(_MAGIC, at)
    return len(content) if found < 0 else found


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
        """The file of a process that has ended; None while it lives, where another has taken it, or where it is another user's."""
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
    """The files of processes that have ended, locked one after the other; the caller removes or releases each."""
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
    """What this process has acknowledged and not yet brought into the ledger."""

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
    _sealed: list[SpoolFile] = field(default_factory=list)
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
            self._put_aside()
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
        self._put_aside()

    def _put_aside(self) -> None:
        if self._current is not None:
            self._sealed.append(self._current)
            self._current = None

    def sealed(self) -> Sequence[SpoolFile]:
        """The files that are written no more, oldest first. Where there are none the current one becomes one, if it holds anything."""
        with self._lock:
            if not self._sealed and self._current is not None and self._current.size:
                self._put_aside()
            return tuple(self._sealed)

    def drained(self, file: SpoolFile) -> None:
        """Its records are in the ledger: the file goes."""
        file.remove()
        with self._lock:
            self._sealed.remove(file)

    def backlog(self) -> Backlog:
        """What this process has yet to bring into the ledger."""
        with self._lock:
            held = [*self._sealed, *([self._current] if self._current else [])]
            return Backlog(sum(file.records for file in held), sum(file.size for file in held))

    def close(self) -> None:
        """Let go of every file; one that holds nothing goes, the others wait for the next process."""
        with self._lock:
            self._put_aside()
            for file in self._sealed:
                file.release() if file.size else file.remove()
            self._sealed.clear()
