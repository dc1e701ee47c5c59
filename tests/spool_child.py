"""What tests/test_spool_kill.py kills: appends records and says so, while its drainer brings them into the ledger. `URL FOLDER FIRST`."""

import os
import sys
import threading
from itertools import count
from pathlib import Path

from data.store import open_store
from records import numbered
from serving.drainer import Drainer
from serving.spool import Spool


def live(url: str, folder: Path, first: int) -> None:
    """Every third time three records at once; a line to stdout for each once it is acknowledged."""
    spool, store = Spool(folder), open_store(url)
    threading.Thread(target=_drain, args=(spool, Drainer(folder, store)), daemon=True).start()
    for n in count(first, 4):
        spool.append(numbered(n))
        os.write(1, b"%d\n" % n)
        spool.append_many(numbered(n + k) for k in (1, 2, 3))
        os.write(1, b"%d\n%d\n%d\n" % (n + 1, n + 2, n + 3))


def _drain(spool: Spool, drainer: Drainer) -> None:
    while True:
        spool.hand_over()
        drainer.drain()


if __name__ == "__main__":
    live(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
