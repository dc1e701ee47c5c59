"""The real flat files, where LEADSCORE_DATASETS names their folder: what is known to leak is found, and the honest numbers are reached."""

import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from data.flat import FlatColumns, read_flat
from data.funnel import Funnel
from training.flat import train_flat

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("LEADSCORE_DATASETS" not in os.environ, reason="LEADSCORE_DATASETS names no folder of real data"),
]
SUSPECTED = {"Lead Quality", "Lead Profile", "Last Activity", "Last Notable Activity", "Lead Number"} | {
    f"Asymmetrique {what} {how}" for what in ("Activity", "Profile") for how in ("Index", "Score")
}


@cache
def trained(name: str, outcome: str, ordered: bool) -> Any:
    """What `train --json` says of the one transition."""
    path = Path(os.environ["LEADSCORE_DATASETS"]) / name
    file, _ = read_flat(path, FlatColumns(outcome, ordered=ordered), Funnel(), lambda _: None, 2**50)
    return train_flat(file, Funnel(), 2**50).report["transitions"]["outcome"]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADSCORE_HOME", str(tmp_path))


def leaks(told: Any, kind: str) -> set[str]:
    return {leak["column"].removeprefix("lead.") for leak in told["leaks"] if leak["kind"] == kind and not leak["kept"]}


def test_xeducation_leaks_are_told_and_left_out_and_the_rest_is_as_good_as_the_reference() -> None:
    told = trained("xeducation/Leads.csv", "Converted", False)
    assert "Tags" in leaks(told, "proven")
    assert leaks(told, "proven") | leaks(told, "suspected") >= {"Tags", *SUSPECTED}
    assert 0.85 <= told["test"]["auc"] <= 0.92
    assert told["test"]["log_loss"] <= 0.442


@pytest.mark.proof
def test_bank_in_order_of_its_rows_is_told_forward_and_without_the_length_of_the_call() -> None:
    told = trained("bank/bank-additional-full.csv", "y", True)
    assert leaks(told, "proven") == {"duration"}
    assert told["landmarks"]["test"] == pytest.approx(41_188 / 5, abs=1)
    assert told["test"]["auc"] >= 0.67
    assert told["test"]["log_loss"] <= 0.76
