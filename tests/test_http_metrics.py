"""`GET /metrics`: what it counts, over all worker processes, and that it names nobody."""

import math
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families as families
from starlette.testclient import TestClient

from data.ledger import ScoreRecord
from data.pending import mark
from data.state import work_of
from data.store import open_store
from service import LEAD, running, with_champion
from serving import exposition
from serving.exposition import DECILES, ENOUGH, psi
from serving.metrics import Metrics
from test_http_server import posted, serving

NOW = 1_800_000_000_000_000


def value(page: str, name: str, **labels: str) -> float:
    """The sum of the samples of that name with these labels."""
    found = [s for family in families(page) for s in family.samples if s.name == name and labels.items() <= s.labels.items()]
    return sum(sample.value for sample in found)


def scraped(client: TestClient) -> str:
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return answer.text


def record(score: float | None, n: int = 0, stage: str = "lead") -> ScoreRecord:
    return ScoreRecord(f"s{n}", "L-1", NOW, NOW, stage, "7", "request", 0.5, 0.4, 0.6, score, "A", "advance", b"")


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page is made anew."""
    monkeypatch.setattr(exposition, "FRESH_SECONDS", 0.0)


def test_calls_and_scores_are_counted_and_nobody_is_named(tmp_path: Path) -> None:
    with running(with_champion(tmp_path)) as client:
        for _ in range(3):
            client.post("/v1/score", json=LEAD)
        client.get("/v1/leads/L-1")
        client.request("BREW", "/secret-path")
        page = scraped(client)
    assert value(page, "leadscore_request_seconds_count", route="/v1/score", status="200", method="POST") == 3
    assert value(page, "leadscore_request_seconds_count", route="/v1/leads/{lead_id}", status="404", method="GET") == 1
    assert value(page, "leadscore_request_seconds_count", route="(none)", status="404", method="other") == 1
    assert value(page, "leadscore_scores_total", stage="lead", version="1", source="request", grade="C") == 3
    assert value(page, "leadscore_store_up") == value(page, "leadscore_ready") == value(page, "leadscore_champion_info", version="1") == 1
    assert "L-1" not in page
    assert "secret" not in page


def test_work_that_waits_is_told(store_url: str) -> None:
    with open_store(store_url) as store:
        assert (work_of(store).pending, work_of(store).oldest) == ({}, None)
        for n, priority in enumerate((0, 0, 1)):
            with store.engine.execution_options(write=True).begin() as connection:
                mark(connection, [f"L-{n}"], NOW + n, priority, False)
        assert (work_of(store).pending, work_of(store).oldest) == ({0: 2, 1: 1}, NOW)


def test_a_job_that_waits_and_the_empty_backlog_are_told(tmp_path: Path) -> None:
    with running(with_champion(tmp_path)) as client:
        assert client.post("/v1/retrain", json={}).status_code == 202
        page = scraped(client)
        assert value(page, "leadscore_jobs") == 1
        assert value(page, "leadscore_rescoring_pending", reason="changed") == 0
        client.post("/v1/score", json=LEAD)
        for name in ("leadscore_ledger_backlog_records", "leadscore_ledger_backlog_bytes"):
            _until(lambda name=name: value(scraped(client), name) == 0)  # type: ignore[misc]


def test_while_the_store_is_down_the_rest_is_told(tmp_path: Path) -> None:
    with running(with_champion(tmp_path)) as client:
        client.app.state.service.store.close()  # type: ignore[attr-defined]
        for file in tmp_path.glob("leadscore.db*"):
            file.unlink()
        (tmp_path / "leadscore.db").write_bytes(b"not a database" * 1000)
        page = scraped(client)
    assert (value(page, "leadscore_store_up"), value(page, "leadscore_ready")) == (0, 1)
    assert "leadscore_jobs" not in page


@given(st.lists(st.integers(0, 1_000), min_size=2, max_size=20).filter(any))
def test_the_index_is_nothing_for_equal_counts_and_grows_away_from_them(counts: list[int]) -> None:
    assert psi(counts) >= -1e-12
    assert psi([sum(counts)] * len(counts)) == pytest.approx(0)


def test_the_index_is_as_it_is_defined() -> None:
    shares = [0.1, 0.2, 0.3, 0.4]
    by_hand = sum((share - 0.25) * math.log(share / 0.25) for share in shares)
    assert psi([share * 1e6 for share in shares]) == pytest.approx(by_hand, rel=1e-4)


@pytest.mark.parametrize(("scores", "told"), [(ENOUGH - 1, False), (ENOUGH, True)])
def test_drift_is_told_once_there_are_enough_scores(tmp_path: Path, scores: int, told: bool) -> None:
    with running(with_champion(tmp_path)) as client:
        client.app.state.service.metrics.scored([record(95.0, n) for n in range(scores)])  # type: ignore[attr-defined]
        page = scraped(client)
    assert ("leadscore_score_drift_psi{" in page) is told
    if told:
        assert value(page, "leadscore_score_drift_psi", stage="lead") > 1


@given(st.lists(st.one_of(st.none(), st.floats(0, 100)), max_size=50), st.integers(1, 20))
def test_the_latest_scores_are_those_of_a_window(scores: list[float | None], window: int) -> None:
    metrics = Metrics(window)
    metrics.scored([record(score, n) for n, score in enumerate(scores)])
    metrics.settle(3)
    latest = [score for score in scores if score is not None][-window:]
    page = exposition.generate_latest(metrics.counted()).decode()
    assert value(page, "leadscore_ledger_backlog_records") == 3
    for decile in range(DECILES):
        low, high = decile * 10, 101 if decile == DECILES - 1 else decile * 10 + 10
        assert value(page, "leadscore_latest_scores", decile=str(decile)) == sum(low <= score < high for score in latest)


def _page(url: str) -> str:
    content: bytes = urllib.request.urlopen(f"{url}/metrics", timeout=10).read()
    return content.decode()


def _until(done: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
def test_several_workers_are_counted_together(tmp_path: Path) -> None:
    with serving(with_champion(tmp_path), workers=2) as url:
        for _ in range(20):
            posted(f"{url}/v1/score", LEAD)
        _until(lambda: value(_page(url), "leadscore_latest_scores") == 20)
        pages = [_page(url) for _ in range(4)]
    assert {value(page, "leadscore_scores_total", source="request") for page in pages} == {20}
    assert {value(page, "leadscore_request_seconds_count", route="/v1/score") for page in pages} == {20}
    assert list((tmp_path / "metrics").iterdir()) == [], "what a service counted ends with it"
