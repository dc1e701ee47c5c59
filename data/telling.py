"""Progress for people, on standard error."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console


@contextmanager
def telling() -> Iterator[Callable[[str], None]]:
    """What is being done, with the seconds so far: a spinner in a terminal, lines elsewhere."""
    began, console, told = time.perf_counter(), Console(stderr=True), ""
    if console.is_terminal:
        with console.status("starting") as status:
            yield lambda what: status.update(f"{time.perf_counter() - began:4.0f} s  {what}")
        return

    def tell(what: str) -> None:
        nonlocal told
        if what != told:
            sys.stderr.write(f"{time.perf_counter() - began:6.1f} s  {what}\n")
            sys.stderr.flush()
        told = what

    yield tell
