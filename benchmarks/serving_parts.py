"""Where the time of a score goes, measured within whole answers: each step's clock stops while the steps within it run."""

import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import Any
from unittest.mock import patch

import orjson

from data.home import clock
from serving import assessment, contract, histories, scorer, spool
from serving.scorer import Scored, Scorer

ROUNDS = 7
CHUNK = 32
"""Items that a batch call scores in one go."""

CHECKED, JSON, REST, LEDGER = "the body checked (pydantic)", "the answer as JSON", "policy, answer and record put together", "the ledger's write"
STEPS: tuple[tuple[Any, str, str], ...] = (
    (histories.Reader, "read", "history read: times, types, stages, attributes"),
    (scorer, "compute_told", "features: sweep and encoders"),
    (assessment.Way, "judged", "models, intervals, percentiles"),
    (assessment.Way, "explained", "models, intervals, percentiles, effects"),
    (assessment.Teller, "reasons", "reasons in words"),
)


class Clocks:
    """Seconds by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._within: list[float] = []

    def timed(self, step: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call, its time counted under `step`; a generator is run to its end."""

        def counted(*args: Any, **kwargs: Any) -> Any:
            self._within.append(0.0)
            began = perf_counter()
            found = call(*args, **kwargs)
            found = iter(list(found)) if hasattr(found, "__next__") else found
            taken = perf_counter() - began
            self.seconds[step] = self.seconds.get(step, 0.0) + taken - self._within.pop()
            if self._within:
                self._within[-1] += taken
            return found

        return counted


def parts(scorer_: Scorer, bodies: Sequence[bytes], folder: Path) -> None:
    """Prints microseconds a lead: one by one, in a batch, in a batch without reasons."""
    ledger = spool.Spool(folder)
    ways = {"one by one": (1, True), f"in {CHUNK}s": (CHUNK, True), f"in {CHUNK}s, no reasons": (CHUNK, False)}
    found = {name: _of(scorer_, bodies, ledger, *way) for name, way in ways.items()}
    print(f"| µs a lead, without HTTP | {' | '.join(found)} |\n|---|{'---:|' * len(found)}")
    for step in dict.fromkeys(step for told in found.values() for step in told):
        print(f"| {step} | {' | '.join(f'{told[step]:.0f}' if step in told else '' for told in found.values())} |")
    print(f"| all | {' | '.join(f'{sum(told.values()):.0f}' for told in found.values())} |")
    print(f"| leads/s | {' | '.join(f'{1e6 / sum(told.values()):,.0f}' for told in found.values())} |")


def _of(scorer_: Scorer, bodies: Sequence[bytes], ledger: spool.Spool, size: int, with_reasons: bool) -> dict[str, float]:
    rounds = [_round(scorer_, bodies, ledger, size, with_reasons) for _ in range(ROUNDS)][1:]
    return {step: 1e6 * statistics.median(told[step] for told in rounds) / len(bodies) for step in rounds[0]}


def _round(scorer_: Scorer, bodies: Sequence[bytes], ledger: spool.Spool, size: int, with_reasons: bool) -> dict[str, float]:
    clocks = Clocks()
    check = clocks.timed(CHECKED, contract.ScoreRequest.model_validate_json)
    score, write, dump = clocks.timed(REST, scorer_.score_many), clocks.timed(LEDGER, ledger.append_many), clocks.timed(JSON, orjson.dumps)
    with ExitStack() as stack:
        for owner, name, step in STEPS:
            stack.enter_context(patch.object(owner, name, clocks.timed(step, getattr(owner, name))))
        for begin in range(0, len(bodies), size):
            asked = [check(body) for body in bodies[begin : begin + size]]
            scored: list[Scored] = score(asked, clock(), with_reasons=with_reasons)
            write([record for _, record in scored])
            dump([answer for answer, _ in scored])
    return clocks.seconds
