"""What is trained once for the whole run. Nothing here is made before a test asks for it."""

import fcntl
import os
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

# Before anything loads OpenMP: threads that spin for a busy core make small fits ten times slower, and change no number.
os.environ.setdefault("OMP_THREAD_LIMIT", "1")

from worlds import World, loans_folder, sampled, trained_world, write_part

pytest_plugins = ("databases",)


def pytest_configure(config: pytest.Config) -> None:
    """Warnings are errors, but for those that MLflow's own code raises on itself."""
    config.addinivalue_line("filterwarnings", "ignore:::mlflow")


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A sample world of 1,200 leads, trained, registered and promoted."""
    return _trained_once(tmp_path_factory, "sample", lambda folder: sampled(folder, 1_200, 3))


@pytest.fixture(scope="session")
def loans(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Every twelfth loan application, trained, registered and promoted."""
    source = loans_folder()
    return _trained_once(tmp_path_factory, "loans", lambda folder: write_part(source, folder, every=12))


def _trained_once(factory: pytest.TempPathFactory, name: str, write: Callable[[Path], object]) -> World:
    """The world trained by whichever of the run's processes asks first; another one gets a home of its own, a copy of that."""
    base = factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"shared-{name}"
    shared.mkdir(exist_ok=True)
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = shared / "world.pickle"
        if not kept.exists():
            write(shared / "dataset")
            world = trained_world(shared / "dataset", shared / "home")
            kept.write_bytes(pickle.dumps(world))
            shutil.copytree(shared / "home", shared / "untouched")
            return world
        world = pickle.loads(kept.read_bytes())  # noqa: S301 - made by this very run
        return replace(world, home=Path(shutil.copytree(shared / "untouched", factory.mktemp(name) / "home")))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home of one test's own."""
    monkeypatch.setenv("LEADSCORE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long proofs first, so that two processes end together."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
