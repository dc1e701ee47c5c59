"""The demo's past: what became known when, the scores of each week, and nothing twice."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
import sqlalchemy as sa

from bundles import bundle, promote
from data.contract import DAY
from data.dataset import Dataset
from data.sample import write_sample
from data.sample.parameters import END
from data.schema import QUEUE, SCORES
from data.store import open_store
from serving import demo
from serving.demo import WEEK, WEEKS, became_known, play
from worlds import read

LEADS = 80
EARLIER = END - 400 * DAY


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("demo") / "world"
    write_sample(made, LEADS, 4)
    return made


@pytest.fixture(scope="module")
def dataset(folder: Path) -> Dataset:
    return read(folder)


@pytest.fixture
def champion(home: Path) -> Path:
    with open_store() as store:
        promote(store, "1", bundle())
    return home


def spans(end: int) -> list[tuple[int | None, int]]:
    return [(None, end - 3 * WEEK), *pairwise(range(end - 3 * WEEK, end + 1, WEEK))]


def test_every_row_becomes_known_once_and_with_its_lead(dataset: Dataset) -> None:
    parts = [became_known(dataset, *span) for span in spans(END)]
    for name, id in (("leads", "lead_id"), ("accounts", "account_id"), ("events", "event_id"), ("changes", "id")):
        assert Counter(v for part in parts for v in getattr(part, name)[id].to_pylist()) == Counter(getattr(dataset, name)[id].to_pylist()), name
    stages = Counter(row for part in parts for row in zip(*(part.stages[c].to_pylist() for c in ("lead_id", "entered_at", "stage")), strict=True))
    assert stages == Counter(zip(*(dataset.stages[c].to_pylist() for c in ("lead_id", "entered_at", "stage")), strict=True))
    there: set[str] = set()
    for part in parts:
        there |= set(part.leads["lead_id"].to_pylist())
        for name in ("events", "stages", "deals"):
            assert set(getattr(part, name)["lead_id"].to_pylist()) <= there, name


def test_nothing_is_told_before_its_time(dataset: Dataset) -> None:
    for after, until in spans(END):
        part = became_known(dataset, after, until)
        told = [*part.leads["created_at"].to_pylist(), *part.events["occurred_at"].to_pylist(), *part.stages["entered_at"].to_pylist()]
        told += [at for at in part.events["recorded_at"].to_pylist() if at is not None]
        told += part.deals["opened_at"].to_pylist()
        assert max(told, default=0) <= until
        for deal in part.deals.to_pylist():
            if deal["closed_at"] is None:
                assert (deal["outcome"], deal["reason"], deal["competitor"]) == (None, None, None)
            assert deal["closed_at"] is None or deal["closed_at"] <= until


def test_a_row_at_the_end_of_a_span_belongs_to_it(dataset: Dataset) -> None:
    at = dataset.leads["created_at"].to_pylist()[0]
    known = [
        dataset.leads["lead_id"].to_pylist()[0] in became_known(dataset, *span).leads["lead_id"].to_pylist() for span in ((None, at), (at, at + 1))
    ]
    assert known == [True, False]


def test_a_deal_comes_open_first_and_closed_once_it_is(dataset: Dataset) -> None:
    deal = next(row for row in dataset.deals.to_pylist() if row["closed_at"] is not None and row["closed_at"] > row["opened_at"] + DAY)
    opened, closed = deal["opened_at"], deal["closed_at"]

    def outcomes(after: int | None, until: int) -> list[str | None]:
        return [row["outcome"] for row in became_known(dataset, after, until).deals.to_pylist() if row["deal_id"] == deal["deal_id"]]

    assert outcomes(None, opened) == [None]
    assert outcomes(opened, closed - 1) == []
    assert outcomes(opened, closed) == [deal["outcome"]]
    assert outcomes(closed, closed + DAY) == []


def test_the_stage_of_a_deal_is_todays_and_told_today(dataset: Dataset) -> None:
    staged = sorted(dataset.deals.to_pylist(), key=lambda deal: deal["opened_at"])
    staged[0] |= {"closed_at": None, "outcome": None}
    for place, deal in enumerate(staged):
        deal["stage"] = f"stage {place}"
    told = replace(dataset, deals=pa.Table.from_pylist(staged, dataset.deals.schema))
    weeks = spans(END)
    parts = [became_known(told, *span, span == weeks[-1]).deals.to_pylist() for span in weeks]
    for part in parts[:-1]:
        assert all((deal["stage"] is None) == (deal["closed_at"] is None) for deal in part)
    known = {deal["deal_id"]: deal["stage"] for part in parts for deal in part}
    assert known == {deal["deal_id"]: deal["stage"] for deal in staged}
    assert staged[0]["deal_id"] in {deal["deal_id"] for deal in parts[0]}, "told before, without"


def test_a_deal_that_ends_later_has_no_stage_yet(dataset: Dataset) -> None:
    deal = next(row for row in dataset.deals.to_pylist() if row["closed_at"] is not None and row["closed_at"] > row["opened_at"])
    told = replace(dataset, deals=pa.Table.from_pylist([deal | {"stage": "closed won"}], dataset.deals.schema))
    for at, stage in ((deal["closed_at"] - 1, None), (deal["closed_at"], "closed won")):
        assert became_known(told, None, at, True).deals["stage"].to_pylist() == [stage]


def test_the_weeks_are_played_scored_and_not_repeated(champion: Path, folder: Path, dataset: Dataset) -> None:
    counts = play(folder, END)
    assert counts["leads"]["created"] == LEADS
    assert counts["events"] == Counter(created=dataset.events.num_rows)
    with open_store() as store, store.engine.connect() as connection:
        given = connection.execute(sa.select(SCORES.c.at, sa.func.count()).group_by(SCORES.c.at)).all()
        waiting = connection.scalar(sa.select(sa.func.count()).select_from(QUEUE).where(QUEUE.c.until.is_(None)))
    assert sorted(row[0] for row in given) == [END - back * WEEK for back in range(WEEKS, -1, -1)]
    assert waiting == dict(given)[END] > 0, "every open lead, scored now"
    again = play(folder, END + DAY)
    assert again["events"] == Counter(unchanged=dataset.events.num_rows)
    with open_store() as store, store.engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count(sa.distinct(SCORES.c.at)))) == len(given)


def test_a_world_ends_when_it_is_told_to(tmp_path: Path, dataset: Dataset) -> None:
    write_sample(tmp_path / "earlier", LEADS, 4, end=EARLIER)
    moved = read(tmp_path / "earlier")
    for name, column in (
        ("leads", "created_at"),
        ("events", "occurred_at"),
        ("stages", "entered_at"),
        ("deals", "opened_at"),
        ("changes", "changed_at"),
    ):
        before, after = (getattr(made, name)[column].to_pylist() for made in (dataset, moved))
        assert after == [at + EARLIER - END for at in before], name
    with pytest.raises(ValueError, match="end must be a midnight"):
        write_sample(tmp_path / "noon", LEADS, 4, end=END + DAY // 2)


def test_no_browser_is_opened_where_nobody_sits(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(demo.threading, "Thread", lambda **_: pytest.fail("a browser for nobody"))
    demo.open_when_ready(1)
    assert capsys.readouterr() == ("", "")
