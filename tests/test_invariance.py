"""What must change nothing: the future, the order of rows, how leads are dealt into parts, and who else is in the batch."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.contract import DAY, EXITS, STAGES, TICK
from data.dataset import Dataset
from data.funnel import Funnel
from features.discovery import discover
from features.rows import compute
from features.tables import cohort_of
from serving.batch import score_cohort
from serving.scorer import Scorer
from worlds import TABLES, World, of_leads, with_rows

SLOWLY = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def scores_of(world: World, dataset: Dataset, as_of: int) -> pa.Table:
    """The score file of a dataset under the world's bundle."""
    return score_cohort(Scorer.of(world.bundle, "1", Funnel()), cohort_of(dataset, world.bundle.schema), as_of)


def rows_of(world: World, dataset: Dataset, as_of: int) -> dict[str, bytes]:
    """Each lead's row, to the bit."""
    cohort = cohort_of(dataset, world.bundle.schema)
    every = np.arange(cohort.timeline.leads, dtype=np.int64)
    X = compute(world.bundle.schema, cohort, every, np.full(every.size, as_of, np.int64))
    return {name: row.tobytes() for name, row in zip(cohort.lead_ids, X, strict=True)}


def part(world: World, size: int) -> Dataset:
    """About that many of the leads, spread over all."""
    ids = world.dataset.leads["lead_id"].to_pylist()
    return of_leads(world.dataset, ids[:: max(1, len(ids) // size)])


def companies(dataset: Dataset) -> list[list[str]]:
    """The leads, those together that ever stood at one account, or are held together by others: who could be whose colleague."""
    stood = list(zip(dataset.leads["lead_id"].to_pylist(), dataset.leads["account_id"].to_pylist(), strict=True))
    stood += [(row["id"], row["value"]) for row in dataset.changes.to_pylist() if (row["object"], row["field"]) == ("lead", "account_id")]
    held: dict[str, list[str]] = {name: [name] for name in dataset.leads["lead_id"].to_pylist()}
    first: dict[str, str] = {}
    for name, account in stood:
        if name in held and account is not None and held[name] is not (other := held[first.setdefault(account, name)]):
            other += held[name]
            held |= dict.fromkeys(held[name], other)
    return list({id(one): one for one in held.values()}.values())


def as_of_of(world: World) -> int:
    return world.dataset.data_end - 60 * DAY


@SLOWLY
@given(data=st.data())
def test_what_comes_after_as_of_changes_nothing(sample: World, data: st.DataObject) -> None:
    """Events, stage entries, late records and changes from one tick after as_of on, of any type and any lead."""
    dataset, as_of = part(sample, 120), as_of_of(sample)
    ids = dataset.leads["lead_id"].to_pylist()
    accounts = dataset.accounts["account_id"].to_pylist()
    later = st.one_of(st.just(as_of + TICK), st.integers(as_of + TICK, as_of + 400 * DAY))
    lead = st.sampled_from(ids)
    events = data.draw(
        st.lists(st.fixed_dictionaries({"lead_id": lead, "occurred_at": later, "type": st.sampled_from(TYPES), "value": VALUES}), max_size=20)
    )
    late = data.draw(
        st.lists(
            st.fixed_dictionaries({"lead_id": lead, "occurred_at": st.just(as_of - DAY), "recorded_at": later, "type": st.sampled_from(TYPES)}),
            max_size=5,
        )
    )
    stages = data.draw(st.lists(st.fixed_dictionaries({"lead_id": lead, "entered_at": later, "stage": st.sampled_from(STAGES + EXITS)}), max_size=10))
    changed = [("lead", ids, name) for name in ("job_title", "country")] + [("account", accounts, name) for name in ("employees", "industry")]
    histories = with_history(dataset, changed)
    changes = [
        {"object": table, "id": data.draw(st.sampled_from(of)), "field": field, "value": data.draw(VALUES_AS_TEXT), "changed_at": data.draw(later)}
        for table, of, field in changed
    ]
    before = replace(dataset, changes=histories)
    after = replace(
        dataset,
        events=with_rows(dataset.events, [*events, *late]),
        stages=with_rows(dataset.stages, stages),
        changes=with_rows(histories, changes),
    )
    assert rows_of(sample, before, as_of) == rows_of(sample, after, as_of)
    assert scores_of(sample, before, as_of).equals(scores_of(sample, after, as_of))


TYPES = ("email_open", "meeting", "trial_use", "never_seen_before")
VALUES = st.none() | st.floats(0, 1_000)
VALUES_AS_TEXT = st.sampled_from(["CEO", "retail", "500-999", "SE", "", None])


def with_history(dataset: Dataset, fields: list[tuple[str, list[str], str]]) -> pa.Table:
    """Changes in which every lead and account has a dated value of these fields: the one it holds, known since long ago."""
    known = []
    for table, _, field in fields:
        rows, key = (dataset.leads, "lead_id") if table == "lead" else (dataset.accounts, "account_id")
        known += [
            {"object": table, "id": i, "field": field, "value": v, "changed_at": 0}
            for i, v in zip(rows[key].to_pylist(), rows[field].to_pylist(), strict=True)
        ]
    return with_rows(dataset.changes, known)


def test_one_tick_earlier_it_does_change_something(sample: World) -> None:
    """The same event at as_of counts: the test above is not blind."""
    dataset, as_of = part(sample, 120), as_of_of(sample)
    lead = scores_of(sample, dataset, as_of)["lead_id"][0].as_py()
    event = {"lead_id": lead, "occurred_at": as_of, "type": "meeting"}
    changed = replace(dataset, events=with_rows(dataset.events, [event]))
    one, other = rows_of(sample, dataset, as_of), rows_of(sample, changed, as_of)
    company = next(names for names in companies(dataset) if lead in names)
    assert lead in {name for name in one if one[name] != other[name]} <= set(company)


@SLOWLY
@given(seed=st.integers(0, 2**31))
def test_the_order_of_rows_changes_nothing(sample: World, seed: int) -> None:
    dataset, as_of = part(sample, 200), as_of_of(sample)
    rng = np.random.default_rng(seed)
    mixed = replace(dataset, **{name: (table := getattr(dataset, name)).take(pa.array(rng.permutation(table.num_rows))) for name in TABLES})
    assert discover(mixed, Funnel()) == discover(dataset, Funnel())
    assert rows_of(sample, mixed, as_of) == rows_of(sample, dataset, as_of)
    assert scores_of(sample, mixed, as_of).equals(scores_of(sample, dataset, as_of))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sample", "loans"])
@pytest.mark.parametrize("parts", [2, 7])
def test_how_leads_are_dealt_into_parts_changes_nothing(name: str, parts: int, request: pytest.FixtureRequest) -> None:
    """Bit for bit: the parts' rows and scores, put together and sorted, are those of the whole. Colleagues stay together."""
    world: World = request.getfixturevalue(name)
    dataset, as_of = part(world, 300), as_of_of(world)
    dealt = [(int(np.random.default_rng([parts, i]).integers(parts)), names) for i, names in enumerate(companies(dataset))]
    pieces = [of_leads(dataset, [name for at, names in dealt if at == number for name in names]) for number in range(parts)]
    assert {k: v for piece in pieces for k, v in rows_of(world, piece, as_of).items()} == rows_of(world, dataset, as_of)
    together = pa.concat_tables([scores_of(world, piece, as_of) for piece in pieces])
    together = together.take(pc.sort_indices(together, sort_keys=[("probability", "descending"), ("lead_id", "ascending")]))
    assert together.combine_chunks().equals(scores_of(world, dataset, as_of))


def test_a_lead_among_many_is_the_lead_with_its_colleagues_alone(sample: World) -> None:
    dataset, as_of = part(sample, 200), as_of_of(sample)
    whole = {row["lead_id"]: row for row in scores_of(sample, dataset, as_of).to_pylist()}
    for names in companies(dataset)[::3]:
        told = scores_of(sample, of_leads(dataset, names), as_of).to_pylist()
        assert {row["lead_id"]: row for row in told} == {name: whole[name] for name in names if name in whole}


def test_nobody_open_is_an_empty_file_of_the_same_shape(sample: World) -> None:
    long_ago = int(sample.cohort.timeline.created.min()) - DAY
    empty = scores_of(sample, part(sample, 120), long_ago)
    assert empty.num_rows == 0
    assert empty.schema == scores_of(sample, part(sample, 120), as_of_of(sample)).schema


@SLOWLY
@given(seed=st.integers(0, 2**31))
def test_the_order_of_the_spine_changes_nothing(sample: World, seed: int) -> None:
    """Rows for any (lead, as_of) in any order, repeats too, are those computed one by one."""
    rng = np.random.default_rng(seed)
    cohort, schema = sample.cohort, sample.bundle.schema
    lead = rng.integers(0, cohort.timeline.leads, 30)
    as_of = rng.integers(as_of_of(sample) - 300 * DAY, as_of_of(sample), 30)
    lead[:5], as_of[:5] = lead[5:10], as_of[5:10]
    many = compute(schema, cohort, lead, as_of)
    alone = np.concatenate([compute(schema, cohort, lead[i : i + 1], as_of[i : i + 1]) for i in range(30)])
    np.testing.assert_array_equal(many, alone)
