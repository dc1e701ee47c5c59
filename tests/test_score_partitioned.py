"""`leadscore score` in parts: the same bytes however many there are, nothing done twice, nothing half done."""

import csv
import io
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from bundles import bundle, promote
from data.contract import TABLES, DataError, format_instant, parse_instant
from data.dataset import read_dataset
from data.funnel import Funnel
from data.partitions import partitions_of
from data.store import open_store
from data.workers import Each, in_processes, in_turn
from features.tables import cohort_of
from serving.batch import schema_of, score_cohort
from serving.commands import score, score_folder
from serving.score_files import _safe_to_open, merged, write_scores
from serving.scorer import Scorer
from serving.scoring_progress import steps
from serving.scoring_run import PartDone, PartitionTask, Workplace, keep_scorer, score_partition, workplace
from serving.spreadsheet import cell

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
LEADS = 90
AT = parse_instant("2026-05-01T00:00:00Z")


@pytest.fixture
def crm(home: Path, tmp_path: Path) -> Path:
    """Leads of thirty accounts with histories of all sorts, an open deal here and there, and a champion to score them with."""
    with open_store() as store:
        promote(store, "1", bundle())
    rng = np.random.default_rng(5)
    folder = tmp_path / "crm"
    folder.mkdir()
    lines: dict[str, list[str]] = {name: [] for name in ("leads", "accounts", "events", "stages", "deals", "changes")}
    for i in range(LEADS):
        budget = "" if i % 5 == 0 else f"{rng.integers(1, 90_000)}"
        lines["leads"].append(f"L-{i},2026-01-{1 + i % 28:02d}T09:00:00Z,A-{i % 30},{budget}")
        for n in range(int(rng.integers(0, 12))):
            kind = rng.choice(["email_open", "pricing_page_view", "call"])
            lines["events"].append(f"L-{i},2026-0{rng.integers(2, 5)}-{1 + n:02d}T10:00:00Z,{kind},e{i}-{n // 2 if i % 9 == 0 else n}")
        for stage in ("prospect", "opportunity", "lost")[: int(rng.integers(0, 4)) if i % 2 else 0]:
            lines["stages"].append(f"L-{i},2026-03-{rng.integers(1, 28):02d}T00:00:00Z,{stage}")
        if i % 11 == 0:
            lines["deals"].append(f"D-{i},L-{i},2026-04-01T00:00:00Z,demo")
    lines["accounts"] = [f"A-{i},{('it', 'retail', 'steel')[i % 3]}" for i in range(30)]
    lines["changes"] = ["lead,L-3,account_id,A-7,2026-02-01T00:00:00Z", "account,A-3,industry,it,2026-03-01T00:00:00Z"]
    heads = {"leads": "lead_id,created_at,account_id,budget", "accounts": "account_id,industry", "events": "lead_id,occurred_at,type,event_id"}
    heads |= {"stages": "lead_id,entered_at,stage", "deals": "deal_id,lead_id,opened_at,stage", "changes": "object,id,field,value,changed_at"}
    for name, rows in lines.items():
        (folder / f"{name}.csv").write_text("\n".join([heads[name], *rows]) + "\n", encoding="utf-8")
    return folder


def scored_to(out: Path, crm: Path, count: int | None, as_of: int | None = None) -> bytes:
    scorer = Scorer.of(bundle(), "1", Funnel())
    with workplace(out) as place, steps(Console(file=io.StringIO())) as tell:
        assert score_folder(scorer, Funnel(), crm, None, out, as_of, place, in_turn, tell, count).rows > 50
    return out.read_bytes()


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_number_of_partitions_shows_in_no_byte(crm: Path, tmp_path: Path, ending: str) -> None:
    files = [scored_to(tmp_path / f"{count}.{ending}", crm, count) for count in (1, 2, 7)]
    assert files[0] == files[1] == files[2]
    assert score(str(crm), None, None, str(tmp_path / f"scores.{ending}"), None, None) == 0
    assert (tmp_path / f"scores.{ending}").read_bytes() == files[0]
    assert not (tmp_path / f".scores.{ending}.work").exists(), "what the run kept for itself is gone"
    scorer = Scorer.of(bundle(), "1", Funnel())
    dataset = read_dataset(crm, funnel=Funnel())[0]
    table = score_cohort(scorer, cohort_of(dataset, bundle().schema), dataset.data_end, deals=dataset.deals)
    assert table.num_rows > 50
    write_scores([table], schema_of(scorer), str(tmp_path / f"whole.{ending}"))
    assert (tmp_path / f"whole.{ending}").read_bytes() == files[0]


