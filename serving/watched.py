"""The spool as a service uses it: every record counted, and known whether records can be written at all."""

import asyncio
import os
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from tempfile import TemporaryFile

from data.ledger import ScoreRecord
from serving.metrics import Metrics
from serving.spool import Spool, files_in

_LOOK_EVERY_SECONDS = 1.0
_PROBE = bytes(4096)
_WHAT_NOW = "Make room under LEADSCORE_HOME, and see that it can be written."


@dataclass
class WatchedSpool(Spool):
    """A spool that counts what it keeps in `metrics`."""

    metrics: Metrics = field(default_factory=Metrics)
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "spool"))
    _problem: str | None = None
    _looked: float = float("-inf")

    async def keep(self, records: Sequence[ScoreRecord]) -> None:
        """`append_many` for a call: where the disk is waited for, not in the loop's thread, nor in one of those that may all wait for a database."""
        if self.fsync:
            await asyncio.get_running_loop().run_in_executor(self._thread, self.append_many, records)
        else:
            self.append_many(records)

    def close(self) -> None:
        self._thread.shutdown()
        super().close()

    def append(self, record: ScoreRecord) -> None:
        super().append(record)
        self.metrics.scored((record,))

    def append_many(self, records: Iterable[ScoreRecord]) -> None:
        kept = list(records)
        super().append_many(kept)
        self.metrics.scored(kept)

    def waiting_bytes(self) -> int:
        """Bytes in the spool's folder, those of other processes too."""
        waiting = 0
        for path in files_in(self.folder):
            with suppress(FileNotFoundError):
                waiting += path.stat().st_size
        return waiting

    def problem(self) -> str | None:
        """Why nothing can be written to the spool's folder, as of at most a second ago; None where it can."""
        if time.monotonic() - self._looked >= _LOOK_EVERY_SECONDS:
            self._problem = self._look()
            self._looked = time.monotonic()
        return self._problem

    def _look(self) -> str | None:
        """A page is written and taken back: a full disk shows nowhere else."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with TemporaryFile(dir=self.folder, buffering=0) as probe:
                os.write(probe.fileno(), _PROBE)
        except OSError as error:
            return f"the ledger can't be written ({error.strerror}), so no score is given. {_WHAT_NOW}"
        return None
