"""The drainer as a process of its own: it drains, begins anew when it is killed, and ends after a last pass when the service does."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from data.schema import SCORES
from data.store import Store, open_store
from records import numbered
from serving.draining import NICE, DrainerProcess
from serving.spool import Spool, files_in

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
DIES = "import os, signal; from serving.draining import DrainerProcess; print(DrainerProcess().pid, flush=True); input(); os.kill(os.getpid(), 9)"


@pytest.fixture
def home(tmp_path: Path, store_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """LEADSCORE_HOME of a service on the store; started in a folder whose `data` and `serving` are somebody else's."""
    for name in ("data", "serving"):
        (tmp_path / "elsewhere" / name).mkdir(parents=True)
        (tmp_path / "elsewhere" / name / "__init__.py").write_text("raise SystemExit('not the program')")
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("LEADSCORE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LEADSCORE_DATABASE_URL", store_url)
    return tmp_path / "home"


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with open_store(store_url) as store:
        yield store


@pytest.fixture
def spool(home: Path) -> Spool:
    return Spool(home / "spool")


def until(state: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not state():
        assert time.monotonic() < deadline, "not reached"
        time.sleep(0.02)


def held(store: Store) -> int:
    with store.engine.connect() as connection:
        return int(connection.scalar(sa.select(sa.func.count()).select_from(SCORES)) or 0)


def drained(spool: Spool, store: Store) -> int:
    """What is held, once the file at hand is handed over."""
    spool.hand_over()
    return held(store)


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def test_it_drains_again_after_a_kill_and_once_more_at_the_end(store: Store, spool: Spool) -> None:
    with DrainerProcess() as process:
        spool.append(numbered(0))
        spool.hand_over()
        until(lambda: held(store) == 1)
        killed = process.pid
        assert os.getpriority(os.PRIO_PROCESS, killed) == min(os.getpriority(os.PRIO_PROCESS, 0) + NICE, 19)
        os.kill(killed, signal.SIGKILL)
        until(lambda: process.pid != killed)
        spool.append(numbered(1))
        until(lambda: drained(spool, store) == 2)
        for ending in (signal.SIGINT, signal.SIGTERM):
            os.kill(process.pid, ending)
        spool.append_many(numbered(n) for n in range(2, 1_000))
        spool.close()
    assert held(store) == 1_000
    assert files_in(spool.folder) == []
    assert not lives(process.pid)


def test_it_ends_with_a_service_that_is_killed_and_loses_nothing(store: Store, spool: Spool) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-P", "-c", DIES], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as service:
        assert service.stdin is not None
        assert service.stdout is not None
        pid = int(service.stdout.readline())
        spool.append(numbered(0))
        until(lambda: drained(spool, store) == 1)
        spool.append(numbered(1))
        spool.close()
        service.stdin.write(b"\n")
        service.stdin.flush()
    until(lambda: not lives(pid))
    assert held(store) == 2


def test_a_store_that_is_down_is_waited_for(spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in the way").touch()
    url, told = f"sqlite:///{tmp_path / 'in the way' / 'leadscore.db'}", ""

    def said(text: str) -> bool:
        nonlocal told
        told += capfd.readouterr().err
        return text in told

    monkeypatch.setenv("LEADSCORE_DATABASE_URL", url)
    spool.append(numbered(0))
    with DrainerProcess():
        until(lambda: said("can't be opened"))
    spool.close()
    assert len(files_in(spool.folder)) == 1, "told to end before the store was there"
    with DrainerProcess():
        (tmp_path / "in the way").unlink()
        until(lambda: files_in(spool.folder) == [])
    with open_store(url) as store:
        assert held(store) == 1
