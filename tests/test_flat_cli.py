"""One flat file from the command line to a served answer: train, validate, score, ask; and every refusal a mistake deserves."""

import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from data.store import open_store
from flat_files import made, scores_of, write
from leadscore import main
from service import running

LEADS = 500


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEADSCORE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def leads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    columns, _ = made(LEADS, 1)
    columns["Converted"][:3] = ["", "", ""]
    columns["Last Note"] = [f"n{i % 5}" for i in range(LEADS)]
    return write(tmp_path_factory.mktemp("data") / "leads.csv", columns, "latin-1", ";")


@pytest.fixture(scope="module")
def trained(home: Path, leads: Path) -> dict[str, object]:
    """The first training of all, so it serves."""
    target = home / "train.json"
    assert main(["train", str(leads), "--outcome", "Converted", "--seed", "3", "--json", str(target)]) == 0
    told: dict[str, object] = json.loads(target.read_text())
    return told


def refused(capsys: pytest.CaptureFixture[str], *command: object) -> str:
    assert main([str(word) for word in command]) == 1
    return capsys.readouterr().err


def test_training_promotes_and_tells_one_transition(trained: dict[str, object]) -> None:
    told = trained["transitions"]["outcome"]  # type: ignore[index]
    assert trained["promoted"] is True
    assert set(trained["transitions"]) == {"outcome"}  # type: ignore[call-overload]
    assert told["landmarks"]["censored"] == 3
    assert told["horizon_days"] == 0
    assert {leak["column"]: leak["kind"] for leak in told["leaks"]} == {"lead.Last Note": "suspected"}
    assert len(told["limits"]) == 5


@pytest.mark.usefixtures("trained")
def test_a_file_without_its_outcome_is_scored_by_likelihood(home: Path, leads: Path) -> None:
    columns, chance = made(40, 7)
    del columns["Converted"]
    out = home / "scores.csv"
    assert main(["score", str(write(home / "new.csv", columns)), "--out", str(out)]) == 0
    rows = scores_of(out)
    assert list(rows[0])[:10] == ["lead_id", "as_of", "stage", "transition", "horizon_days", "probability", "low", "high", "score", "grade"]
    assert {(r["stage"], r["transition"], r["horizon_days"]) for r in rows} == {("lead", "outcome", "0")}
    assert sorted(r["lead_id"] for r in rows) == sorted(columns["Lead Number"])
    said = [float(r["probability"]) for r in rows]
    assert said == sorted(said, reverse=True)
    assert all(float(r["low"]) <= p <= float(r["high"]) and float(r["probability_outcome"]) == p for r, p in zip(rows, said, strict=True))
    true = [float(chance[columns["Lead Number"].index(r["lead_id"])]) for r in rows]
    assert sum(true[:10]) > 2 * sum(true[-10:])
    assert {r["recommended_stage"] for r in rows} <= {"lead", "prospect"}


@pytest.mark.usefixtures("trained")
def test_the_service_answers_as_the_file_does_with_reasons_that_sum(home: Path) -> None:
    columns, _ = made(6, 8)
    out = home / "six.csv"
    assert main(["score", str(write(home / "six_leads.csv", columns)), "--out", str(out)]) == 0
    said = {row["lead_id"]: float(row["probability"]) for row in scores_of(out)}
    with running(home) as client:
        for i, number in enumerate(columns["Lead Number"]):
            lead = {name: columns[name][i] for name in ("Lead Source", "Visits", "Town")} | {"lead_id": number}
            told = client.post("/v1/score?reasons=all", json={"lead": lead}).json()
            first = told["transitions"]["outcome"]
            assert first["probability"] == pytest.approx(said[number], abs=1e-12)
            assert told["reach"] == {"outcome": first["probability"]}
            log_odds = told["base"] + told["other"] + sum(reason["effect"] for reason in told["reasons"])
            assert log_odds == pytest.approx(math.log(first["probability"] / (1 - first["probability"])))
            assert "yes in 'Converted'" in told["recommendation"]["text"]
        model = client.get("/v1/model").json()
        ahead = client.post("/v1/score", json={"lead": lead, "stage": "prospect"}).json()
    assert list(model["transitions"]) == ["outcome"]
    assert model["ahead"] == []
    assert (ahead["transitions"], ahead["probability"]) == ({}, None)


