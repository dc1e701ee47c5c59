"""The short ways of scoring against the long ones: many leads at once against one by one, told against columns, hops side by side against each."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from bundles import SCHEMA, bundle, hop, linear, store_at
from data import ledger
from data.contract import DAY, TICK, format_instant, parse_instant
from data.funnel import Funnel
from data.ledger import ScoreRecord
from features.rows import Cohort, Known, compute, compute_told
from features.sweep import NO_VALUE
from features.timeline import Past, build
from registry.bundle import Bundle
from registry.calibrator import Calibrator
from registry.models import Constant, Points
from service import LEAD, refusal, running, with_champion
from serving.answers import BatchAnswer
from serving.assessment import Way
from serving.calls import scoring
from serving.contract import ScoreRequest
from serving.errors import ServiceError
from serving.scorer import Scored, Scorer
from worlds import World, bodies

NOW = parse_instant("2026-06-01T00:00:00Z")
MANY = settings(max_examples=60, deadline=None)
TIMES = st.integers(NOW - 3 * DAY, NOW + 2 * TICK)
NAMES = st.sampled_from(["lead", "MQL", "prospect", "opportunity", "customer", "lost", "disqualified", "wizard"])


def instant(at: int) -> str:
    return format_instant(at)


EVENT = st.fixed_dictionaries(
    {"occurred_at": TIMES.map(instant), "type": st.sampled_from(["email_open", "pricing_page_view", "call", "seance"])},
    optional={"value": st.none() | st.floats(-1e6, 1e6), "recorded_at": st.none() | TIMES.map(instant)},
)
BODIES = st.fixed_dictionaries(
    {"lead": st.fixed_dictionaries({}, optional={"lead_id": st.text(max_size=3), "created_at": TIMES.map(instant), "budget": st.floats(0, 1e6)})},
    optional={
        "account": st.fixed_dictionaries({}, optional={"industry": st.sampled_from(["it", "retail", "odd", "", "-"])}),
        "events": st.lists(EVENT, max_size=6),
        "stages": st.lists(st.fixed_dictionaries({"entered_at": TIMES.map(instant), "stage": NAMES}), max_size=4),
        "stage": NAMES,
        "as_of": TIMES.map(instant),
    },
)


def told(found: Scored | ServiceError) -> Any:
    """All that is said and kept, but for the id, which is new each time."""
    if isinstance(found, ServiceError):
        return found.document
    answer, record = found
    assert answer["score_id"] == record.score_id
    return answer | {"score_id": None}, record._replace(score_id="")


def one_by_one(scorer: Scorer, requests: Sequence[ScoreRequest], everything: bool, now: int) -> list[Any]:
    found: list[Any] = []
    for request in requests:
        try:
            found.append(told(scorer.score(request, now, everything, source="batch")))
        except ServiceError as refused:
            found.append(refused.document)
    return found


@MANY
@given(sent=st.lists(BODIES, max_size=12), everything=st.booleans())
def test_many_at_once_say_what_each_says_alone(sent: list[dict[str, Any]], everything: bool) -> None:
    scorer, requests = Scorer.of(bundle(), "1", Funnel()), [ScoreRequest.model_validate(body) for body in sent]
    assert [told(found) for found in scorer.score_many(requests, NOW, everything)] == one_by_one(scorer, requests, everything, NOW)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_many_leads_of_a_trained_funnel_say_what_each_says_alone(sample: World, data: st.DataObject) -> None:
    """Trees, intervals and reasons, to the last bit, in any company and any order."""
    scorer, now = Scorer.of(sample.bundle, "1", Funnel()), sample.dataset.data_end
    ids = data.draw(st.lists(st.sampled_from(sample.dataset.leads["lead_id"].to_pylist()), min_size=1, max_size=40))
    requests = [ScoreRequest.model_validate(body) for body in bodies(sample.dataset, ids, now - data.draw(st.integers(0, 300)) * DAY)]
    assert [told(found) for found in scorer.score_many(requests, now)] == one_by_one(scorer, requests, False, now)


def test_without_reasons_only_the_reasons_are_missing() -> None:
    scorer, request = Scorer.of(bundle(), "1", Funnel()), ScoreRequest.model_validate(LEAD)
    (full, plain) = (told(scorer.score_many([request], NOW, with_reasons=told_)[0]) for told_ in (True, False))
    left_out = {"fit": None, "engagement": None, "base": None, "other": None, "reasons": []}
    assert plain[0] == full[0] | left_out
    assert plain[1] == full[1]


@pytest.mark.parametrize("change", [{}, {"stage": "prospect"}, {"stage": "lost"}, {"stage": "customer"}])
def test_the_record_holds_what_was_answered_and_the_row_it_came_from(change: dict[str, Any]) -> None:
    scorer = Scorer.of(bundle(), "1", Funnel())
    answer, record = scorer.score(ScoreRequest.model_validate(LEAD | change), NOW)
    first: dict[str, Any] = next(iter(answer["transitions"].values()), dict.fromkeys(("low", "high")))
    assert record[:-1] == (
        answer["score_id"], "L-1", NOW, parse_instant(answer["as_of"]), answer["stage"], "1", "request", answer["probability"], first["low"],
        first["high"], answer["score"], answer["grade"], answer["recommendation"]["action"],
    )  # fmt: skip
    X = np.frombuffer(record.features, "<f4").reshape(1, -1).copy()
    again = next(scorer.judge(record.stage, X))
    assert again == {name: answer[name] for name in again}


VALUES = [None, -5.0, 0.0, 5.0, 0.1234565, 1e12, -1e12]


@MANY
@given(
    leads=st.lists(
        st.tuples(
            TIMES,
            st.lists(st.tuples(TIMES, st.integers(-2, 2), st.sampled_from(VALUES)), max_size=60),
            st.lists(st.tuples(TIMES, st.integers(0, 5)), max_size=5),
            st.tuples(*[st.none() | st.sampled_from(["it", "retail", "odd", "20000", "-1.5"])] * len(SCHEMA.inputs)),
        ),
        max_size=5,
    ),
    at=st.lists(TIMES, min_size=5, max_size=5),
)
def test_leads_told_one_by_one_are_those_of_the_columns(leads: list[Any], at: list[int]) -> None:
    """Histories in any order, attributes, and the stage at the instant: to the last bit what a dataset's tables come to."""
    created, every, as_of = np.array([lead[0] for lead in leads], np.int64), np.arange(len(leads)), np.array(at[: len(leads)], np.int64)
    events = [(n, kind, time, value) for n, (_, rows, _, _) in enumerate(leads) for time, kind, value in rows]
    entries = [(n, code, time) for n, (_, _, rows, _) in enumerate(leads) for time, code in rows]
    ints, codes = (lambda rows, i: np.array([r[i] for r in rows], np.int64)), (lambda rows, i: np.array([r[i] for r in rows], np.int16))
    millionths = np.array([NO_VALUE if row[3] is None else round(row[3] * 1_000_000) for row in events], np.int64)
    built = build(
        created, (ints(events, 0), codes(events, 1), ints(events, 2), millionths), (ints(entries, 0), codes(entries, 1), ints(entries, 2)), 4
    )
    known = Known(dict.fromkeys(SCHEMA.inputs, every), {column: [lead[3][i] for lead in leads] for i, column in enumerate(SCHEMA.inputs)})
    stages, X = compute_told(SCHEMA, [past(*lead[:3], n) for lead, n in zip(leads, at, strict=False)], [lead[3] for lead in leads])
    assert stages == built.standing(every, as_of)[0].tolist()
    assert_array_equal(X, compute(SCHEMA, Cohort([], built, known), every, as_of))


