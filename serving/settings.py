"""What one service is started with."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from data.contract import DataError
from data.home import leadscore_home
from data.store import store_url

_YES, _NO = frozenset({"1", "true", "yes", "on"}), frozenset({"", "0", "false", "no", "off"})


@dataclass(frozen=True)
class Settings:
    """Read once. `host` is the address listened on: it decides whether the service may be open while no key exists.

    `fsync`: an acknowledged score survives a power cut, too. `rate_per_second` and `burst`: calls that one key may make, in each process.
    """

    store_url: str
    host: str = "127.0.0.1"
    max_body_bytes: int = 10 * 1024 * 1024
    home: Path = field(default_factory=leadscore_home)
    fsync: bool = False
    rate_per_second: float = 2_000
    burst: float = 4_000

    @classmethod
    def from_env(cls, host: str) -> "Settings":
        """The store of `LEADSCORE_DATABASE_URL`, else the one under LEADSCORE_HOME; `LEADSCORE_FSYNC`, `LEADSCORE_RATE_PER_SECOND`.

        Raises DataError.
        """
        rate = _number("LEADSCORE_RATE_PER_SECOND", cls.rate_per_second)
        return cls(store_url(), host, fsync=_flag("LEADSCORE_FSYNC"), rate_per_second=rate, burst=max(1.0, 2 * rate))


def _flag(name: str) -> bool:
    text = os.environ.get(name, "").strip().lower()
    if text not in _YES | _NO:
        raise DataError(f"{name} must be 1 or 0; got {text[:20]!r}.")
    return text in _YES


def _number(name: str, default: float) -> float:
    text = os.environ.get(name, "").strip()
    try:
        number = float(text) if text else default
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise DataError(f"{name} must be a number above 0, such as {default:g}; got {text[:20]!r}.")
    return number
