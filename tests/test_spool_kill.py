"""`kill -9` at random moments, while records are appended and drained: what was acknowledged is in the ledger afterwards, once."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from data import ledger
from data.schema import SCORES
from data.store import open_store
from records import numbered
from serving.drainer import Drainer
from serving.spool import TORN, waiting

pytestmark = pytest.mark.slow

APART = 10_000_000
CHILD = Path(__file__).with_name("spool_child.py")


def start(url: str, folder: Path, first: int) -> subprocess.Popen[bytes]:
    """A process that appends; returns once it has acknowledged its first record."""
    path = os.environ | {"PYTHONPATH": f"{CHILD.parent.parent}:{CHILD.parent}"}
    child = subprocess.Popen([sys.executable, str(CHILD), url, str(folder), str(first)], stdout=subprocess.PIPE, env=path)
    assert child.stdout is not None
    assert child.stdout.readline() == b"%d\n" % first
    return child


def killed(child: subprocess.Popen[bytes], first: int) -> set[int]:
    """What it had acknowledged; a line cut short by the kill acknowledged nothing."""
    child.kill()
    said, _ = child.communicate()
    return {first, *(int(line) for line in said.split(b"\n")[:-1])}


def killing(url: str, folder: Path, times: int, seed: int) -> None:
    """Two at a time, so that one takes over what the other leaves behind."""
    with open_store(url) as store:
        chance, acknowledged = random.Random(seed), set[int]()
        for round_ in range(times // 2):
            first = [(2 * round_ + k) * APART for k in (0, 1)]
            children = [start(url, folder, n) for n in first]
            for child, n in zip(children, first, strict=True):
                time.sleep(chance.uniform(0, 0.1))
                acknowledged |= killed(child, n)
        Drainer(folder, store).drain()
        with store.engine.connect() as connection:
            held = {int(id, 16) for id in connection.scalars(sa.select(SCORES.c.score_id))}
        assert len(acknowledged) > times
        assert acknowledged <= held
        assert len(held - acknowledged) <= 3 * times, "a kill may come between the append and the word of it"
        assert waiting(folder) == []
        for n in chance.sample(sorted(held), 20):
            assert ledger.get(store, numbered(n).score_id) == numbered(n)
        assert all(path.stat().st_size for path in (folder / TORN).glob("*"))


def test_what_was_acknowledged_survives_a_few_kills(store_url: str, tmp_path: Path) -> None:
    killing(store_url, tmp_path / "spool", 6, seed=1)


@pytest.mark.proof
def test_what_was_acknowledged_survives_many_kills(store_url: str, tmp_path: Path) -> None:
    killing(store_url, tmp_path / "spool", 16, seed=2)
