"""Replay: the number that was given comes back to the last bit, from the same bundle, however it was computed; anything else is said."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundles import SCHEMA, bundle, promote
from data import ledger
from data.contract import DAY, DataError
from data.ingest import put_leads
from data.leads import erase
from data.ledger import ScoreRecord
from data.policy import Policy
from data.store import Store, open_store
from records import NOW, numbered
from registry.models import Model
from serving.contract import ScoreRequest
from serving.errors import ServiceError
from serving.replay import bundle_of, replay, replayed, row_of, scorer_of
from serving.scorer import Scorer
from serving.spool import Spool
from training.candidates import TreeGrower, TreeSize, fit_base_rate, fit_logistic
from training.points import fit_points

SCORER = Scorer(bundle(), "1", Policy())


def request(views: int, budget: float, stage: str = "lead", lead_id: str = "L-1") -> ScoreRequest:
    events = [{"occurred_at": NOW - n * DAY // 7, "type": "pricing_page_view"} for n in range(views)]
    return ScoreRequest.model_construct(
        lead={"lead_id": lead_id, "created_at": "2026-01-01", "budget": budget}, account={"industry": "it"}, events=events, stages=[], deals=[],
        account_events=[], stage=stage, as_of=NOW,
    )  # fmt: skip


def records_of(requests: list[ScoreRequest]) -> list[ScoreRecord]:
    scored = SCORER.score_many(requests, NOW)
    return [one[1] for one in scored if not isinstance(one, ServiceError)]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 1e6), st.sampled_from(["lead", "prospect", "lost"])), min_size=1, max_size=6))
def test_a_score_given_in_a_batch_comes_back_alone(asked: list[tuple[int, float, str]]) -> None:
    records = records_of([request(*one) for one in asked])
    assert len(records) == len(asked)
    assert [replayed(record, SCORER).differences for record in records] == [()] * len(records)


FITS: dict[str, Callable[[np.ndarray, np.ndarray], Model]] = {
    "base rate": lambda _, y: fit_base_rate(y, np.ones(len(y))),
    "points": fit_points,
    "logistic": lambda X, y: fit_logistic(X, y, np.ones(len(y))),
    "lightgbm": lambda X, y: TreeGrower(X, y, 0).grow(np.ones(len(y)), TreeSize(30)),
}


@pytest.mark.parametrize("kind", FITS)
def test_every_kind_of_model_says_the_same_of_a_row_alone_and_among_others(kind: str) -> None:
    chance = np.random.default_rng(3)
    X = chance.poisson(2, (400, len(SCHEMA.columns))).astype(np.float32)
    X[chance.random(X.shape) < 0.1] = np.nan
    y = (chance.random(400) < 1 / (1 + np.exp(1 - np.nan_to_num(X[:, 0])))).astype(np.int8)
    hops = tuple(replace(hop, model=FITS[kind](X, y)) for hop in bundle().hops)
    scorer = Scorer(replace(bundle(), hops=hops), "1", Policy())
    for row, judged in zip(X, scorer.judge("lead", X), strict=True):
        first = judged["transitions"]["lead->prospect"]
        numbers = {name: first[name] for name in ("probability", "low", "high", "score")}
        again = replayed(numbered(1)._replace(features=row.tobytes(), **numbers), scorer)
        assert (again.differences, again.judged) == ((), judged)


def test_a_difference_in_the_last_bit_is_one() -> None:
    (record,) = records_of([request(3, 20_000)])
    assert record.probability is not None
    moved = record._replace(probability=float(np.nextafter(record.probability, 1)), score=None)
    again = replayed(moved, SCORER)
    assert again.differences == ("probability", "score")
    assert again.document["same"] is False
    assert again.document["different"] == ["probability", "score"]


def test_a_row_of_other_columns_is_refused() -> None:
    with pytest.raises(DataError, match=r"must have the .* columns of version 1; it has 8"):
        row_of(numbered(1), SCORER.bundle)


def test_the_document_is_what_was_given_and_the_judgement_again() -> None:
    (answer, record) = SCORER.score(request(2, 1e4), NOW)
    document = replayed(record, SCORER).document
    assert {name: document[name] for name in ("score_id", "lead_id", "stage", "as_of", "probability", "score", "grade")} == {
        name: answer[name] for name in ("score_id", "lead_id", "stage", "as_of", "probability", "score", "grade")
    }
    assert document["replayed"] == {name: answer[name] for name in document["replayed"]}
    assert "features" not in document


@pytest.fixture
def store(store_url: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store with one bundle, at the URL that the command line takes."""
    monkeypatch.setenv("LEADSCORE_DATABASE_URL", store_url)
    with open_store(store_url) as store:
        promote(store, "1", bundle())
        yield store


