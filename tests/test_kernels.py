"""The sweep's rows are the same for any number of threads, any partition of the leads and any order of rows; no fresh process compiles a kernel."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from data.contract import DAY
from feature_oracle import TEAM, TYPES
from features import sweep
from features import timeline as timelines
from features.schema import Schema
from features.sweep import MEMO_FROM, NO_VALUE
from features.timeline import Past, Timeline, build, run, run_told
from features.warm import warm

SCHEMA = Schema(("lead", "prospect", "opportunity"), ("disqualified", "lost"), TYPES, (), channels=("mail", "phone"), late=True, event_groups=(TEAM,))
BEGIN = 1_700_000_000_000_000
LEADS = 400
AT_ONCE = """
from features import colleagues, sorting, sweep
from features.warm import warm
warm()
kernels = {k.__name__: k for module in (sweep, sorting, colleagues) for k in vars(module).values() if hasattr(k, "stats")}
assert len(kernels) >= 10
print([name for name, kernel in kernels.items() if kernel.stats.cache_misses])
"""


class World:
    """Histories as columns, events and entries in no order; every lead is asked about at eight instants, the first before its creation."""

    def __init__(self, seed: int) -> None:
        draw = np.random.default_rng(seed)
        n = 30 * LEADS
        self.created = BEGIN + draw.integers(0, 30 * DAY, LEADS)
        self.owner = (LEADS * draw.random(n) ** 2).astype(np.int64)
        self.time = self.created[self.owner] + draw.integers(-5 * 24, 120 * 24, n) * (DAY // 24)
        self.kind = draw.integers(0, len(SCHEMA.program.member), n).astype(np.int16)
        self.value = np.where(draw.random(n) < 0.6, draw.integers(-(10**9), 10**9, n), NO_VALUE)
        self.stood, self.entered = draw.integers(0, LEADS, 900), BEGIN + draw.integers(0, 150 * DAY, 900)
        self.stage = draw.integers(0, 5, 900).astype(np.int16)
        self.lead = np.repeat(np.arange(LEADS), 8)
        self.as_of = np.sort(self.created[:, None] + draw.integers(-DAY, 130 * DAY, (LEADS, 8)), axis=1).ravel()

    def timeline(self, of: np.ndarray, order: np.ndarray | None = None) -> Timeline:
        """Of some of the leads, in their order; events in another order."""
        order = np.arange(self.owner.size) if order is None else order
        place = np.full(LEADS, -1)
        place[of] = np.arange(of.size)
        events = (place[self.owner[order]], self.kind[order], self.time[order], self.value[order])
        return build(self.created[of], events, (place[self.stood], self.stage, self.entered), 3)

    def rows(self, of: np.ndarray, order: np.ndarray | None = None) -> np.ndarray:
        asked = np.isin(self.lead, of)
        out = np.empty((int(asked.sum()), SCHEMA.swept), np.float32)
        run(SCHEMA.program, self.timeline(of, order), np.searchsorted(of, self.lead[asked]), self.as_of[asked], out)
        return out

    def past(self, lead: int, as_of: int) -> Past:
        mine, stays = self.owner == lead, self.stood == lead
        value = np.where(self.value == NO_VALUE, np.nan, self.value / 1e6)
        events = (self.time[mine].tolist(), self.kind[mine].tolist(), value[mine].tolist())
        return Past(int(self.created[lead]), as_of, *events, self.entered[stays].tolist(), self.stage[stays].tolist(), [], [])


EVERYBODY = np.arange(LEADS)


@pytest.fixture(scope="module")
def world() -> World:
    return World(5)


@pytest.fixture(scope="module")
def whole(world: World) -> np.ndarray:
    return world.rows(EVERYBODY)


@pytest.mark.parametrize("cores", ["1", "2", "3"])
def test_any_number_of_threads_gives_the_same_rows(monkeypatch: pytest.MonkeyPatch, world: World, whole: np.ndarray, cores: str) -> None:
    monkeypatch.setattr(timelines, "PART_ROWS", 100)
    monkeypatch.setenv("OMP_NUM_THREADS", cores)
    np.testing.assert_array_equal(world.rows(EVERYBODY), whole)


def test_any_order_of_rows_gives_the_same_rows(world: World, whole: np.ndarray) -> None:
    shuffled = np.random.default_rng(1).permutation(world.owner.size)
    np.testing.assert_array_equal(world.rows(EVERYBODY, shuffled), whole)


@pytest.mark.parametrize("parts", [2, 9])
def test_any_partition_of_the_leads_gives_the_same_rows(world: World, whole: np.ndarray, parts: int) -> None:
    """Logarithms are remembered in the whole, which is long enough, and not in its parts."""
    assert world.lead.size > MEMO_FROM
    part = np.random.default_rng(parts).integers(0, parts, LEADS)
    found = np.empty_like(whole)
    for mine in range(parts):
        found[np.isin(world.lead, np.flatnonzero(part == mine))] = world.rows(np.flatnonzero(part == mine))
    np.testing.assert_array_equal(found, whole)


def test_leads_told_one_by_one_or_together_get_the_same_rows(world: World, whole: np.ndarray) -> None:
    asked = list(range(0, world.lead.size, 37))
    told = [world.past(int(world.lead[i]), int(world.as_of[i])) for i in asked]
    together, alone = np.empty((len(told), SCHEMA.swept), np.float32), np.empty((len(told), SCHEMA.swept), np.float32)
    codes = run_told(SCHEMA.program, told, 3, together)
    assert codes == [run_told(SCHEMA.program, [past], 3, alone[i : i + 1])[0] for i, past in enumerate(told)]
    np.testing.assert_array_equal(together, whole[asked])
    np.testing.assert_array_equal(alone, whole[asked])
    assert codes == world.timeline(EVERYBODY).standing(world.lead[asked], world.as_of[asked])[0].tolist()


def test_columns_that_nobody_may_write_to_are_read(world: World, whole: np.ndarray) -> None:
    frozen = World(5)
    for column in vars(frozen).values():
        column.flags.writeable = False
    lead, as_of = frozen.lead.copy(), frozen.as_of.copy()
    lead.flags.writeable = as_of.flags.writeable = False
    out = np.empty_like(whole)
    events, stays = (frozen.owner, frozen.kind, frozen.time, frozen.value), (frozen.stood, frozen.stage, frozen.entered)
    run(SCHEMA.program, build(frozen.created, events, stays, 3), lead, as_of, out)
    np.testing.assert_array_equal(out, whole)


def test_once_warm_no_kernel_is_compiled_again(world: World) -> None:
    warm()
    found = subprocess.run([sys.executable, "-c", AT_ONCE], capture_output=True, text=True, timeout=120, check=False)
    assert found.stdout.strip() == "[]", found.stderr
    kernels: list[Any] = [sweep.sweep, sweep.sweep_told]
    world.rows(EVERYBODY)
    assert [len(kernel.signatures) for kernel in kernels] == [1, 1]