def past(created: int, events: Sequence[tuple[int, int, float | None]], entries: Sequence[tuple[int, int]], as_of: int) -> Past:
    values = [math.nan if value is None else value for _, _, value in events]
    return Past(created, as_of, [e[0] for e in events], [e[1] for e in events], values, [e[0] for e in entries], [e[1] for e in entries], [], [])


def test_a_lead_stands_in_a_stage_from_the_instant_it_enters_it() -> None:
    entered = [past(NOW, [], [(NOW + DAY, 1)], at) for at in (NOW - TICK, NOW, NOW + DAY - TICK, NOW + DAY)]
    assert compute_told(SCHEMA, entered, [(None,) * len(SCHEMA.inputs)] * 4)[0] == [-1, 0, 0, 1]


HOPS = (
    hop("lead", "lead->prospect", linear(-1.2, {"budget": 1e-5, "email_open_count_7d": 0.4})),
    hop("lead", "prospect->opportunity", Points(-0.5, 0.3, np.array([0, 3]), np.array([0.0, 1.0]), np.array([2.0, -1.0]))),
    hop("lead", "opportunity->customer", Constant(0.0)),
)
CURVES = st.sampled_from([Calibrator(), Calibrator("sigmoid", 0.7, 0.7, 0.1), Calibrator("beta", 0.4, 1.8, -0.3), Calibrator("intercept", shift=2.0)])