def test_rows_are_in_order_and_complete(crm: Path, tmp_path: Path) -> None:
    scored_to(tmp_path / "scores.csv", crm, 4, AT)
    rows = list(csv.DictReader((tmp_path / "scores.csv").read_text("utf-8").splitlines()))
    keys = [(-float(row["probability"]) if row["probability"] else 1.0, row["lead_id"]) for row in rows]
    assert keys == sorted(keys)
    assert len({key[1] for key in keys}) == len(keys)
    assert {row["as_of"] for row in rows} == {format_instant(AT)}
    assert any(orjson.loads(row["reasons"]) for row in rows)


def places(crm: Path, work: Path, count: int, each: Each = in_turn) -> tuple[Workplace, list[PartitionTask]]:
    parts = partitions_of(crm, None, Funnel(), work / "data", count, each=each)
    place = Workplace(work)
    return place, place.tasks(parts, bundle().to_bytes(), Funnel(), "1", AT)


def test_what_is_scored_is_not_scored_again(crm: Path, tmp_path: Path) -> None:
    place, tasks = places(crm, tmp_path / "work", 5)
    done = [score_partition(task) for task in tasks[:3]]
    before = [Path(task.out).stat().st_ino for task in tasks[:3]]
    assert [task.part for task in place.left(tasks)] == [3, 4]
    assert list(in_turn(score_partition, tasks))[:3] == done
    assert [Path(task.out).stat().st_ino for task in tasks[:3]] == before
    assert place.left(tasks) == []


def test_a_torn_part_is_scored_again(crm: Path, tmp_path: Path) -> None:
    place, tasks = places(crm, tmp_path / "work", 3)
    whole = [(score_partition(task), Path(task.out).read_bytes()) for task in tasks]
    Path(tasks[1].out).write_bytes(whole[1][1][:-40])
    tasks[2].done.write_bytes(b"{")
    assert [task.part for task in place.left(tasks)] == [1, 2]
    assert [(score_partition(task), Path(task.out).read_bytes()) for task in tasks] == whole


def test_another_question_is_another_answer(crm: Path, tmp_path: Path) -> None:
    """Another instant, bundle or policy: nothing of what was scored before is taken for it; the partitions are."""
    place, tasks = places(crm, tmp_path / "work", 2)
    score_partition(tasks[0])
    parts = partitions_of(crm, None, Funnel(), tmp_path / "work" / "data", 2)
    others = [(bundle(-0.3), Funnel(), AT), (bundle(), Funnel(), AT + 1)]
    for made, policy, at in others:
        again = place.tasks(parts, made.to_bytes(), policy, "1", at)
        assert place.left(again) == again
        assert again[0].folder == tasks[0].folder
        assert not Path(tasks[0].out).exists()


