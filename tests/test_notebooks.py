"""The notebooks run from top to bottom, on a small world, and are kept with what they show."""

import json
import os
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from worlds import World

ROOT = Path(__file__).parent.parent
BOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PACKAGES = ("data", "features", "training", "registry", "serving")
SECONDS = 240


@pytest.fixture(scope="module")
def home(sample: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's home, its world in the place of the demo's."""
    folder = tmp_path_factory.mktemp("books") / "home"
    shutil.copytree(sample.home, folder, ignore=shutil.ignore_patterns("artifacts"))
    (folder / "demo").symlink_to(sample.folder.resolve(), target_is_directory=True)
    return folder


def test_there_are_three() -> None:
    assert [book.stem for book in BOOKS] == ["explore_the_data", "read_a_model", "tune_the_policy"]


@pytest.mark.slow
@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.stem)
def test_it_runs(book: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"LEADSCORE_HOME": str(home), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}.items():
        monkeypatch.setenv(name, value)
    for name in [name for name in os.environ if name.startswith("LEADSCORE_") and name != "LEADSCORE_HOME"]:
        monkeypatch.delenv(name)
    made = nbformat.read(book, as_version=4)
    NotebookClient(made, timeout=SECONDS, resources={"metadata": {"path": str(book.parent)}}).execute()
    told = [output for cell in made.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [output.get("text", "")[:500] for output in told if output.output_type == "stream"] == [], "warnings and prints are for nobody"
    assert any("image/png" in output.get("data", {}) for output in told)


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.stem)
def test_it_is_good_to_read(book: Path) -> None:
    """It begins with what it is for, is told in order, shows what came of it, and holds no logic that belongs into a package."""
    cells = json.loads(book.read_text("utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert cells[0]["cell_type"] == "markdown"
    assert "".join(cells[0]["source"]).startswith("# ")
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1)), "run it from top to bottom before it is kept"
    assert all(output["output_type"] != "error" for cell in code for output in cell["outputs"])
    source = "\n".join("".join(cell["source"]) for cell in code)
    assert "class " not in source
    assert source.count("\ndef ") <= 1
    assert any(f"\nfrom {name}" in source for name in PACKAGES)
    assert book.stat().st_size < 400_000
