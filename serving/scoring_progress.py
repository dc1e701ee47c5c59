"""How far a long scoring is, and how long it will take: a bar in a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

_READING, _SCORING = 0.5, 0.95
"""The share of the whole that is done when all is read, and when all is scored: as measured by benchmarks/bench_million.py."""
_EVERY_SECONDS = 10.0


@dataclass(slots=True)
class _Pace:
    """How long the rest will take, at the pace so far; what was done by a run before does not count."""

    began: float
    first: float | None = None

    def left(self, share: float) -> str:
        """In words; empty where too little is known."""
        self.first = share if self.first is None else self.first
        done, seconds = share - self.first, time.perf_counter() - self.began
        if done < 0.02 or seconds < 2:
            return ""
        rest = seconds * (1 - share) / done
        return f"about {rest / 60:.0f} min left" if rest >= 90 else f"about {rest:.0f} s left"


class Steps:
    """Hears how far each step is; subclasses show it."""

    def __init__(self) -> None:
        self._pace = _Pace(time.perf_counter())

    def reading(self, what: str, share: float) -> None:
        """The files, dealt out and checked."""
        self.show(what, _READING * share)

    def scoring(self, share: float) -> None:
        """The partitions."""
        self.show("scoring", _READING + (_SCORING - _READING) * share)

    def counted(self, tables: Iterable[pa.Table], rows: int) -> Iterator[pa.Table]:
        """The tables as they are written."""
        written = 0
        for table in tables:
            yield table
            written += table.num_rows
            self.show("writing", _SCORING + (1 - _SCORING) * written / rows)

    def say(self, what: str) -> None:
        """Something worth knowing, once."""
        raise NotImplementedError

    def show(self, what: str, share: float) -> None:
        """What is being done, and the share of the whole that is done."""
        raise NotImplementedError


class _Bar(Steps):
    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress
        self._task = progress.add_task("reading", total=1.0, left="")

    def say(self, what: str) -> None:
        self._progress.console.print(what, markup=False)

    def show(self, what: str, share: float) -> None:
        self._progress.update(self._task, description=what, completed=share, left=self._pace.left(share))


class _Lines(Steps):
    def __init__(self) -> None:
        super().__init__()
        self._told = time.perf_counter()

    def say(self, what: str) -> None:
        sys.stderr.write(f"{what}\n")
        sys.stderr.flush()

    def show(self, what: str, share: float) -> None:
        now, left = time.perf_counter(), self._pace.left(share)
        if now - self._told >= _EVERY_SECONDS:
            self._told = now
            self.say(f"{share:4.0%}  {what}{', ' * bool(left)}{left}")


@contextmanager
def steps(console: Console) -> Iterator[Steps]:
    """What hears of a scoring's progress, on standard error."""
    if not console.is_terminal:
        yield _Lines()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[left]}"))
    with Progress(*columns, console=console, transient=True) as progress:
        yield _Bar(progress)
