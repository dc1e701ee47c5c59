"""The spool as a service uses it: a call waits for the disk alone, and its folder is its owner's."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from records import numbered
from serving.errors import LedgerDown
from serving.metrics import Metrics
from serving.spool_format import unpacked
from serving.watched import WatchedSpool


@pytest.mark.parametrize("fsync", [False, True])
def test_a_score_does_not_wait_for_calls_that_wait_for_a_database(tmp_path: Path, fsync: bool) -> None:
    spool, over = WatchedSpool(tmp_path / "spool", fsync, metrics=Metrics()), threading.Event()

    async def kept() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        hanging = loop.run_in_executor(None, over.wait)
        try:
            await asyncio.wait_for(asyncio.gather(*(spool.keep((numbered(n),)) for n in range(3))), 30)
            assert not hanging.done()
        finally:
            over.set()
            await hanging

    asyncio.run(kept())
    (file,) = (tmp_path / "spool").iterdir()
    assert sorted(unpacked(file.read_bytes()).records) == [numbered(n) for n in range(3)]
    spool.close()


@pytest.mark.parametrize("fsync", [False, True])
def test_what_can_not_be_kept_is_told_to_the_call(tmp_path: Path, fsync: bool) -> None:
    (tmp_path / "spool").write_text("in the way")
    with pytest.raises(LedgerDown):
        asyncio.run(WatchedSpool(tmp_path / "spool", fsync, metrics=Metrics()).keep((numbered(0),)))


def test_the_folder_is_its_owners_whoever_makes_it(tmp_path: Path) -> None:
    spool = WatchedSpool(tmp_path / "spool", metrics=Metrics())
    assert spool.problem() is None
    assert spool.folder.stat().st_mode & 0o777 == 0o700
