"""What is learned from is the same whether a folder is read whole or, as a large one is, from partitions."""

import errno
import fcntl
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from data import partitions
from data.contract import DAY, TABLES, DataError
from data.dataset import read_dataset
from data.funnel import Funnel
from data.partitions import NoLeads
from data.sample import write_sample
from features.rows import compute
from training import reading
from training.icp import learn_profile
from training.leaks import Studied
from training.reading import Learnable, learnable
from training.run import study, train

LEADS, SEED = 500, 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "world"
    write_sample(folder, LEADS, SEED)
    return folder


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*.csv"))


def read(folder: Path, told: list[str] | None = None) -> Learnable:
    with learnable(str(folder), None, Funnel(), None, (told if told is not None else []).append) as found:
        return found


@pytest.fixture
def dealt(folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Learnable:
    """The folder as if it were a large one."""
    monkeypatch.setattr(partitions, "_BYTES", size_of(folder) // 3)
    told: list[str] = []
    found = read(folder, told)
    assert found.dataset.events["lead_id"].num_chunks >= 3
    assert told[-1] == "reading and checking (100%)"
    assert not list(home.glob("partitions-*"))
    return found


def rows(table: pa.Table) -> list[Any]:
    return sorted(table.to_pylist(), key=str)


def learned_from(studied: Studied) -> np.ndarray:
    every = np.arange(LEADS, dtype=np.int64)
    return compute(studied.schema, studied.cohort, np.repeat(every, 2), np.tile([studied.data_end - 30 * DAY, studied.data_end], LEADS))


def test_partitions_hold_the_same_tables_rows_and_profile(folder: Path, dealt: Learnable) -> None:
    whole, report = read_dataset(folder, funnel=Funnel())
    assert dealt.dataset.digest == whole.digest
    assert dealt.report == report
    for name in TABLES:
        assert rows(getattr(dealt.dataset, name)) == rows(getattr(whole, name)), name
    (one, horizons), (other, theirs) = (study(dataset, Funnel()) for dataset in (whole, dealt.dataset))
    assert (one.schema, one.left_out, one.data_end, horizons) == (other.schema, other.left_out, other.data_end, theirs)
    assert one.cohort.lead_ids == other.cohort.lead_ids
    np.testing.assert_array_equal(learned_from(one), learned_from(other))
    profiles = [learn_profile(s.dataset, s.schema, s.cohort, s.path, (), s.data_end, 0).document() for s in (one, other)]
    assert profiles[0] == profiles[1]


@pytest.mark.proof
def test_a_bundle_learned_from_partitions_is_the_same(folder: Path, dealt: Learnable) -> None:
    whole, _ = read_dataset(folder, funnel=Funnel())
    made = [train(dataset, Funnel(), whole.data_end).bundle for dataset in (whole, dealt.dataset)]
    assert made[0].hash == made[1].hash


def test_what_a_killed_process_left_goes_and_what_a_living_one_holds_stays(folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitions, "_BYTES", size_of(folder) // 2)
    left, held = home / "partitions-left", home / "partitions-held"
    for work in (left, held):
        (work / "raw").mkdir(parents=True)
        (work / "lock").touch()
    with (held / "lock").open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        read(folder)
    assert list(home.glob("*partitions-*")) == [held]


def test_a_folder_without_leads_is_told_the_same_in_any_size(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "leads.csv").write_text("lead_id,created_at\n")
    monkeypatch.setattr(partitions, "_BYTES", 1)
    with pytest.raises(NoLeads, match="holds no lead, so there is nothing to learn from"):
        read(tmp_path)


def test_a_full_disk_is_told_with_what_to_do(folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "raw")

    monkeypatch.setattr(partitions, "_BYTES", 10_000)
    monkeypatch.setattr(reading, "partitions_of", full)
    with pytest.raises(DataError, match=f"must fit on the disk of {home}: No space left on device. Make room, or set LEADSCORE_HOME"):
        read(folder)
    assert not list(home.glob("partitions-*"))