@MANY
@given(rows=st.lists(st.integers(0, 50), min_size=1, max_size=5), curves=st.tuples(CURVES, CURVES, CURVES), ahead=st.integers(1, 3))
def test_hops_answered_side_by_side_are_each_hops_own(rows: list[int], curves: tuple[Calibrator, ...], ahead: int) -> None:
    """And so of the population that a score is a percentile of: a tie must stay one to the last bit."""
    calibrated = tuple(
        type(h)(h.stage, h.transition, 28, h.model, c, linear(-1.0, {"budget": 1e-6}), h.population, {})
        for h, c in zip(HOPS, curves, strict=True)
    )  # fmt: skip
    way = Way(calibrated[:ahead])
    X = np.array(rows, np.float32)[:, None] * np.ones((1, len(SCHEMA.columns)), np.float32)
    judged, effects = way.explained(X)
    for mine, theirs in zip(judged, way.judged(X), strict=True):
        assert_array_equal(mine, theirs)
    for answer, own in zip(way.answers(X), calibrated, strict=False):
        raw = own.model.raw_score(X)
        expected = (own.log_odds(X), own.probability(X), *own.interval(X, raw), own.score(own.probability(X)))
        for mine, theirs in zip(answer[1:], expected, strict=True):
            assert_array_equal(mine, theirs)
    for mine, theirs in zip(effects[1:], calibrated[0].explain(X), strict=True):
        assert_array_equal(mine, theirs)


@MANY
@given(sent=BODIES)
def test_the_reasons_are_the_strongest_five_each_way(sent: dict[str, Any]) -> None:
    """By hand, from all of them: told strongest first, equals by name."""
    wide = {column.name: (0.3 if i % 2 else -0.3) + 0.001 * (i % 7) for i, column in enumerate(SCHEMA.columns)}
    made = Bundle(SCHEMA, ("lead", "prospect"), (hop("lead", "lead->prospect", linear(-1.0, wide)),), Funnel().training_document(), {})
    scorer, body = Scorer.of(made, "1", Funnel()), {name: value for name, value in sent.items() if name not in ("stage", "stages")}
    listed, every = (scorer.score_many([ScoreRequest.model_validate(body)], NOW, everything)[0] for everything in (False, True))
    if isinstance(listed, ServiceError) or isinstance(every, ServiceError):
        return
    reasons = every[0]["reasons"]
    assert reasons == sorted(reasons, key=lambda r: (-abs(r["effect"]), r["feature"]))
    strongest = [id(r) for way in (1, -1) for r in [r for r in reasons if r["effect"] * way > 0][:5]]
    assert listed[0]["reasons"] == [r for r in reasons if id(r) in strongest]


def test_missing_inputs_that_weigh_are_named_loudest_first() -> None:
    weights = {"industry=(missing)": 0.5, "industry=it": 1.0, "budget": 1e-5}
    made = Bundle(SCHEMA, ("lead", "prospect"), (hop("lead", "lead->prospect", linear(-1.0, weights)),), Funnel().training_document(), {})
    scorer = Scorer.of(made, "1", Funnel())

    def warned(change: dict[str, Any]) -> list[str]:
        answer = scorer.answer(ScoreRequest.model_validate(LEAD | change), NOW)
        return [warning for warning in answer["warnings"] if "not given" in warning]

    assert warned({}) == []
    assert warned({"account": {"industry": " - "}}) == ["inputs that this model weighs and that are not given: account.industry."]
    assert warned({"account": {"industry": "odd"}}) == [], "given, if odd"


@pytest.mark.parametrize("rows, sizes", [(0, [32, 32, 6]), (10, [32, 32, 6]), (100, [20, 20, 20, 10]), (5_000, [1] * 70)])
def test_a_batch_is_taken_in_portions_by_items_and_by_rows(rows: int, sizes: list[int]) -> None:
    items: list[Any] = [{"lead": {"lead_id": str(n)}, "events": [{}] * rows} for n in range(70)]
    portions = list(scoring._portions(items))
    assert [len(portion) for portion in portions] == sizes
    assert [item for portion in portions for item in portion] == items


@pytest.mark.parametrize("fsync", [False, True])
def test_what_is_answered_is_in_the_ledger(tmp_path: Path, fsync: bool) -> None:
    with running(with_champion(tmp_path), fsync=fsync) as client:
        one = client.post("/v1/score", json=LEAD).json()
        batch = client.post("/v1/score/batch", json={"items": [LEAD, {"lead": 5}, LEAD]})
        BatchAnswer.model_validate_json(batch.content)
        many = [result for result in batch.json()["results"] if "error" not in result]
    with store_at(tmp_path) as store:
        kept: list[ScoreRecord | None] = [ledger.get(store, answer["score_id"]) for answer in (one, *many)]
    assert [(r.lead_id, r.source, r.probability) for r in kept if r] == [
        ("L-1", "request", one["probability"]),
        *[("L-1", "batch", one["probability"])] * 2,
    ]


def test_a_score_that_cannot_be_kept_is_not_given(tmp_path: Path) -> None:
    with_champion(tmp_path)
    (tmp_path / "spool").write_text("not a folder")
    with running(tmp_path, until=lambda answer: answer["version"] == "1") as client:
        for path, body in (("/v1/score", LEAD), ("/v1/score/batch", {"items": [LEAD]})):
            assert refusal(client.post(path, json=body))[:2] == (503, "LedgerDown")
