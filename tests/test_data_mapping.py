"""mapping.toml: other systems' columns become ours."""

import os
from pathlib import Path
from typing import Any

import pytest

from data.contract import DataError
from data.dataset import read_dataset
from data.funnel import Funnel
from data.mapping import DatasetMapping, load_mapping
from data.validation import InvalidDataset

DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADSCORE_HOME", str(tmp_path / "home"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "crm"
    path.mkdir()
    (path / "Contacts Export.csv").write_text(
        "Contact ID,Created,MQL Date,Won Date,created_at,Owner\n1,2026-01-01,2026-01-05,2026-02-01,x,Ann\n2,2026-01-02,,,y,Bo\n"
    )
    return path


def mapping(**changes: Any) -> DatasetMapping:
    stage = {"file": "Contacts Export", "columns": {"lead_id": "Contact ID", "entered_at": "MQL Date"}}
    won = {"file": "Contacts Export.csv", "columns": {"lead_id": "Contact ID", "entered_at": "Won Date"}}
    leads = {"file": "Contacts Export", "columns": {"lead_id": "Contact ID", "created_at": "Created"}, "drop": ["Won Date"]}
    document: dict[str, Any] = {
        "leads": leads,
        "stages": [stage | {"constant": {"stage": "prospect"}}, won | {"constant": {"stage": "customer"}}],
    }
    return DatasetMapping.from_document(document | changes)


def test_date_columns_become_stages(folder: Path) -> None:
    dataset, report = read_dataset(folder, funnel=Funnel(), mapping=mapping())
    assert dataset.stages.select(["lead_id", "stage"]).to_pylist() == [
        {"lead_id": "1", "stage": "prospect"},
        {"lead_id": "1", "stage": "customer"},
    ]
    assert [finding.rule for finding in report.warnings] == ["no_events"]


def test_unmapped_columns_stay_dropped_ones_and_those_in_the_way_go(folder: Path) -> None:
    dataset, _ = read_dataset(folder, funnel=Funnel(), mapping=mapping())
    assert {"MQL Date", "Owner"} <= set(dataset.leads.column_names)
    assert "Won Date" not in dataset.leads.column_names
    assert all(isinstance(value, int) for value in dataset.leads["created_at"].to_pylist())


def test_the_mapping_is_part_of_the_digest(folder: Path) -> None:
    leads = {"file": "Contacts Export", "columns": {"lead_id": "Contact ID", "created_at": "Created"}}
    first, _ = read_dataset(folder, funnel=Funnel(), mapping=mapping())
    second, _ = read_dataset(folder, funnel=Funnel(), mapping=mapping(leads=leads))
    assert first.digest != second.digest


@pytest.mark.parametrize(
    "leads, words",
    [
        ({"file": "Contact Export.csv"}, "Did you mean 'Contacts Export.csv'"),
        ({"file": "Contacts Export", "columns": {"lead_id": "ContactID"}}, "Did you mean 'Contact ID'"),
        ({"file": "Contacts Export", "drop": ["MQL date"]}, "Did you mean 'MQL Date'"),
    ],
)
def test_what_is_not_there_is_named_with_the_nearest(folder: Path, leads: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidDataset, match=words):
        read_dataset(folder, funnel=Funnel(), mapping=mapping(leads=leads))


@pytest.mark.parametrize(
    "document, words",
    [
        ({"lead": {"file": "x"}}, "unknown key `lead`. Did you mean 'leads'"),
        ({"leads": {"file": "x", "colums": {}}}, "unknown key `leads.0.colums`. Did you mean 'columns'"),
        ({"leads": {"columns": {}}}, "`leads.0.file` is required"),
        ({"events": {"file": "x", "columns": {"occured_at": "y"}}}, "no column 'occured_at'. Did you mean 'occurred_at'"),
        ({"events": {"file": "x", "columns": {"type": "y"}, "constant": {"type": "z"}}}, "events.type is in both"),
        ({"leads": {"file": "x", "columns": ["lead_id"]}}, "`leads.0.columns` must be"),
    ],
)
def test_a_mistake_names_its_key(document: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError) as caught:
        DatasetMapping.from_document(document)
    assert words in str(caught.value)


def test_a_mapping_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a file"):
        load_mapping(tmp_path / "absent.toml")


def test_the_annotated_file_reads_olist() -> None:
    datasets = os.environ.get("LEADSCORE_DATASETS")
    olist = load_mapping(DOCS / "mapping.toml")
    if not datasets:
        pytest.skip("LEADSCORE_DATASETS is not set: the public data sets are not here")
    dataset, report = read_dataset(Path(datasets) / "olist", funnel=Funnel(), mapping=olist)
    assert report.tables == {"leads": 8_000, "stages": 842}
    assert report.ok
    assert set(dataset.stages["stage"].to_pylist()) == {"customer"}
