"""The removal test: a field that knows the outcome is proven, alone or with twins; an honest one is not, however strong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.contract import DAY, EXITS, STAGES
from features.attributes import Attribute
from features.declarations import EventType
from features.schema import Schema
from training.choice import Sample
from training.leak_removal import MOST_WEIGHED, Leak, measured, removal_leaks
from training.leak_trial import MIN_LEADS, MOST_ROWS, Trial, fields_of, some_leads

ROWS = 1_200


def made(columns: dict[str, np.ndarray], y: np.ndarray, as_of: np.ndarray | None = None, lead: np.ndarray | None = None) -> tuple[Schema, Sample]:
    """Numbers as undated fields of leads; no event ever happened."""
    attributes = tuple(Attribute(name, "number", (f"lead.{name}",), "opportunity", name) for name in columns)
    schema = Schema(STAGES, EXITS, (), attributes)
    X = np.zeros((y.size, len(schema.columns)), np.float32)
    X[:, len(schema.features) :] = np.column_stack(list(columns.values()))
    return schema, Sample(X, y.astype(np.int8), np.arange(y.size) if lead is None else lead, np.zeros(y.size, np.int64) if as_of is None else as_of)


def honest(seed: int, strength: float = 1.0, rows: int = ROWS) -> tuple[dict[str, np.ndarray], np.ndarray, np.random.Generator]:
    """Six honest numbers, the first of them of `strength` (log-odds a standard deviation)."""
    rng = np.random.default_rng(seed)
    columns = {f"honest_{i}": rng.normal(size=rows) for i in range(6)}
    logit = strength * columns["honest_0"] + 0.5 * sum(columns[f"honest_{i}"] for i in range(1, 6)) - 0.7
    return columns, (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.int8), rng


def copied(y: np.ndarray, rng: np.random.Generator, errors: float = 0.05) -> np.ndarray:
    return np.where(rng.random(y.size) < errors, 1 - y, y).astype(float)


def proven(schema: Schema, sample: Sample, **asked: object) -> list[str]:
    rows = np.ones(sample.y.size, bool)
    return [leak.column for leak in removal_leaks(schema, sample, rows, 0, **asked)]  # type: ignore[arg-type]


@pytest.mark.parametrize("strength", [0.5, 1.0, 1.5])
def test_an_honest_field_is_not_proven_however_strong(strength: float) -> None:
    columns, y, _ = honest(1, strength)
    assert proven(*made(columns, y)) == []


@pytest.mark.parametrize("errors", [0.0, 0.05, 0.1])
def test_a_copy_of_the_outcome_is(errors: float) -> None:
    columns, y, rng = honest(2)
    (leak,) = removal_leaks(*made(columns | {"verdict": copied(y, rng, errors)}, y), np.ones(ROWS, bool), 0)
    assert (leak.column, leak.kept, leak.kind) == ("lead.verdict", False, "proven")
    assert leak.auc_with is not None
    assert leak.auc_without is not None
    assert leak.auc_with > 0.9 > leak.auc_without
    assert "outcome is known" in leak.why


def test_leaks_do_not_hide_one_another() -> None:
    """Twins, one of them in another unit; and one copied anew."""
    columns, y, rng = honest(3)
    verdict = copied(y, rng)
    columns |= {"verdict": verdict, "verdict_times_sixty": 60 * verdict, "second_opinion": copied(y, rng, 0.08)}
    assert sorted(proven(*made(columns, y))) == ["lead.second_opinion", "lead.verdict", "lead.verdict_times_sixty"]


def test_twins_that_tell_little_alone_do_not_hide_either() -> None:
    """Half of the conversions are known, of the others nothing: AUC .75 alone, as a duration has it."""
    columns, y, rng = honest(4, 1.5)
    known = np.where(rng.random(ROWS) < 0.75, y, 0.5) + rng.normal(0, 0.1, ROWS)
    assert sorted(proven(*made(columns | {"seconds": known, "minutes": known / 60}, y))) == ["lead.minutes", "lead.seconds"]


def test_a_suspect_is_tested_and_hides_nothing() -> None:
    columns, y, rng = honest(5)
    columns |= {"verdict": copied(y, rng), "status": copied(y, rng, 0.02)}
    assert sorted(proven(*made(columns, y), suspected={"lead.status"})) == ["lead.status", "lead.verdict"]


def test_fields_with_a_history_are_not_tested() -> None:
    columns, y, rng = honest(6)
    schema, sample = made(columns | {"verdict": copied(y, rng)}, y)
    assert proven(schema, sample, tested={"lead.honest_0"}) == []


@pytest.mark.parametrize("name", ["verdict", "lead.verdict"])
def test_the_team_may_keep_it(name: str) -> None:
    columns, y, rng = honest(7)
    (leak,) = removal_leaks(*made(columns | {"verdict": copied(y, rng)}, y), np.ones(ROWS, bool), 0, keep=(name,))
    assert leak.kept


def test_the_test_period_is_not_looked_at() -> None:
    """The field knows the outcome of the last third only."""
    columns, y, rng = honest(8)
    late = np.arange(ROWS) >= 800
    schema, sample = made(columns | {"verdict": np.where(late, y, rng.random(ROWS))}, y)
    assert removal_leaks(schema, sample, ~late, 0) == ()
    assert removal_leaks(schema, sample, late, 0) != ()


@pytest.mark.parametrize(("converted", "found"), [(MIN_LEADS, True), (MIN_LEADS - 1, False)])
def test_without_evidence_nothing_is_proven(converted: int, found: bool) -> None:
    rng = np.random.default_rng(0)
    y = (np.arange(400) < converted).astype(np.int8)
    schema, sample = made({"verdict": y.astype(float), "noise": rng.normal(size=400)}, y)
    assert Trial(schema, sample, np.ones(400, bool), 0).enough == found
    assert bool(proven(schema, sample)) == found


def test_where_there_are_times_earlier_leads_answer_for_later_ones() -> None:
    columns, y, rng = honest(9)
    lead = np.repeat(np.arange(ROWS // 3), 3)
    as_of = (np.repeat(rng.permutation(ROWS // 3), 3) + np.tile(np.arange(3), ROWS // 3)) * DAY
    schema, sample = made(columns, y, as_of, lead)
    trial = Trial(schema, sample, np.ones(ROWS, bool), 0)
    ((train, validate),) = trial._folds
    assert sample.as_of[train].max() < sample.as_of[validate].min()
    assert not set(sample.lead[train]) & set(sample.lead[validate])


def test_without_times_no_lead_is_on_both_sides_and_each_is_asked_once() -> None:
    columns, y, _ = honest(10)
    lead = np.arange(ROWS) // 2
    schema, sample = made(columns, y, lead=lead)
    trial = Trial(schema, sample, np.ones(ROWS, bool), 0)
    assert sorted(trial.asked) == list(range(ROWS))
    assert all(not set(lead[train]) & set(lead[validate]) for train, validate in trial._folds)


def test_auc_is_given_both_ways_with_what_is_left_out_left_out() -> None:
    columns, y, rng = honest(11)
    schema, sample = made(columns | {"verdict": copied(y, rng), "status": copied(y, rng)}, y)
    trial = Trial(schema, sample, np.ones(ROWS, bool), 0)
    leaks = [
        Leak(f"lead.{name}", "why", kept, "suspected") for name, kept in (("verdict", False), ("status", False), ("honest_0", True), ("gone", False))
    ]
    verdict, status, first, gone = measured(trial, leaks)
    base = trial.auc(trial.columns(without=["lead.verdict", "lead.status"]))
    assert verdict.auc_without == status.auc_without == first.auc_with == base
    assert verdict.auc_with == trial.auc(trial.columns(without=["lead.status"]))
    assert first.auc_without is not None
    assert first.auc_without < base
    assert (gone.auc_with, gone.auc_without) == (None, None)


def test_of_many_suspects_those_are_weighed_that_a_model_makes_most_of() -> None:
    """A survey of dozens of questions that were answered together would else cost minutes."""
    columns, y, rng = honest(13)
    many = {f"question_{i:02}": rng.normal(size=ROWS) for i in range(MOST_WEIGHED)}
    schema, sample = made(columns | many | {"verdict": copied(y, rng)}, y)
    trial = Trial(schema, sample, np.ones(ROWS, bool), 0)
    suspects = [Leak(f"lead.{name}", "why", False, "suspected") for name in (*many, "verdict")]
    told = measured(trial, suspects)
    assert [leak.column for leak in told] == [leak.column for leak in suspects]
    assert sum(leak.auc_with is not None for leak in told) == MOST_WEIGHED
    assert told[-1].auc_with is not None
    assert all(leak.auc_with is not None for leak in measured(trial, suspects[1:]))


def test_the_same_seed_gives_the_same_numbers() -> None:
    columns, y, rng = honest(12)
    schema, sample = made(columns | {"verdict": copied(y, rng)}, y)
    rows = np.ones(ROWS, bool)
    assert removal_leaks(schema, sample, rows, 5) == removal_leaks(schema, sample, rows, 5)


def test_all_columns_of_a_field_belong_to_it() -> None:
    types = (EventType("webinar", "Attended a webinar", "interest", "inbound", True),)
    attributes = (
        Attribute("industry", "category", ("lead.industry",), "organization", "Industry", ("it", "retail")),
        Attribute("email", "email", ("lead.email", "account.domain"), "stakeholder", "Email"),
    )
    schema = Schema(STAGES, EXITS, types, attributes)
    fields = fields_of(schema)
    names = [c.name for c in schema.columns]
    assert set(fields) == {"event.webinar", "lead.industry", "lead.email"}
    assert [names[i] for i in fields["lead.industry"]] == ["industry=it", "industry=retail", "industry=(other)", "industry=(missing)"]
    assert all(names[i].startswith("email") for i in fields["lead.email"])
    assert all("webinar" in names[i] for i in fields["event.webinar"])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 3_000), min_size=1, max_size=40), st.integers(0, 5))
def test_many_rows_are_all_of_some_leads(rows: list[int], seed: int) -> None:
    lead = np.repeat(np.arange(len(rows)), rows)
    chosen = some_leads(lead, seed)
    assert chosen.sum() <= MOST_ROWS
    assert all(len({bool(c) for c in chosen[lead == one]}) == 1 for one in range(len(rows)))
    assert lead.size > MOST_ROWS or chosen.all()
