"""Where the state of one instance lives, and what time it is there."""

import errno
import os
import time
from pathlib import Path

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})
"""What an OSError says where a disk takes no more."""


def leadscore_home() -> Path:
    """The folder of this instance's state: `LEADSCORE_HOME`, else `.leadscore` where one stands. Not created here."""
    return Path(os.environ.get("LEADSCORE_HOME") or ".leadscore")


def clock() -> int:
    """The wall clock as micros UTC: the one place under data/ that reads it."""
    return time.time_ns() // 1_000
