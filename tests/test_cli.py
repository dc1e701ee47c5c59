"""The command line as a stranger meets it: what is refused, with which words and exit code. Nothing here trains."""

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

import leadscore
from data.sample import write_sample

LEADS = "lead_id,created_at,source,budget\nL-1,2026-01-05T09:00:00Z,web,10.5\nL-2,2026-01-06T09:00:00Z,fair,20\nL-3,2026-01-07,web,\n"
EVENTS = "lead_id,occurred_at,type,value\nL-1,2026-01-06T09:00:00Z,email_open,1.5\nL-2,2026-01-08T09:00:00Z,email_reply,\n"
STAGES = "lead_id,entered_at,stage\nL-1,2026-01-09T09:00:00Z,prospect\n"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in an empty folder with an empty home: (exit code, standard output, standard error), none of which holds a stack trace."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LEADSCORE_DATABASE_URL", raising=False)
    monkeypatch.delenv("LEADSCORE_MLFLOW_URI", raising=False)
    monkeypatch.setenv("COLUMNS", "80")

    def run_(*command: object) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            code = leadscore.main([str(word) for word in command])
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        assert "fault in leadscore" not in err
        return code, out, err

    return run_


def dataset(folder: Path, **tables: str | bytes | None) -> Path:
    """A small dataset in `folder`, some tables replaced, or left out with None."""
    folder.mkdir()
    for name, content in ({"leads": LEADS, "events": EVENTS, "stages": STAGES} | tables).items():
        if content is not None:
            (folder / f"{name}.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


BROKEN: dict[str, tuple[dict[str, str | bytes | None], list[str]]] = {
    "an empty file": ({"leads": ""}, ["leads.csv is empty (0 bytes)", "with a header row"]),
    "no leads": ({"leads": None}, ["must have a table `leads`", "found events.csv, stages.csv"]),
    "a missing column": (
        {"leads": LEADS.replace("created_at", "made")},
        ["leads must have a column 'created_at'", "it has lead_id, made", "mapping.toml"],
    ),
    "duplicate ids": ({"leads": LEADS.replace("L-2", "L-1")}, ["one row for each lead_id", "L-1"]),
    "a time that is none": ({"events": EVENTS.replace("2026-01-08T09:00:00Z", "soon")}, ["events.occurred_at must be a time", "'soon'", "L-2"]),
    "an unknown stage": (
        {"stages": STAGES.replace("prospect", "prospekt")},
        ["stages.stage must be one of lead, prospect", "'prospekt'", "funnel.toml"],
    ),
    "a very wide row": (
        {"leads": LEADS + "L-4,2026-01-07,web,1" + ",x" * 200_000 + "\n"},
        ["as many fields as its header", "200004 fields where the header has 4"],
    ),
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("command", ["validate", "train"])
def test_a_broken_dataset_is_refused_with_what_to_do(run: Run, tmp_path: Path, case: str, command: str) -> None:
    tables, words = BROKEN[case]
    code, out, err = run(command, dataset(tmp_path / "d", **tables))
    assert code == 1
    told = out if command == "validate" else err
    assert [word for word in words if word not in told] == []


FINE: dict[str, dict[str, str | bytes | None]] = {
    "as it should be": {},
    "UTF-16": {"leads": LEADS.encode("utf-16")},
    "semicolons and decimal commas": {"leads": LEADS.replace(",", ";").replace("10.5", "10,5")},
    "a huge field": {"leads": LEADS + "L-4,2026-01-07," + "x" * 3_000_000 + ",1\n"},
}


@pytest.mark.parametrize("case", FINE)
def test_common_exports_are_read(run: Run, tmp_path: Path, case: str) -> None:
    code, out, _ = run("validate", dataset(tmp_path / "d", **FINE[case]))
    assert code == 0, out
    assert "0 errors" in out
    assert f"leads: {4 if case == 'a huge field' else 3} rows" in out


def test_the_report_is_json_on_demand(run: Run, tmp_path: Path) -> None:
    folder = dataset(tmp_path / "d", stages=STAGES.replace("prospect", "prospekt"))
    code, out, err = run("validate", folder, "--json", "-")
    assert code == 1
    assert json.loads(out)["errors"][0]["rule"] == "unknown_stage"
    assert "prospekt" in err
    assert run("validate", folder, "--json", tmp_path / "r.json")[0] == 1
    assert json.loads((tmp_path / "r.json").read_text()) == json.loads(out)


REFUSED: dict[str, tuple[list[str], str]] = {
    "a path that does not exist": (["train", "nowhere"], "nowhere does not exist. A dataset is a folder"),
    "validating nothing": (["validate", "nowhere"], "nowhere does not exist"),
    "no stages": (["train", "stageless"], "no transition has enough evidence to be learned"),
    "no rows": (["train", "rowless"], "rowless holds no lead, so there is nothing to learn from"),
    "a config that is missing": (["train", "d", "--config", "no.toml"], "no.toml can't be read"),
    "a mapping that is missing": (["train", "d", "--mapping", "no.toml"], "'no.toml' is not a file"),
    "--json into no folder": (["train", "d", "--json", "no/r.json"], "no/r.json can't be: there is no folder no"),
    "--json onto a folder": (["train", "d", "--json", "d"], "d can't be: it is a folder"),
    "scoring without a champion": (["score", "d", "--out", "s.csv"], "no champion yet"),
    "a version that is not there": (["score", "d", "--out", "s.csv", "--version", "99"], "version 99 is not in the registry; there are: none"),
    "--out with a wrong suffix": (["score", "d", "--out", "s.xlsx"], "--out must end in .csv or .parquet; got s.xlsx"),
    "--out below a file": (["score", "d", "--out", "d/leads.csv/s.csv"], "leads.csv is not a folder"),
    "--out onto a folder": (["score", "d", "--out", "named.csv"], "it is a folder"),
    "promoting what is not there": (["promote", "99"], "version 99 is not in the registry; there are: none"),
    "nothing to go back to": (["rollback"], "no earlier champion to go back to"),
    "a sample over a dataset": (["sample", "d"], "d must be a new or empty folder"),
    "a scope that is none": (["keys", "create", "--scope", "boss"], "a key needs scopes out of score, ingest"),
    "a key that is not there": (["keys", "revoke", "7"], "there is no key 7"),
    "an open service without a key": (["serve", "--host", "0.0.0.0", "--port", "0"], "needs a key before it starts"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_says_what_and_why(run: Run, tmp_path: Path, case: str) -> None:
    dataset(tmp_path / "d")
    dataset(tmp_path / "stageless", stages=None)
    dataset(tmp_path / "rowless", leads="lead_id,created_at\n")
    (tmp_path / "named.csv").mkdir()
    command, words = REFUSED[case]
    code, out, err = run(*command)
    assert (code, out) == (1, "")
    assert words in err


def test_too_few_conversions_are_an_answer(run: Run, tmp_path: Path) -> None:
    write_sample(tmp_path / "few", 40, 1)
    code, _, err = run("train", tmp_path / "few")
    assert code == 1
    assert "no transition has enough evidence to be learned: at least 20 converted leads" in err


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ([], "COMMAND"),
        (["frob"], "invalid choice: 'frob'"),
        (["sample"], "OUT"),
        (["sample", "w", "--leads", "0"], "must be a whole number from 1 to 1,000,000; got '0'"),
        (["train", "d", "--seed", "-1"], "must be a whole number from 0"),
        (["train", "d", "--seed", "x"], "got 'x'"),
        (["train", "d", "--promote", "maybe"], "'maybe'"),
        (["serve", "--port", "65536"], "must be a whole number from 0 to 65,535"),
        (["serve", "--workers", "0"], "must be a whole number from 1 to 64"),
        (["keys"], "ACTION"),
    ],
)
def test_usage_is_exit_code_2(run: Run, command: list[str], words: str) -> None:
    code, out, err = run(*command)
    assert (code, out) == (2, "")
    assert err.startswith("usage: leadscore")
    assert words in err


def test_a_home_that_cannot_be_made_is_said_before_the_work(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADSCORE_HOME", str(dataset(tmp_path / "d") / "leads.csv"))
    code, _, err = run("train", tmp_path / "d")
    assert code == 1
    assert "can't be opened" in err
    assert "reading" not in err


def test_a_taken_port_is_said_before_the_demo_begins(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = run("demo", "--port", port)
    assert (code, out) == (1, "")
    assert err == f"127.0.0.1:{port} can't be listened on: Address already in use. Choose another with --host and --port.\n"


def test_keys_are_made_listed_and_ended(run: Run) -> None:
    assert "No key yet" in run("keys", "list")[1]
    code, secret, told = run("keys", "create", "--scope", "admin", "--scope", "read", "--name", "crm")
    assert code == 0
    assert secret.startswith("ls_")
    assert secret.count("\n") == 1, "alone on standard output, for scripts"
    assert "admin, read" in told
    listed = run("keys", "list")[1]
    assert "crm" in listed
    assert secret.strip() not in listed
    assert run("keys", "revoke", "1")[:2] == (0, "Key 1 is revoked.\n")


def test_no_version_yet_is_no_mistake(run: Run) -> None:
    assert run("models") == (0, "No version yet: `leadscore train DATASET` makes the first.\n", "")


def test_a_sample_says_what_it_is(run: Run, tmp_path: Path) -> None:
    code, out, err = run("sample", "w", "--leads", "60", "--seed", "3")
    assert (code, out) == (0, "")
    assert "60 leads of " in err
    assert {"leads.csv", "events.csv", "stages.csv", "truth"} <= {path.name for path in (tmp_path / "w").iterdir()}


def test_an_unforeseen_error_leaves_its_trace_in_a_file() -> None:
    told = leadscore._unforeseen(ZeroDivisionError("by zero"))
    assert told.startswith("this is a fault in leadscore itself (ZeroDivisionError: by zero).")
    trace = Path(told.rsplit(" ", 1)[1].rstrip("."))
    assert "ZeroDivisionError: by zero" in trace.read_text()
    trace.unlink()
