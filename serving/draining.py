"""The drainer as a process of its own, with less of a claim on the processors than the calls have: started and watched by `leadscore serve`.

It ends when the pipe at its standard input does: closed by the service once no score is given any more, or by the service's end, however that came.
Where there is none, or while it begins anew, the processes that write drain for themselves (serving/background.py).
"""

import logging
import logging.config
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from data.contract import DataError

if TYPE_CHECKING:
    from data.store import Store

NICE = 10
ENDS_WITHIN_SECONDS = 10.0
"""From when it is told to end until it is killed, which loses nothing: what is left waits for the next service."""

AGAIN_AFTER_SECONDS = 1.0

# Not by `-m`: in the folder that the command is given in there may be a `data` or a `serving` that is somebody else's.
_PROGRAM = "import os; os.nice({}); import sys; sys.path.append({!r}); from serving.draining import main; main()"
_LOG = logging.getLogger("leadscore.ledger")


class DrainerProcess:
    """The service's end: a context in which the process runs, begun anew whenever it dies. After it the process has made a last pass."""

    def __init__(self) -> None:
        self._ending = threading.Event()
        self._process = _started()
        self._watch = threading.Thread(target=self._live, name="watching the drainer", daemon=True)
        self._watch.start()

    @property
    def pid(self) -> int:
        """Of the process that drains now."""
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ending.set()
        _told_to_end(self._process)
        self._watch.join(ENDS_WITHIN_SECONDS)
        if self._watch.is_alive():
            self._process.kill()
            self._watch.join()

    def _live(self) -> None:
        while True:
            code = self._process.wait()
            if self._ending.is_set():
                return
            _LOG.error("the drainer ended with exit code %d and begins anew", code)
            _told_to_end(self._process)
            self._begin_anew()
            if self._ending.is_set():
                _told_to_end(self._process)

    def _begin_anew(self) -> None:
        """Also where the machine has no room for a process just now; meanwhile the processes that write drain."""
        while not self._ending.wait(AGAIN_AFTER_SECONDS):
            try:
                self._process = _started()
            except OSError as error:
                _LOG.error("the drainer can't be started: %s", error.strerror)
            else:
                return


def _started() -> "subprocess.Popen[bytes]":
    program = _PROGRAM.format(NICE, str(Path(__file__).parent.parent))
    return subprocess.Popen([sys.executable, "-P", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)


def _told_to_end(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdin is not None
    with suppress(OSError):
        process.stdin.close()


def main() -> None:
    """The process's end: drains the spool of LEADSCORE_HOME until standard input ends, then once more."""
    for ending in (signal.SIGINT, signal.SIGTERM):  # sent to the whole group; the service is still answering then
        signal.signal(ending, signal.SIG_IGN)
    stop = threading.Event()
    threading.Thread(target=_until_the_end, args=(stop,), daemon=True).start()

    from data.home import leadscore_home
    from serving.drainer import Drainer
    from serving.logs import log_config

    logging.config.dictConfig(log_config())
    if (store := _opened(stop)) is not None:
        with store:
            Drainer(leadscore_home() / "spool", store, stays=True).run(stop)


def _until_the_end(stop: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    stop.set()


def _opened(stop: threading.Event) -> "Store | None":
    """The store, once it can be reached; None where told to end before."""
    from data.store import open_store

    told = ""
    while not stop.is_set():
        try:
            return open_store()
        except DataError as error:
            if str(error) != told:
                _LOG.warning("%s", told := str(error))
        stop.wait(AGAIN_AFTER_SECONDS)
    return None