def test_what_other_code_scored_is_scored_again(crm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, tasks = places(crm, tmp_path / "work", 2)
    score_partition(tasks[0])
    monkeypatch.setattr("serving.scoring_run.code", lambda: "code of tomorrow")
    assert len(place.left(places(crm, tmp_path / "work", 2)[1])) == 2


def test_a_policy_is_the_same_where_it_is_read_again(tmp_path: Path) -> None:
    policy = Funnel.from_document({"policy": {"cost_of_contact": 25.5}, "stages": {"prospect": ["MQL"]}})
    keep_scorer(bundle().to_bytes(), policy, tmp_path / "scorer")
    assert Funnel.from_document(orjson.loads((tmp_path / "scorer" / "policy.json").read_bytes())) == policy


def test_processes_of_their_own_score_the_same(crm: Path, tmp_path: Path) -> None:
    _, here = places(crm, tmp_path / "here", 3)
    with in_processes(2) as each:
        _, there = places(crm, tmp_path / "there", 3, each)
        sizes = sorted((done.part, done.rows) for done in each(score_partition, there))
    assert sizes == [(done.part, done.rows) for done in map(score_partition, here)]
    for one, other in zip(here, there, strict=True):
        assert Path(one.out).read_bytes() == Path(other.out).read_bytes()
        assert all((Path(one.folder) / f"{name}.parquet").read_bytes() == (Path(other.folder) / f"{name}.parquet").read_bytes() for name in TABLES)


def test_a_worker_that_is_ended_is_told_of_and_loses_nothing(crm: Path, tmp_path: Path) -> None:
    _, tasks = places(crm, tmp_path / "work", 4)
    score_partition(tasks[0])
    with pytest.raises(DataError, match=r"ended from outside.*the same command again: `leadscore score` goes on"), in_processes(2) as each:
        list(each(_ends_in_the_third, tasks))
    assert Path(tasks[0].out).exists()
    assert [score_partition(task).part for task in tasks] == [0, 1, 2, 3]


def _ends_in_the_third(task: PartitionTask) -> PartDone:
    if task.part == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return score_partition(task)


_TWO = """
import os, time
from data.workers import in_processes
from test_score_partitioned import _says_who_and_stays
if __name__ == "__main__":
    with in_processes(2) as each:
        list(each(_says_who_and_stays, [{0!r}, {0!r}]))
"""


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def _says_who_and_stays(folder: str) -> None:
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(60)


def test_workers_end_with_the_run_that_was_killed(tmp_path: Path) -> None:
    """Nobody would stop them, or free what they hold."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    run = subprocess.Popen([sys.executable, "-c", _TWO.format(str(tmp_path))], cwd=ROOT, env=env)
    wait_for(lambda: len(list(tmp_path.iterdir())) == 2, run)
    workers = [int(path.name) for path in tmp_path.iterdir()]
    run.kill()
    run.wait()
    for _ in range(1_000):
        if not any(map(_runs, workers)):
            return
        time.sleep(0.01)
    raise AssertionError("workers outlived the run")


_RUN = """
import sys
from pathlib import Path
from rich.console import Console
from data.funnel import Funnel
from data.workers import in_turn
from serving.commands import bundle_of, score_folder
from serving.scorer import Scorer
from serving.scoring_progress import steps
from serving.scoring_progress import steps
from serving.scoring_run import workplace
with workplace(Path({out!r})) as place, steps(Console(stderr=True)) as tell:
    score_folder(Scorer.of(*bundle_of(None), Funnel()), Funnel(), Path({crm!r}), None, Path({out!r}), None, place, in_turn, tell, 12)
    place.clear()
"""


def test_a_run_that_was_killed_goes_on(crm: Path, tmp_path: Path) -> None:
    """kill -9 of the whole run in the middle of the scores; the same command then does what is left, and nothing else."""
    wanted = scored_to(tmp_path / "whole.csv", crm, 1)
    out = tmp_path / "scores.csv"
    command = [sys.executable, "-c", _RUN.format(crm=str(crm), out=str(out))]
    run = subprocess.Popen(command, cwd=ROOT, start_new_session=True, stderr=subprocess.DEVNULL)
    work = tmp_path / ".scores.csv.work"
    try:
        wait_for(lambda: len(list(work.glob("scores-*/*.json"))) > 3, run)
    finally:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    assert not out.exists()
    done = {path: path.stat() for path in work.glob("scores-*/[0-9]*.arrow") if path.with_suffix(".json").exists()}
    assert 2 <= len(done) <= 12
    seen: dict[Path, set[int]] = {path: set() for path in done}
    with (tmp_path / "told").open("wb") as stderr:
        again = subprocess.Popen(command, cwd=ROOT, start_new_session=True, stderr=stderr)
        while again.poll() is None:
            for path in (path for path in done if path.exists()):
                with suppress(FileNotFoundError):
                    seen[path].add(path.stat().st_ino)
            time.sleep(0.01)
    told = (tmp_path / "told").read_text()
    assert again.returncode == 0, told
    assert "going on where a run before this one ended" in told
    assert all(inodes == {done[path].st_ino} for path, inodes in seen.items())
    assert out.read_bytes() == wanted
    assert not work.exists()


def wait_for(there: Any, run: subprocess.Popen[bytes]) -> None:
    for _ in range(6_000):
        if there():
            return
        assert run.poll() is None, "it ended before it could be killed"
        time.sleep(0.005)
    raise AssertionError("it took too long")


def test_only_one_run_at_a_time_writes_a_file(crm: Path, tmp_path: Path) -> None:
    with workplace(tmp_path / "scores.csv"), pytest.raises(DataError, match="another run is writing"):
        score(str(crm), None, None, str(tmp_path / "scores.csv"), None, None)


def test_a_work_folder_that_is_gone_lets_no_second_run_in(tmp_path: Path) -> None:
    """The lock outlives the folder, and is removed by the run that holds it."""
    out = tmp_path / "scores.csv"
    with workplace(out) as place:
        place.clear()
        place.clear()
        with pytest.raises(DataError, match="another run is writing"), workplace(out):
            pass
    assert list(tmp_path.iterdir()) == []


def test_no_room_is_a_refusal_that_keeps_what_is_done(crm: Path, tmp_path: Path) -> None:
    """A file where the folder of the parts should be: what can't be written is told, and how to go on."""
    out = tmp_path / "scores.csv"
    (tmp_path / ".scores.csv.work").mkdir()
    (tmp_path / ".scores.csv.work" / "data").write_text("in the way")
    with pytest.raises(DataError, match=r"with room beside it.*Name another, or make room\.$"):
        score(str(crm), None, None, str(out), None, None)
    assert not out.exists()


def test_what_is_done_when_room_runs_out_is_kept(crm: Path, tmp_path: Path) -> None:
    """A folder where the file that is being written should be."""
    out = tmp_path / "scores.parquet"
    (tmp_path / ".scores.parquet.part").mkdir()
    with pytest.raises(DataError, match=r"with room beside it.*What is done is kept"):
        score(str(crm), None, None, str(out), None, None)
    assert list((tmp_path / ".scores.parquet.work").glob("scores-*/0.json"))


def test_a_file_of_the_dataset_that_is_gone_is_not_blamed_on_the_output(crm: Path, tmp_path: Path) -> None:
    (crm / "deals.csv").unlink()
    (crm / "deals.csv").symlink_to(tmp_path / "nowhere.csv")
    with pytest.raises(FileNotFoundError, match=r"deals\.csv"):
        score(str(crm), None, None, str(tmp_path / "scores.csv"), None, None)


def test_a_partition_that_can_not_be_read_is_named(crm: Path, tmp_path: Path) -> None:
    _, tasks = places(crm, tmp_path / "work", 3)
    score_partition(tasks[0])
    events = Path(tasks[1].folder) / "events.parquet"
    events.write_bytes(events.read_bytes()[:30])
    with pytest.raises(DataError, match=r"the partition .*1 can't be read.*run the command again"):
        score_partition(tasks[1])
    assert Path(tasks[0].out).exists()


@settings(deadline=None)
@given(
    parts=st.lists(st.lists(st.tuples(st.none() | st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.text(max_size=3)), max_size=9), max_size=5),
    size=st.integers(1, 3),
)
def test_sorted_parts_are_merged_in_order(parts: list[list[tuple[float | None, str]]], size: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Against sorting it all; no row is lost, and ties go by id."""
    folder, schema = tmp_path_factory.mktemp("parts"), pa.schema([("lead_id", pa.string()), ("probability", pa.float64())])
    paths = []
    for number, rows in enumerate(parts):
        held = [{"lead_id": name, "probability": chance} for chance, name in sorted(rows, key=_key)]
        paths.append(folder / f"{number}.arrow")
        with pa.ipc.new_file(str(paths[-1]), schema) as file:
            file.write_table(pa.Table.from_pylist(held, schema), max_chunksize=size)
    found = [(row["probability"], row["lead_id"]) for table in merged(paths) for row in table.to_pylist()]
    assert found == sorted((row for rows in parts for row in rows), key=_key)


def _key(row: tuple[float | None, str]) -> tuple[float, bytes]:
    return (1.0 if row[0] is None else -row[0], row[1].encode())


BLANKS = "".join(chr(c) for c in range(0x110000) if re.match(r"\s", chr(c)))


@settings(deadline=None)
@given(text=st.text(st.sampled_from(BLANKS + "=+-@;'\"5.eE\u2212\ufe62\ufeff\u200b\u2060A"), max_size=5))
@example("\x1c=1")
@example("\x0b=1")
@example("\u3000@x")
def test_every_cell_that_would_run_is_found(text: str) -> None:
    """Against looking at each of them."""
    table = pa.table({"lead_id": pa.array([text]), "reasons": pa.array(["[]"])})
    assert _safe_to_open(table)["lead_id"].to_pylist() == [cell(text)]


@settings(deadline=None, max_examples=8)
@given(sizes=st.lists(st.sampled_from([0, 1, 9_000, 16_383, 16_384, 20_000]), max_size=4))
def test_how_rows_come_shows_in_no_file(sizes: Sequence[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder, rows = tmp_path_factory.mktemp("files"), sum(sizes)
    table = pa.table({"lead_id": pa.array([f"L-{i}" for i in range(rows)], pa.string()), "reasons": pa.array(["[]"] * rows, pa.string())})
    begins = np.cumsum([0, *sizes])

    def pieces() -> Iterator[pa.Table]:
        yield from (table.slice(begin, size) for begin, size in zip(begins, sizes, strict=False))

    for ending in ("csv", "parquet"):
        write_scores(pieces(), table.schema, str(folder / f"pieces.{ending}"))
        write_scores([table], table.schema, str(folder / f"whole.{ending}"))
        assert (folder / f"pieces.{ending}").read_bytes() == (folder / f"whole.{ending}").read_bytes()
    assert pyarrow.parquet.read_table(folder / "pieces.parquet").equals(table)
