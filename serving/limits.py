"""How often one caller may call: token buckets, told apart by name."""

from collections.abc import Hashable
from ipaddress import ip_address, ip_network

MOST_NAMES = 10_000
_OF_V6 = 64


class Buckets:
    """A bucket per name holds up to `burst` tokens and gains `per_second`. Instants are seconds of any clock that only goes forward.

    At most `MOST_NAMES` are remembered: a full bucket is as good as none, and beyond those the fullest are forgotten first.
    """

    def __init__(self, per_second: float, burst: float) -> None:
        self._step = 1.0 / per_second
        self._room = burst / per_second
        # When the bucket will be full again; a name that is not here has a full one.
        self._full_at: dict[Hashable, float] = {}

    def __len__(self) -> int:
        return len(self._full_at)

    def wait(self, name: Hashable, now: float) -> float:
        """Seconds until there is a token; 0 where there is one. Takes none."""
        return max(0.0, self._full_at.get(name, now) + self._step - self._room - now)

    def take(self, name: Hashable, now: float) -> float:
        """Takes a token and returns 0, or takes none and returns the seconds until there is one."""
        full_at = max(self._full_at.get(name, now), now) + self._step
        # A millionth of a second of patience: sums of floats don't come out even.
        if full_at - now > self._room + 1e-6:
            return full_at - now - self._room
        if len(self._full_at) >= MOST_NAMES and name not in self._full_at:
            self._forget(now)
        self._full_at[name] = full_at
        return 0.0

    def _forget(self, now: float) -> None:
        kept = sorted((at, n) for n, (name, at) in enumerate(self._full_at.items()) if at > now)[-MOST_NAMES // 2 :]
        names = list(self._full_at)
        self._full_at = {names[n]: at for at, n in kept}


def neighbourhood(address: str) -> str:
    """What one guesser can call from: the address, or the /64 network of an IPv6 one. Anything else is itself."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return address if parsed.version == 4 else str(ip_network((parsed, _OF_V6), strict=False))
