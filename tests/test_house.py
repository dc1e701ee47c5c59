"""The house holds its own rules (DESIGN 3, STYLE). Every rule is also fed something it must refuse."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

import house
from house import ROOT

Rule = Callable[[Path, str], list[str]]

# Who may read the wall clock, and why. Elsewhere time comes in as an argument, so that any answer can be replayed.
CLOCK_EDGES: dict[str, str] = {
    "data/home.py": "the one clock of the program: `clock()`",
}

GENERATED = {".git", "__pycache__", "mlruns", "dist", "build"}
HIDDEN = (".venv", ".leadscore", ".coverage", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".ipynb_checkpoints")


def files_of(*folders: str) -> list[Path]:
    return sorted(path.relative_to(ROOT) for folder in folders for path in (ROOT / folder).rglob("*.py"))


def tracked() -> list[Path]:
    """What git tracks; in a copy without git, every file outside hidden and generated folders."""
    run = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    names = [Path(name) for name in run.stdout.split("\0") if name]
    if (ROOT / ".git").exists() and names:
        return [path for path in names if (ROOT / path).is_file()]
    everything = [path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file()]
    return [path for path in everything if not any(part in GENERATED or part.startswith(HIDDEN) for part in path.parts)]


def source(path: Path) -> str | None:
    return (ROOT / path).read_text("utf-8") if (ROOT / path).is_file() else None


def text_of(path: Path) -> str:
    return source(path) or ""


CODE = files_of(*house.PACKAGES)
FRONT_DOOR = [Path("leadscore.py")] if (ROOT / "leadscore.py").exists() else []
PYTHON = [*CODE, *FRONT_DOOR, *files_of("tests", "benchmarks")]

RULES: dict[str, tuple[Rule, list[Path]]] = {
    "import direction": (house.wrong_direction, CODE),
    "only registry imports mlflow": (house.mlflow_outside_registry, [*CODE, *FRONT_DOOR]),
    "the front door imports late": (house.eager_front_door, FRONT_DOOR),
    "nothing read is run": (house.loads_code, files_of("data", "features", "registry", "serving")),
    "files stay short": (house.too_long, PYTHON),
    "files have names": (house.catch_all_name, PYTHON),
    "packages list what they offer": (house.public_names, [Path(name, "__init__.py") for name in house.PACKAGES]),
}

REFUSED: list[tuple[Rule, str, str]] = [
    (house.wrong_direction, "serving/jobs.py", "def run():\n    from training.run import train\n"),
    (house.wrong_direction, "serving/jobs.py", "import importlib\nimportlib.import_module('training.run')\n"),
    (house.wrong_direction, "data/store.py", "import features\n"),
    (house.wrong_direction, "features/a/b.py", "from ...registry import bundle\n"),
    (house.wrong_direction, "registry/bundle.py", "if TYPE_CHECKING:\n    from serving.scorer import Scorer\n"),
    (house.wrong_direction, "training/run.py", "import leadscore\n"),
    (house.mlflow_outside_registry, "training/run.py", "def log():\n    import mlflow.pyfunc\n"),
    (house.mlflow_outside_registry, "leadscore.py", "from mlflow import log_metric\n"),
    (house.eager_front_door, "leadscore.py", "import argparse\nimport rich\n"),
    (house.eager_front_door, "leadscore.py", "try:\n    from data.contract import DataError\nfinally:\n    pass\n"),
    (house.loads_code, "registry/bundle.py", "import pickle\n"),
    (house.loads_code, "serving/app.py", "from joblib import load\n"),
    (house.loads_code, "features/tables.py", "np.load(path, allow_pickle=True)\n"),
    (house.loads_code, "data/funnel.py", "eval(rule)\n"),
    (house.too_long, "data/contract.py", "x = 1\n" * 401),
    (house.catch_all_name, "features/utils.py", ""),
    (house.public_names, "data/__init__.py", "def __getattr__(name): ...\n"),
    (house.public_names, "data/__init__.py", f"__all__ = {[f'n{i}' for i in range(13)]}\n"),
    (house.public_names, "data/__init__.py", f"H = {dict.fromkeys(range(13))}\n__all__ = sorted(H)\n"),
    (house.public_names, "data/__init__.py", "__all__ = names()\n"),
    (house.clock_reads, "training/run.py", "import time\nstamp = time.time()\n"),
    (house.clock_reads, "training/run.py", "import time as t\nstamp = t.time()\n"),
    (house.clock_reads, "training/run.py", "import datetime as d\nstamp = d.datetime.now(d.UTC)\n"),
    (house.clock_reads, "training/run.py", "from time import time_ns as tick\nstamp = tick()\n"),
    (house.clock_reads, "training/run.py", "import datetime\nx = datetime.datetime.now(datetime.UTC)\n"),
    (house.clock_reads, "training/run.py", "from datetime import datetime as dt\nfactory = dt.utcnow\n"),
    (house.clock_reads, "training/run.py", "from datetime import date\ntoday = date.today()\n"),
    (house.names_a_place, "README.md", "pip install --extra-index" + "-url https://x\n"),
    (house.names_a_place, "requirements/dev.lock", "https://files.python" + "hosted.org/a.whl\n"),
    (house.names_a_place, "docs/a.md", "see /ho" + "me/someone/leadscore\n"),
]

ACCEPTED: list[tuple[Rule, str, str]] = [
    (
        house.wrong_direction,
        "serving/app.py",
        "from registry.bundle import Bundle\nfrom .scorer import Scorer\nimport numpy\n",
    ),
    (house.wrong_direction, "features/a/b.py", "from ..sweep import sweep\nfrom data.contract import DAY\n"),
    (house.mlflow_outside_registry, "registry/record.py", "import mlflow\n"),
    (house.eager_front_door, "leadscore.py", "import sys\ndef run():\n    import rich\n"),
    (house.loads_code, "features/tables.py", "import json\nnp.load(path, allow_pickle=False)\nmodel.eval()\n"),
    (house.too_long, "data/contract.py", "x = 1\n" * 400),
    (house.public_names, "data/__init__.py", "__all__ = ['Funnel']\n"),
    (
        house.clock_reads,
        "training/run.py",
        "from time import perf_counter\nx = perf_counter()\nfrom datetime import datetime\ndatetime.fromisoformat(y)\n",
    ),
    (house.names_a_place, "README.md", "LEADSCORE_HOME=/var/lib/leadscore make test # ../shared/work/x\n"),
]


@pytest.mark.parametrize("name", RULES)
def test_rule_holds(name: str) -> None:
    rule, paths = RULES[name]
    assert [broken for path in paths for broken in rule(path, text_of(path))] == []


@pytest.mark.parametrize(("rule", "path", "text"), REFUSED)
def test_rule_can_fail(rule: Rule, path: str, text: str) -> None:
    assert rule(Path(path), text) != []


@pytest.mark.parametrize(("rule", "path", "text"), ACCEPTED)
def test_rule_lets_good_code_pass(rule: Rule, path: str, text: str) -> None:
    assert rule(Path(path), text) == []


def test_only_edges_read_the_clock() -> None:
    reads = {path.as_posix(): found for path in [*CODE, *FRONT_DOOR] if (found := house.clock_reads(path, text_of(path)))}
    assert {path: found for path, found in reads.items() if path not in CLOCK_EDGES} == {}
    assert set(CLOCK_EDGES) - set(reads) == set(), "these edges no longer read the clock: take them off the list"


def test_starting_the_service_loads_no_training_library() -> None:
    assert house.heavy_for_serving(source, [Path("serving/server.py"), Path("serving/app.py"), Path("serving/warm.py")]) == []


def test_a_heavy_import_is_found_through_a_package_and_a_module() -> None:
    tree = {
        Path("serving/app.py"): "from features import tables\n",
        Path("features/__init__.py"): "import scipy.stats\n",
        Path("features/tables.py"): "import numpy\ndef late():\n    import pandas\n",
    }
    assert house.heavy_for_serving(tree.get, [Path("serving/app.py")]) == ["features/__init__.py:1 scipy.stats"]


def test_top_level_folders_are_the_ones_of_the_design() -> None:
    folders = {path.parts[0] for path in tracked() if len(path.parts) > 1 and path.parts[0][0] != "."}
    assert folders - house.FOLDERS == set()
    assert set(house.PACKAGES) <= folders
    assert {path.name for path in tracked() if len(path.parts) == 1 and path.suffix == ".py"} <= {"leadscore.py"}


@pytest.mark.parametrize("name", [*house.PACKAGES, "leadscore"])
def test_nothing_installed_shadows_our_packages(name: str) -> None:
    elsewhere = [path for path in sys.path if path and Path(path).resolve() != ROOT and Path(path).resolve() != ROOT / "tests"]
    assert house.shadows(name, elsewhere) is None


def test_a_shadowing_package_is_found(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    assert house.shadows("data", [str(tmp_path)]) is None
    (tmp_path / "data" / "__init__.py").touch()
    assert house.shadows("data", [str(tmp_path)]) == str(tmp_path / "data" / "__init__.py")


def test_no_file_names_a_registry_or_a_machine() -> None:
    texts = [(path, (ROOT / path).read_text("utf-8", errors="replace")) for path in tracked()]
    assert [broken for path, text in texts for broken in house.names_a_place(path, text)] == []


def test_git_keeps_the_code_under_data() -> None:
    lines = text_of(Path(".gitignore")).split()
    assert {"data", "data/", "/data", "/data/", "data/*", "*"} & set(lines) == set()


def locked(name: str) -> dict[str, set[str]]:
    """Versions by package of one lock. Every one must carry a hash."""
    found: dict[str, set[str]] = {}
    for entry in re.split(r"\n(?=\S)", text_of(Path("requirements", name))):
        package, version = re.match(r"(\S+?)==(\S+)", entry).groups()  # type: ignore[union-attr]
        assert "--hash=sha256:" in entry, f"{name}: {package} has no hash"
        found.setdefault(package, set()).add(version)
    return found


def test_the_image_serves_the_versions_that_are_tested() -> None:
    tested, served, building = (locked(f"{name}.lock") for name in ("dev", "serve", "build"))
    assert {name: versions for name, versions in {**served, **building}.items() if tested.get(name) != versions} == {}
    assert set(served) & (house.HEAVY | {"scikit-learn", "mlflow-skinny"}) == set()


def test_the_locks_know_every_dependency() -> None:
    project = tomllib.loads(text_of(Path("pyproject.toml")))["project"]
    extras = project["optional-dependencies"]
    everything = [*project["dependencies"], *extras["train"], *extras["postgres"], *extras["dev"]]
    names = {re.split(r"[\[<>=; ]", item)[0].lower() for item in everything} - {"leadscore"}
    assert names - set(locked("dev.lock")) == set(), "run `make lock`"
    base = {re.split(r"[\[<>=; ]", item)[0].lower() for item in project["dependencies"]}
    assert base - set(locked("serve.lock")) == set(), "run `make lock`"


def readme_commands(tool: str) -> set[str]:
    """First words after `tool` in the README's code: blocks and spans."""
    spans = re.findall(r"```.*?```|`[^`\n]+`", text_of(Path("README.md")), re.S)
    code = "\n".join(span.strip("`") for span in spans)
    return set(re.findall(rf"(?:^|[|&;`\n]\s*){tool} ([a-z]+)\b", code))


def test_every_make_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", text_of(Path("Makefile")), re.M))
    assert {"demo", "test"} <= readme_commands("make") <= targets


def test_every_command_of_the_readme_exists() -> None:
    run = subprocess.run([sys.executable, "-m", "leadscore", "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    named = readme_commands("leadscore")
    assert "train" in named
    assert {name for name in named if not re.search(rf"\b{name}\b", run.stdout)} == set()