@pytest.mark.usefixtures("trained")
def test_a_score_of_another_kind_of_data_is_refused(home: Path, leads: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "s.csv"
    assert "is a folder of tables" in refused(capsys, "score", leads.parent, "--out", out)
    assert "--as-of does not go with one" in refused(capsys, "score", leads, "--out", out, "--as-of", "2026-01-01")
    other = write(tmp_path / "other.csv", {"Lead Number": ["1", "2"], "colour": ["red", "blue"]})
    assert "has none of the" in refused(capsys, "score", other, "--out", out)
    nameless = write(tmp_path / "nameless.csv", {"Visits": ["1", "2"]})
    assert "must have a column 'Lead Number'" in refused(capsys, "score", nameless, "--out", out)
    assert not out.exists()
    partly = write(tmp_path / "partly.csv", {"Lead Number": ["1", "2"], "Visits": ["1", "2"]})
    assert main(["score", str(partly), "--out", str(out)]) == 0
    assert "not there, or empty: Lead Source, Town. They" in capsys.readouterr().err.replace("\n", " ")


def test_validate_says_what_could_be_the_outcome(home: Path, leads: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(leads), "--json", str(home / "v.json")]) == 0
    assert "leads: 500 rows" in (told := capsys.readouterr().out)
    assert "Converted. Name it: leadscore train FILE --outcome COLUMN" in told
    assert json.loads((home / "v.json").read_text())["tables"] == {"leads": LEADS}
    torn = write(home / "empty.csv", {"a": []})
    assert main(["validate", str(torn)]) == 0
    (home / "nothing.csv").write_text("")
    assert main(["validate", str(home / "nothing.csv")]) == 1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--id", "x"], "--id is for a flat file, and goes with --outcome"),
        (["--group", "x"], "--group is for a flat file"),
        (["--ordered"], "--ordered is for a flat file"),
        ([], "name it with `--outcome COLUMN`"),
        (["--outcome", "Town"], "must hold two values"),
        (["--outcome", "Convertd"], "Did you mean 'Converted'?"),
        (["--outcome", "Converted", "--mapping", "m.toml"], "--mapping is for a folder of tables"),
    ],
)
def test_a_training_that_can_not_be_is_refused(home: Path, leads: Path, options: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert told in refused(capsys, "train", leads, *options)


def test_a_folder_has_no_outcome_column(home: Path, leads: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is a folder of tables" in refused(capsys, "train", leads.parent, "--outcome", "Converted")
    header = write(tmp_path / "header.csv", {"a": [], "won": []})
    assert "must hold two values" in refused(capsys, "train", header, "--outcome", "won")


@pytest.mark.parametrize(
    "words", [["--time-budget", "0"], ["--time-budget", "x"], ["--trials", "-1"], ["--trials", "3,x"], ["--trials", "1", "--time-budget", "9"]]
)
def test_a_budget_that_is_none_is_a_mistake_of_usage(leads: Path, words: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["train", str(leads), "--outcome", "Converted", *words])
    assert stop.value.code == 2


@pytest.mark.usefixtures("trained")
def test_the_champion_of_a_flat_file_stays_until_another_is_better(home: Path, leads: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_store() as store:
        before = store.champion()
    assert main(["train", str(leads), "--outcome", "Converted", "--seed", "3"]) == 0
    assert "is a challenger and does not serve" in capsys.readouterr().out
    with open_store() as store:
        assert store.champion() == before


def test_a_test_without_a_single_yes_is_told_in_words(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    columns, _ = made(LEADS, 9)
    columns["Converted"][LEADS * 4 // 5 :] = ["No"] * (LEADS // 5)
    target = tmp_path / "told.json"
    command = ["train", str(write(tmp_path / "f.csv", columns)), "--outcome", "Converted", "--ordered", "--promote", "never", "--json", str(target)]
    assert main(command) == 0
    told = capsys.readouterr().out
    assert "one outcome only" in told
    assert "nan" not in told
    assert json.loads(target.read_text())["transitions"]["outcome"]["test"]["auc"] is None
