"""The image, without a Docker engine: its definition is read, and its install steps run in a clean folder."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from house import HEAVY, ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
STAGES = re.split(r"(?m)^(?=FROM )", DOCKERFILE)[1:]


def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8")))


def build_context(folder: Path) -> Path:
    """A copy of what .dockerignore lets through: the lines that begin with `!`."""
    for name in re.findall(r"(?m)^!(\S+)", (ROOT / ".dockerignore").read_text("utf-8")):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, target)
    return folder


def test_the_last_stage_holds_no_source_and_no_root() -> None:
    last = STAGES[-1]
    assert re.search(r"(?m)^USER [1-9]\d*:[1-9]\d*$", last)
    assert "HEALTHCHECK" in last
    assert all("--from=build" in line for line in re.findall(r"(?m)^(?:COPY|ADD) .*", last))
    assert '"--host", "0.0.0.0"' in last


def test_the_image_installs_with_the_script_that_is_tested_here() -> None:
    assert re.findall(r"(?m)^RUN .*", STAGES[0]) == ["RUN sh docker/install.sh /src /opt/leadscore /opt/leadscore-cache"]
    assert "pip" not in DOCKERFILE


def test_both_stages_run_the_same_python_with_the_same_kernels() -> None:
    assert {re.findall(r"^FROM (\S+)", stage)[0] for stage in STAGES} == {"python:${PYTHON}"}
    assert all("NUMBA_CPU_NAME=generic" in stage for stage in STAGES)


def test_compose_waits_for_the_database_and_keeps_what_matters() -> None:
    document = compose()
    service, database = document["services"]["leadscore"], document["services"]["database"]
    assert service["depends_on"]["database"]["condition"] == "service_healthy"
    assert database["healthcheck"]["test"]
    mounted = {volume.split(":")[0] for entry in (service, database) for volume in entry["volumes"]}
    assert mounted == set(document["volumes"])
    assert f"VOLUME {service['volumes'][0].split(':')[1]}" in DOCKERFILE


def test_compose_holds_no_secret_and_opens_no_port_to_the_world() -> None:
    for name, service in compose()["services"].items():
        assert not [key for key in service.get("environment", {}) if re.search("PASSWORD|SECRET|KEY|URL", key)], name
        assert service["env_file"].endswith(".env")
        assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", []))
    assert "*.env" in (ROOT / ".gitignore").read_text("utf-8").split()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment that the image ships, made by the image's own steps from the image's own context."""
    folder = tmp_path_factory.mktemp("image")
    context = build_context(folder / "src")
    steps = ["sh", str(context / "docker" / "install.sh"), str(context), str(folder / "env"), str(folder / "cache")]
    run = subprocess.run(steps, capture_output=True, text=True, timeout=540, env=image_environment(folder))
    assert run.returncode == 0, run.stderr
    shutil.rmtree(context)
    return folder


def image_environment(folder: Path) -> dict[str, str]:
    """The variables of the image's last stage; nothing of this process's own leads back to the repository."""
    ours = {
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CACHE_DIR": str(folder / "cache"),
        "LEADSCORE_HOME": str(folder / "home"),
    }
    foreign = ("PYTHON", "COV_", "COVERAGE", "LEADSCORE", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)} | ours


def run_installed(folder: Path, *command: str) -> str:
    program = [str(folder / "env" / "bin" / command[0]), *command[1:]]
    run = subprocess.run(program, cwd=folder, capture_output=True, text=True, timeout=120, env=image_environment(folder))
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.slow
def test_the_installed_command_runs_without_its_source(installed: Path) -> None:
    assert "serve" in run_installed(installed, "leadscore", "--help")


@pytest.mark.slow
def test_the_service_loads_and_loads_no_training_library(installed: Path) -> None:
    code = f"import sys, serving.app; print(serving.app.__file__); print(sorted({HEAVY!r} & set(sys.modules)))"
    origin, heavy = run_installed(installed, "python", "-c", code).splitlines()
    assert Path(origin).is_relative_to(installed / "env")
    assert heavy == "[]"


@pytest.mark.slow
def test_the_image_holds_no_training_library_and_no_installer(installed: Path) -> None:
    absent = sorted({*HEAVY, "pip"})
    code = f"from importlib.util import find_spec; print([n for n in {absent!r} if find_spec(n)])"
    assert run_installed(installed, "python", "-c", code).strip() == "[]"


@pytest.mark.slow
def test_the_kernels_are_compiled_already(installed: Path) -> None:
    """The sources' times are whole seconds, as image layers keep them, and warming again compiles nothing."""
    times = [path.stat().st_mtime_ns for path in installed.glob("env/lib/python3*/site-packages/features/*.py")]
    assert times
    assert {time % 10**9 for time in times} == {0}
    before = {path: path.stat().st_mtime_ns for path in installed.glob("cache/**/*.nb?")}
    assert before
    run_installed(installed, "python", "-m", "serving.warm")
    assert {path: path.stat().st_mtime_ns for path in installed.glob("cache/**/*.nb?")} == before
