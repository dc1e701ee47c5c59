"""The commands around a training, as processes of their own: sample, train, models, promote, rollback, score; stopped and killed half way."""

import csv
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

from data.contract import DAY, format_instant
from data.home import clock
from data.sample import write_sample
from data.store import open_store
from leadscore import main
from service import running

pytestmark = pytest.mark.slow

PROGRAM = [sys.executable, "-m", "leadscore"]
ROOT = Path(__file__).parent.parent
KEPT: dict[str, tuple[str, ...]] = {
    "leads": (),
    "events": ("email_reply", "pricing_page_view", "email_open"),
    "stages": ("lead", "prospect", "disqualified", "lost"),
}
"""One transition and three event types: as little as a training that learns something can do with."""
LEAD_COLUMNS = ("lead_id", "created_at", "source", "country")


def environment(home: Path) -> dict[str, str]:
    ours = {"LEADSCORE_HOME": str(home), "COLUMNS": "80", "PYTHONPATH": str(ROOT)}
    return {name: value for name, value in os.environ.items() if not name.startswith("LEADSCORE")} | ours


def leadscore(home: Path, *command: object) -> subprocess.CompletedProcess[str]:
    words = [*PROGRAM, *map(str, command)]
    run = subprocess.run(words, env=environment(home), capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in run.stderr
    return run


def succeeded(home: Path, *command: object) -> subprocess.CompletedProcess[str]:
    run = leadscore(home, *command)
    assert run.returncode == 0, run.stderr
    return run


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample world of 600 leads, cut down to one transition."""
    whole, folder = tmp_path_factory.mktemp("whole") / "w", tmp_path_factory.mktemp("cut")
    write_sample(whole, 600, 5)
    for name, kept in KEPT.items():
        cut(whole / f"{name}.csv", folder / f"{name}.csv", set(kept))
    return folder


def cut(source: Path, target: Path, kept: set[str]) -> None:
    """Copies the rows of the kept types and stages, and of `leads` the LEAD_COLUMNS."""
    with source.open(newline="", encoding="utf-8") as reading, target.open("w", newline="", encoding="utf-8") as writing:
        rows = csv.DictReader(reading)
        columns = LEAD_COLUMNS if source.stem == "leads" else tuple(rows.fieldnames or ())
        writer = csv.DictWriter(writing, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(row for row in rows if not kept or kept & set(row.values()))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home") / "deep" / "home"


@pytest.fixture(scope="module")
def first(home: Path, dataset: Path) -> subprocess.CompletedProcess[str]:
    """The first training, told as JSON on standard output."""
    return succeeded(home, "train", dataset, "--json", "-")


@pytest.fixture(scope="module")
def second(first: subprocess.CompletedProcess[str], home: Path, dataset: Path) -> subprocess.CompletedProcess[str]:
    """The same data and seed once more: no better than the champion, so a challenger."""
    return succeeded(home, "train", dataset)


def champion(home: Path) -> str | None:
    """The version that serves."""
    with open_store(f"sqlite:///{home / 'leadscore.db'}") as store:
        current = store.champion()
    return current[0] if current else None


def test_standard_output_is_the_json_and_nothing_else(first: subprocess.CompletedProcess[str]) -> None:
    told = json.loads(first.stdout)
    assert (told["version"], told["promoted"]) == ("1", True)
    assert told["decision"] == ["nothing served before it."]
    assert set(told["transitions"]["lead->prospect"]["landmarks"]) >= {"train", "calibrate", "test", "censored"}


def test_standard_error_holds_progress_and_the_story_and_no_library_noise(first: subprocess.CompletedProcess[str]) -> None:
    progress = [line for line in first.stderr.splitlines() if line[:6].strip().replace(".", "").isdigit() and line[6:8] == " s"]
    assert len(progress) > 5
    assert "Version 1 is the champion now" in first.stderr
    noise = ("INFO", "WARNING", "Warning", "mlflow.", "alembic", "[LightGBM]", "sklearn", "site-packages", "Downloading")
    assert [line for line in first.stderr.splitlines() if any(word in line for word in noise)] == []


def test_the_second_training_asks_and_is_told_why_not(second: subprocess.CompletedProcess[str]) -> None:
    assert "Version 2 is a challenger and does not serve: log loss" in second.stdout
    assert "not better beyond noise, so champion 1 stays" in second.stdout
    table = second.stdout.split("\n\n")[0].splitlines()
    assert max(len(line.rstrip()) for line in table) <= 80
    assert table[2].startswith("lead->prospect ")


def test_versions_are_listed(second: subprocess.CompletedProcess[str], home: Path) -> None:
    listed = succeeded(home, "models")
    lines = [line.split() for line in listed.stdout.splitlines()]
    assert [line[:2] for line in lines[1:]] == [["2", "challenger"], ["1", "champion"]]
    assert all("lead->prospect" in line for line in lines[1:])
    assert max(map(len, listed.stdout.splitlines())) <= 80
    assert listed.stderr == ""


def test_versions_are_promoted_and_rolled_back(
    second: subprocess.CompletedProcess[str], home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process: MLflow takes seconds to import."""
    for name, value in environment(home).items():
        monkeypatch.setenv(name, value)
    assert main(["promote", "2"]) == 0
    assert champion(home) == "2"
    assert main(["rollback"]) == 0
    assert champion(home) == "1"
    told = "Version 2 is the champion now. `leadscore rollback` takes it back.\nVersion 1 is the champion again.\n"
    assert capsys.readouterr() == (told, "")
    assert main(["rollback"]) == 1
    assert "version 1 was the first" in capsys.readouterr().err
    assert main(["promote", "99"]) == 1
    assert "version 99 is not in the registry; there are: 2, 1" in capsys.readouterr().err
    assert champion(home) == "1"


def test_scores_are_written_as_asked(first: subprocess.CompletedProcess[str], home: Path, dataset: Path, tmp_path: Path) -> None:
    told = succeeded(home, "score", dataset, "--out", tmp_path / "new" / "s.csv")
    assert told.stdout == ""
    assert "open leads at 2026-" in told.stderr
    with (tmp_path / "new" / "s.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    chances = [float(row["probability"]) for row in rows]
    assert chances == sorted(chances, reverse=True)
    assert {row["transition"] for row in rows} == {"lead->prospect"}
    assert {row["version"] for row in rows} == {"1"}
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["s.csv"]


def test_as_of_may_be_late_but_not_in_the_future(first: subprocess.CompletedProcess[str], home: Path, dataset: Path, tmp_path: Path) -> None:
    late = succeeded(home, "score", dataset, "--out", tmp_path / "s.parquet", "--as-of", "2026-07-20")
    assert "warning: as_of 2026-07-20T23:59:59.999999Z is later than the end of the data" in late.stderr
    future = leadscore(home, "score", dataset, "--out", tmp_path / "f.csv", "--as-of", format_instant(clock() + DAY))
    assert future.returncode == 1
    assert "--as-of must not be later than now" in future.stderr
    garbage = leadscore(home, "score", dataset, "--out", tmp_path / "f.csv", "--as-of", "soon")
    assert garbage.returncode == 1
    assert "soon" in garbage.stderr
    assert not (tmp_path / "f.csv").exists()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_a_training_that_is_stopped_leaves_the_champion(
    first: subprocess.CompletedProcess[str], home: Path, dataset: Path, sent: signal.Signals
) -> None:
    before = champion(home)
    words = [*PROGRAM, "train", str(dataset), "--promote", "always"]
    with subprocess.Popen(words, env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "comparing candidates" in line:
                break
        time.sleep(0.2)
        process.send_signal(sent)
        out, err = process.communicate(timeout=30)
    if sent is signal.SIGINT:
        assert (process.returncode, out) == (1, "")
        assert err.splitlines()[-1] == "stopped before it was done: nothing was promoted, and what served before still serves."
        assert "Traceback" not in err
    else:
        assert process.returncode == -signal.SIGKILL
    assert champion(home) == before


def test_a_second_demo_trains_nothing_and_what_it_prints_works(first: subprocess.CompletedProcess[str], home: Path) -> None:
    """The home has a champion already, as after a first demo."""
    write_sample(home / "demo", 60)
    port = free_port()
    words = [*PROGRAM, "demo", "--port", str(port)]
    with subprocess.Popen(words, env=environment(home), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert f"leadscore serves on http://127.0.0.1:{port}" in process.stdout.readline()
            until_ready(port)
        finally:
            process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "is the champion already: nothing is trained" in err
    assert "comparing candidates" not in err
    assert "leads: 60 created" in err, "the store is filled, so that there is a queue"
    url, body, page = printed(err)
    assert (url, page) == (f"localhost:{port}/v1/score", f"http://localhost:{port}/docs")
    with running(home) as client:
        answer = client.post("/v1/score", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 200, answer.text
    assert 0 < answer.json()["probability"] < 1


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def until_ready(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10):
            return
        time.sleep(0.05)
    raise AssertionError("not ready in a minute")


def printed(told: str) -> tuple[str, str, str]:
    """The URL and the body of the `curl` that the demo prints, and its page."""
    line = next(line for line in told.splitlines() if line.strip().startswith("curl"))
    _, _, url, _, kind, _, body = shlex.split(line)
    assert kind == "content-type: application/json"
    return url, body, told.split("the API's pages: ")[1].split()[0]


def test_a_reader_that_leaves_is_no_mistake(first: subprocess.CompletedProcess[str], home: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as gone:
        words = [*PROGRAM, "keys", "list"]
        run = subprocess.run(words, env=environment(home), stdout=gone, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert (run.returncode, run.stderr) == (0, "")


def test_the_help_imports_nothing_but_the_standard_library(tmp_path: Path) -> None:
    code = "import sys, leadscore\ntry: leadscore.main(['--help'])\nexcept SystemExit: print(sorted({m.split('.')[0] for m in sys.modules}))"
    run = subprocess.run([sys.executable, "-c", code], env=environment(tmp_path), capture_output=True, text=True, timeout=60, check=True)
    loaded = set(json.loads(run.stdout.splitlines()[-1].replace("'", '"')))
    assert loaded & {"numpy", "numba", "rich", "data", "features", "training", "registry", "serving", "mlflow"} == set()
