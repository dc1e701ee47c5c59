"""Reports over all leads cost seconds: each is made once for all who ask, in a thread, one at a time, and kept for a minute."""

import asyncio
from collections.abc import Callable
from typing import Any

SECONDS = 60.0
"""For how long a report is given again. What was erased is gone from it by then, too."""


class Kept:
    """What was made, by name. Who asks while it is being made waits for that one; two are never made at once, so that calls go on being answered."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._made: dict[str, Any] = {}
        self._making: dict[str, asyncio.Task[Any]] = {}
        self._alone = asyncio.Lock()

    async def get(self, name: str, make: Callable[[], Any]) -> Any:
        """What `make` (blocking) returns, or returned less than a minute ago under this name; raises what it raises, and keeps nothing then."""
        if name in self._made:
            return self._made[name]
        if name not in self._making:
            self._making[name] = asyncio.create_task(self._make(name, make))
        return await asyncio.shield(self._making[name])

    async def _make(self, name: str, make: Callable[[], Any]) -> Any:
        """Goes on where whoever asked for it has left."""
        try:
            async with self._alone:
                found = await asyncio.to_thread(make)
            self._made[name] = found
            asyncio.get_running_loop().call_later(self._seconds, self._made.pop, name, None)
            return found
        finally:
            del self._making[name]
