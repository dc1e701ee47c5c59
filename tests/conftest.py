"""What is trained once for the whole run. Nothing here is made before a test asks for it."""

import os
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
    folder = tmp_path_factory.mktemp("sample")
    sampled(folder / "dataset", 1_200, 3)
    return trained_world(folder / "dataset", folder / "home")


@pytest.fixture(scope="session")
def loans(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Every twelfth loan application, trained, registered and promoted."""
    folder = tmp_path_factory.mktemp("loans")
    return trained_world(write_part(loans_folder(), folder / "dataset", every=12), folder / "home")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home of one test's own."""
    monkeypatch.setenv("LEADSCORE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long proofs first, so that two processes end together."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