def test_the_command_finds_a_score_in_the_spool_of_an_ended_process(store: Store, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (record,) = records_of([request(3, 20_000)])
    spool = Spool(home / "spool")
    spool.append(record)
    spool.close()
    assert replay(record.score_id, str(home / "out.json")) == 0
    said = capsys.readouterr().out
    assert f"probability stored   {record.probability!r}" in said
    assert "equal to the last bit" in said
    assert "pricing page" in said.lower()
    told = orjson.loads((home / "out.json").read_bytes())
    assert (told["same"], told["probability"], told["replayed"]["probability"]) == (True, record.probability, record.probability)


def test_the_judgement_goes_to_standard_output_or_nowhere(store: Store, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (record,) = records_of([request(3, 20_000)])
    ledger.insert(store, [record])
    assert replay(record.score_id, "-") == 0
    said = capsys.readouterr()
    assert orjson.loads(said.out)["same"] is True
    assert "equal to the last bit" in said.err
    with pytest.raises(DataError, match=r"--json must name a file that can be written"):
        replay(record.score_id, str(home.parent))


def test_the_command_says_what_differs(store: Store, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (record,) = records_of([request(3, 20_000)])
    ledger.insert(store, [record._replace(low=0.0)])
    assert replay(record.score_id) == 1
    assert "different: low" in capsys.readouterr().out


def test_unknown_and_erased_scores_are_refused_in_words(store: Store, home: Path) -> None:
    put_leads(store, [{"lead_id": "L-1", "created_at": NOW}], NOW)
    (record,) = records_of([request(1, 5)])
    ledger.insert(store, [record])
    erase(store, "L-1", NOW)
    with pytest.raises(DataError, match="belonged to a lead that has been erased"):
        replay(record.score_id)
    with pytest.raises(DataError, match=r"there is no score abc in the ledger.*kept 400 days"):
        replay("abc")


def test_bundles_are_loaded_once_and_told_apart_by_store(store: Store, tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'other' / 'leadscore.db'}") as other:
        promote(other, "1", bundle(-2.0))
        assert bundle_of(store, "1") is scorer_of(store, "1", Policy()).bundle
        assert bundle_of(other, "1").hash != bundle_of(store, "1").hash
        with pytest.raises(DataError, match="version 9 is not in the store"):
            bundle_of(other, "9")


@given(st.lists(st.sampled_from([0.0, -0.0, float("nan"), float("inf"), 1.5, -2.0]) | st.floats(width=32), max_size=40))
def test_a_row_comes_back_from_the_table_to_the_last_bit(values: list[float]) -> None:
    features = np.array(values, "<f4").tobytes()
    assert ledger.restored(ledger.thinned(features)) == features
    assert len(ledger.thinned(features)) <= 4 + (len(values) + 7) // 8 + 4 * len(values)


def test_zeros_take_a_bit_each() -> None:
    assert ledger.thinned(np.array([0.0, 3.0, 0.0], "<f4").tobytes()) == b"\x03\0\0\0" + b"\x40" + b"\0\0\x40\x40"
