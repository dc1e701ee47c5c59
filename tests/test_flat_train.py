"""A training on a flat file: a planted truth is recovered, planted leaks are left out, and nothing but the seed decides."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from data.contract import DataError
from data.flat import FlatColumns, FlatFile, read_flat
from data.funnel import Funnel
from flat_files import made, write
from registry.bundle import Bundle
from training.flat import filled, rows_of, train_flat
from training.metrics import auc, log_loss
from training.pseudonyms import pseudonyms
from training.run import Trained

NOW = 1_700_000_000_000_000
LEADS = 1_200


def file_of(columns: dict[str, list[str]], **named: str | bool) -> FlatFile:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEADSCORE_HOME", folder)
        path = write(Path(folder) / "leads.csv", columns)
        return read_flat(path, FlatColumns("Converted", **named), Funnel(), lambda _: None, NOW)[0]  # type: ignore[arg-type]


@cache
def plain() -> tuple[Trained, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    columns, chance = made(LEADS, 1)
    columns["Lead Number"][0] = ""  # no key any more: the row's number names the lead
    return train_flat(file_of(columns), Funnel(), NOW), chance


def chances(trained: Trained, columns: dict[str, list[str]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    hop = trained.bundle.hops[0]
    return hop.probability(rows_of(filled(file_of(columns).dataset), trained.bundle.schema))


def test_the_planted_truth_is_recovered_on_leads_it_never_saw() -> None:
    trained, _ = plain()
    columns, chance = made(2_000, 99)
    p, y = chances(trained, columns), np.array([w == "Yes" for w in columns["Converted"]], float)
    base, best = log_loss(y, np.full(y.size, y.mean())), log_loss(y, chance)
    assert (base - log_loss(y, p)) / (base - best) > 0.85
    assert abs(p.mean() - chance.mean()) < 0.03


def rows_told(trained: Trained, ids: Sequence[object]) -> np.ndarray:
    """The rows of the file that the twin was asked about. The record of a training holds no id."""
    place = {name: row for row, name in enumerate(pseudonyms(map(str, ids)).to_pylist())}
    return np.array([place[name] for name in trained.forward["lead_id"].to_pylist()])


def test_the_report_is_of_leads_the_twin_never_saw_and_says_what_it_cannot_prove() -> None:
    trained, chance = plain()
    told = trained.report["transitions"]["outcome"]
    rows = rows_told(trained, [str(row + 2) for row in range(LEADS)])
    p, y = np.asarray(trained.forward["probability"]), np.asarray(trained.forward["y"])
    assert told["test"]["auc"] == pytest.approx(auc(y.astype(float), p))
    assert abs(auc(y.astype(float), p) - auc(y.astype(float), chance[rows])) < 0.05
    assert (told["horizon_days"], told["landmarks"]["test"], told["landmarks"]["censored"]) == (0, LEADS // 5, 0)
    assert told["horizon_reason"] == "no horizon: the file has no times"
    assert "random fifth" in " ".join(told["limits"])
    assert trained.bundle.path == ("lead", "outcome")
    assert trained.bundle.about["flat"] == {"outcome": "Converted", "id": None, "group": None, "ordered": False}
    assert set(trained.forward["as_of"].to_pylist()) == {0}


def test_the_bundle_survives_its_bytes_and_the_same_seed_makes_it_again() -> None:
    trained, _ = plain()
    columns, _ = made(LEADS, 1)
    columns["Lead Number"][0] = ""
    again = train_flat(file_of(columns), Funnel(), NOW + 1)
    assert again.bundle.hash == trained.bundle.hash
    assert Bundle.from_bytes(trained.bundle.to_bytes()).hash == trained.bundle.hash
    assert trained.bundle.hops_from("lead")[0].direct


def leaky() -> dict[str, list[str]]:
    """`Notes` is filled in for those who converted, `Last Step` is a judgement by its name, `Select` stands in one of eight."""
    columns, _ = made(LEADS, 3)
    rng = np.random.default_rng(0)
    won = [w == "Yes" for w in columns["Converted"]]
    columns["Notes"] = [("signed" if rng.random() < 0.95 else "called") if w else rng.choice(["called", "mailed", "Select"]) for w in won]
    columns["Last Step"] = rng.choice(["a", "b", "c"], LEADS).tolist()
    return columns


@cache
def found_leaks() -> Trained:
    return train_flat(file_of(leaky(), id="Lead Number"), Funnel(), NOW)


def test_proven_and_suspected_leaks_are_left_out_with_the_numbers_of_both_ways() -> None:
    leaks = {leak["column"]: leak for leak in found_leaks().bundle.about["leaks"]}
    assert {name: leak["kind"] for name, leak in leaks.items()} == {"lead.Notes": "proven", "lead.Last Step": "suspected"}
    assert not any(leak["kept"] for leak in leaks.values())
    assert leaks["lead.Notes"]["auc_with"] > 0.9 > leaks["lead.Notes"]["auc_without"]
    assert leaks["lead.Last Step"]["auc_with"] is not None
    inputs = found_leaks().bundle.schema.inputs
    assert {"lead.Notes", "lead.Last Step", "lead.Lead Number", "lead.Converted"}.isdisjoint(inputs)
    assert "lead.Visits" in inputs


def test_the_team_may_keep_what_is_suspected() -> None:
    kept = train_flat(file_of(leaky(), id="Lead Number"), Funnel(keep=("Notes", "lead.Last Step"), exclude=("Town",)), NOW)
    assert all(leak["kept"] for leak in kept.bundle.about["leaks"])
    assert {"lead.Notes", "lead.Last Step"} <= set(kept.bundle.schema.inputs)
    assert {"column": "lead.Town", "why": "left out by funnel.toml"} in kept.bundle.about["left_out"]
    assert kept.report["transitions"]["outcome"]["test"]["auc"] > found_leaks().report["transitions"]["outcome"]["test"]["auc"] + 0.05


def test_a_placeholder_in_training_and_in_a_request_is_a_missing_value() -> None:
    trained, _ = plain()
    columns, _ = made(8, 5)
    said = [chances(trained, columns | {"Lead Source": [word] * 8}) for word in ("Select", "(not set)", "", "UNKNOWN")]
    assert all((said[0] == other).all() for other in said[1:])
    assert (said[0] != chances(trained, columns | {"Lead Source": ["Web"] * 8})).any()


def test_rows_in_order_of_time_are_measured_on_the_last_fifth() -> None:
    columns, _ = made(LEADS, 4, drift=1.5)
    trained = train_flat(file_of(columns, ordered=True), Funnel(), NOW)
    rows = rows_told(trained, columns["Lead Number"])
    assert rows.min() == LEADS * 4 // 5
    assert trained.forward["as_of"].to_pylist() == rows.tolist()
    assert "last fifth of the rows" in " ".join(trained.bundle.about["limits"])


def test_a_group_is_one_piece_of_evidence_and_on_one_side_only() -> None:
    """Each firm's rows repeat one draw: by rows the firm gives its answer away, by firms it can't."""
    rows, firms = 700, 90
    columns, _ = made(rows, 6)
    rng = np.random.default_rng(0)
    firm = rng.integers(0, firms, rows)
    verdict = rng.random(firms) < 0.45
    columns |= {"Firm": [f"F{f}" for f in firm], "Size": [str(17 * f + 3) for f in firm], "Converted": ["Yes" if verdict[f] else "No" for f in firm]}
    file = file_of(columns, group="Firm")
    by_firm, by_row = (train_flat(f, Funnel(), NOW) for f in (file, replace(file, group=np.arange(rows))))
    claimed, honest = (t.report["transitions"]["outcome"]["test"]["auc"] for t in (by_row, by_firm))
    assert honest < 0.7 < claimed
    assert "lead.Firm" not in by_firm.bundle.schema.inputs
    assert "--group" not in " ".join(by_firm.bundle.about["limits"])


def test_too_little_evidence_is_refused_with_what_is_missing() -> None:
    columns, _ = made(60, 1)
    columns["Converted"] = ["Yes" if i < 19 else "No" for i in range(60)]
    with pytest.raises(DataError, match="19 leads with a yes in 'Converted' and 41 with a no; at least 20 of each"):
        train_flat(file_of(columns), Funnel(), NOW)
    few = made(LEADS, 1)[0] | {"Firm": [f"F{i % 30}" for i in range(LEADS)]}
    few["Converted"] = ["Yes" if i % 30 < 19 else "No" for i in range(LEADS)]
    with pytest.raises(DataError, match="19 entities \\('Firm'\\) with a yes in 'Converted' and 11 with a no"):
        train_flat(file_of(few, group="Firm"), Funnel(), NOW)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"Notes": ["signed", "called"] * 100}, r"nothing is left to learn from: .* \(lead.Notes\)"),
        ({"Last Step": ["a", "b", "c", "d"] * 50}, r"nothing is left to learn from: .* \(lead.Last Step\)"),
        ({"Town": ["Ulm"] * 200}, "beside 'Converted' no column differs"),
    ],
)
def test_what_has_nothing_but_leaks_or_nothing_at_all_is_refused(columns: dict[str, list[str]], told: str) -> None:
    with pytest.raises(DataError, match=told):
        train_flat(file_of(columns | {"Converted": ["Yes", "No"] * 100}), Funnel(), NOW)


def test_groups_that_are_everywhere_can_not_be_measured_forward() -> None:
    columns = made(LEADS, 1)[0] | {"Region": [f"R{i % 60}" for i in range(LEADS)]}
    with pytest.raises(DataError, match="every 'Region' has rows in the last fifth"):
        train_flat(file_of(columns, group="Region", ordered=True), Funnel(), NOW)
