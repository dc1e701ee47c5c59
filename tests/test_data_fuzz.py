"""Whatever stands in the files, the answer is a dataset or a DataError, and no row is lost without being counted."""

import gzip
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.contract import DataError, parse_instant
from data.dataset import read_dataset
from data.funnel import Funnel

NOW = parse_instant("2026-11-21T10:00:00Z")
GOOD = b"lead_id,created_at,size\nL1,2026-01-01T00:00:00Z,1\nL2,2026-01-02,2\n"
ANY_TEST = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADSCORE_HOME", str(tmp_path / "home"))


def answer(folder: Path, name: str, content: bytes) -> str:
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    (folder / name).write_bytes(content)
    try:
        read_dataset(folder, funnel=Funnel(), now=NOW)
    except DataError as error:
        return str(error)
    return "ok"


@ANY_TEST
@given(st.binary(max_size=200), st.sampled_from(["leads.csv", "leads.csv.gz", "leads.parquet"]))
def test_any_bytes_get_an_answer(tmp_path: Path, content: bytes, name: str) -> None:
    assert answer(tmp_path / "crm", name, content)


@ANY_TEST
@given(st.integers(0, len(GOOD)), st.binary(max_size=4), st.sampled_from(["utf-8", "utf-16", "gzip"]))
def test_any_damage_gets_an_answer(tmp_path: Path, place: int, damage: bytes, kind: str) -> None:
    content = {"utf-8": GOOD, "utf-16": GOOD.decode().encode("utf-16"), "gzip": gzip.compress(GOOD)}[kind]
    assert answer(tmp_path / "crm", "leads.csv", content[:place] + damage + content[place:])
    assert answer(tmp_path / "crm", "leads.csv", content[:place])


FIELDS = {
    "lead_id": st.sampled_from(["L1", "L2", "L9", "", " L1 "]),
    "occurred_at": st.sampled_from(["2026-01-01", "2026-01-01T10:00:00Z", "2026-01-02 10:00", "2026-11-21T10:05:00Z"]),
    "type": st.sampled_from(["call", "email_open", "", "null"]),
    "event_id": st.sampled_from(["", "", "E1", "E2"]),
    "value": st.sampled_from(["", "1", "2.5", "many"]),
}
ROW = st.tuples(*FIELDS.values())
BAD = st.sampled_from([("too", "short"), ("L1", "soon", "call", "", ""), ("L1", "2030-01-01", "call", "", ""), ("L1", "", "x", "", "")])


@ANY_TEST
@given(st.lists(ROW, min_size=24, max_size=60), st.lists(BAD, max_size=1), st.integers(0, 24))
def test_every_event_is_kept_or_rejected_with_a_reason(tmp_path: Path, rows: list[tuple[str, ...]], bad: list[tuple[str, ...]], place: int) -> None:
    rows = rows[:place] + bad + rows[place:]
    folder = tmp_path / "crm"
    folder.mkdir(exist_ok=True)
    (folder / "leads.csv").write_bytes(GOOD)
    lines = [",".join(FIELDS), *(",".join(row) for row in rows)]
    (folder / "events.csv").write_text("\n".join(lines) + "\n")
    dataset, report = read_dataset(folder, funnel=Funnel(), now=NOW)
    rejected = report.rejected.get("events", 0)
    assert dataset.events.num_rows + rejected == len(rows)
    assert set(dataset.events["lead_id"].to_pylist()) <= {"L1", "L2"}
    ids = [value for value in dataset.events["event_id"].to_pylist() if value]
    assert len(ids) == len(set(ids))
    if rejected:
        written = Path(report.rejects_files["events"]).read_text().splitlines()
        assert len(written) == rejected + 1
