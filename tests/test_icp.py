"""The profile that is learned: planted lifts are recovered, the future and leaks are kept out, and nothing but data and seed decides."""

import json
from dataclasses import replace
from functools import cache
from math import log

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from data.contract import DAY, TICK
from data.dataset import Dataset
from data.funnel import Funnel
from flat_files import made
from planted_crm import INDUSTRY, TITLE, crm
from registry.corrections import profile_of
from registry.profile import Profile, Trait
from test_flat_train import NOW, file_of
from test_labels import BEGIN, CUSTOMER, LEAD, LOST, PROSPECT, timeline_of
from training.flat import train_flat
from training.icp import FIRST_DAY, followed, learn_profile
from training.leak_removal import Leak
from training.run import study
from training.weighing import Told, weighed, weights_of
from worlds import World, with_rows


def learned(dataset: Dataset, leaks: tuple[Leak, ...] = (), seed: int = 0) -> Profile:
    funnel = Funnel(exclude=tuple(leak.column for leak in leaks if not leak.kept))
    found, _ = study(dataset, funnel)
    return learn_profile(dataset, found.schema, found.cohort, found.path, leaks, found.data_end, seed)


@cache
def planted() -> Profile:
    return learned(crm(6_000, 1), (Leak("lead.afterwards", "known afterwards", kept=False),))


def trait(profile: Profile, name: str) -> Trait:
    return next(t for t in profile.traits if t.name == name)


def test_planted_lifts_are_recovered() -> None:
    profile = planted()
    assert (profile.target, profile.auc) == ("customer", pytest.approx(0.76, abs=0.05))
    assert profile.days is not None
    assert 49 <= profile.days <= 63
    industry = trait(profile, "account_industry")
    order = [v.name for v in sorted(industry.values, key=lambda v: -v.lift)]
    assert order[0] == "software"
    assert order[-2:] == ["retail", "education"]
    apart = {v.name: log(v.lift) for v in industry.values}
    assert apart["software"] - apart["education"] == pytest.approx(INDUSTRY["software"] - INDUSTRY["education"], abs=0.6)
    ranks = [v.name for v in sorted(trait(profile, "job_title_seniority").values, key=lambda v: v.lift)]
    assert ranks == ["assistant", "manager", "director"]


def test_what_says_nothing_counts_for_nothing() -> None:
    noise = trait(planted(), "noise")
    assert all(v.low < 1 < v.high and abs(v.points) < 0.1 for v in noise.values)


def test_what_says_the_same_twice_counts_once() -> None:
    profile = planted()
    weights = trait(profile, "account_industry").weight + trait(profile, "account_copied").weight
    assert weights == pytest.approx(1.0, abs=0.3)


def test_the_fit_orders_leads_as_the_truth_does() -> None:
    told = {
        (industry, title): planted().fit({"account.industry": industry, "account.copied": industry.upper(), "lead.job_title": title}).score
        for industry in INDUSTRY
        for title in TITLE
    }
    truth = {(industry, title): INDUSTRY[industry] + TITLE[title] for industry, title in told}
    ours, theirs = (np.argsort(np.argsort([of[key] for key in told])) for of in (told, truth))
    assert np.corrcoef(ours, theirs)[0, 1] > 0.9
    assert all(score is not None and 0 <= score <= 100 for score in told.values())


def test_a_fit_is_a_percentile_of_the_leads_it_was_learned_from() -> None:
    dataset, profile = crm(6_000, 1), planted()
    accounts = {row["account_id"]: row for row in dataset.accounts.to_pylist()}
    scores = [
        profile.fit(
            {f"account.{k}": v for k, v in accounts[row["account_id"]].items()} | {"lead.job_title": row["job_title"], "lead.noise": row["noise"]}
        )
        for row in dataset.leads.slice(0, 2_000).to_pylist()
    ]
    shares = np.array([one.score for one in scores], np.float64)
    assert abs(shares.mean() - 50) < 2
    assert abs(np.mean(shares > 80) - 0.2) < 0.03


def test_proven_leaks_and_personal_data_stay_out() -> None:
    text = json.dumps(planted().document())
    assert "afterwards" not in text
    assert "gold" not in text
    assert "email" not in text
    assert "@" not in text
    assert "L-0" not in text
    assert "A-1" not in text


def test_a_field_that_is_filled_in_afterwards_says_nothing_even_if_it_is_kept() -> None:
    """Whether a value is known does not count, only which: the leak that most CRMs have can't make a profile."""
    profile = learned(crm(6_000, 1), (Leak("lead.afterwards", "people fill it in afterwards", kept=True, kind="suspected"),))
    kept = trait(profile, "afterwards")
    assert kept.missing > 0
    assert kept.missing_reached == 0
    assert all(abs(v.points) < 0.05 for v in kept.values)
    assert (kept.undated, kept.caution) == (True, "people fill it in afterwards")


def test_the_same_data_give_the_same_profile_in_any_order() -> None:
    dataset = crm(1_500, 2)
    shuffled = replace(dataset, **{
        name: (table := getattr(dataset, name)).take(pa.array(np.random.default_rng(0).permutation(table.num_rows)))
        for name in ("leads", "accounts", "stages")
    })  # fmt: skip
    first = learned(dataset)
    assert learned(dataset) == first
    assert learned(shuffled) == first


@pytest.mark.parametrize("at, known", [(FIRST_DAY, True), (FIRST_DAY + TICK, False)])
def test_only_what_was_known_on_the_first_day_counts(at: int, known: bool) -> None:
    """Every customer's noise turns to `red` then: at the end of the first day that is known, a tick later it is the future."""
    dataset = crm(1_500, 2)
    won = set(dataset.stages.filter(pc.equal(dataset.stages["stage"], "customer"))["lead_id"].to_pylist())
    rows = []
    for row in dataset.leads.to_pylist():
        common = {"object": "lead", "id": row["lead_id"], "field": "noise"}
        rows.append(common | {"value": "blue", "changed_at": row["created_at"]})
        rows.append(common | {"value": "red" if row["lead_id"] in won else "green", "changed_at": row["created_at"] + at})
    profile = learned(replace(dataset, changes=with_rows(dataset.changes, rows)))
    names = {v.name: v for v in trait(profile, "noise").values}
    assert set(names) == ({"red", "green"} if known else {"blue"})
    assert not trait(profile, "noise").undated
    if known:
        assert names["red"].reached == profile.reached
        assert names["green"].reached == 0


def test_who_is_followed_and_who_got_there() -> None:
    """Ninety of a hundred customers need 20 days, so 21 are looked at: from the end of the first day on, both ends told."""
    history = 400 * DAY
    plain = [(BEGIN, [(BEGIN + 20 * DAY, CUSTOMER)])] * 100
    last = FIRST_DAY + 21 * DAY
    edges = [
        (BEGIN, [(BEGIN + last, CUSTOMER)]),  # the last instant that counts
        (BEGIN, [(BEGIN + last + TICK, CUSTOMER)]),  # a tick too late
        (BEGIN, [(BEGIN + FIRST_DAY, CUSTOMER)]),  # on the first day: nobody knows what was known before
        (BEGIN, [(BEGIN + FIRST_DAY + TICK, CUSTOMER)]),
        (BEGIN + history - last, []),  # followed to the very end
        (BEGIN + history - last + TICK, []),  # not followed for long enough
        (BEGIN, [(BEGIN + DAY * 3, LOST), (BEGIN + DAY * 9, CUSTOMER)]),  # came back
        (BEGIN, [(BEGIN + 5 * DAY, PROSPECT)]),
    ]
    found = followed(timeline_of(*plain, *edges), "customer", CUSTOMER, LEAD, BEGIN + history)
    assert found.days == 21
    assert dict(zip(found.lead[100:].tolist(), found.y[100:].tolist(), strict=True)) == {
        100: 1, 101: 0, 103: 1, 104: 0, 106: 1, 107: 0,
    }  # fmt: skip
    assert np.all(found.as_of == timeline_of(*plain, *edges).created[found.lead] + FIRST_DAY)


def test_half_of_a_short_history_is_not_waited_for() -> None:
    """At most a third of the history is looked ahead."""
    leads = [(BEGIN + i * DAY, [(BEGIN + i * DAY + 80 * DAY, CUSTOMER)]) for i in range(60)]
    found = followed(timeline_of(*leads), "customer", CUSTOMER, LEAD, BEGIN + 150 * DAY)
    assert found.days == 49


def test_without_customers_the_furthest_stage_that_enough_reached_is_told() -> None:
    profile = learned(crm(1_500, 2, customers=False))
    assert profile.target == "prospect"
    assert profile.reached > 200


def test_without_evidence_nothing_counts_but_what_the_team_says() -> None:
    dataset = crm(1_500, 2)
    nobody = replace(dataset, stages=dataset.stages.slice(0, 3))
    profile = learned(nobody)
    assert (profile.target, profile.days, profile.auc) == (None, None, None)
    assert all(v.points == 0 and v.lift == 1 for t in profile.traits for v in t.values)
    fields = {"account.industry": "software", "lead.noise": "red"}
    assert profile.fit(fields).score is None
    told = profile_of({"icp": profile.document()}, Funnel.from_document({"icp": {"account_industry": {"wanted": ["software"]}}}).icp)
    assert told is not None
    assert 80 < told.fit(fields).score <= 100  # type: ignore[operator]
    assert told.fit({"account.industry": "retail"}).score < 50  # type: ignore[operator]


def test_a_flat_file_has_a_profile_of_who_ended_with_a_yes() -> None:
    columns, _ = made(800, 5)
    profile = profile_of(train_flat(file_of(columns), Funnel(), NOW).bundle.about, {})
    assert profile is not None
    assert (profile.target, profile.days, profile.leads) == ("outcome", None, 800)
    source = trait(profile, "Lead Source")
    assert max(source.values, key=lambda v: v.lift).name == "Referral"
    assert all(t.undated for t in profile.traits)
    assert "Select" not in {v.name for v in source.values}
    assert source.missing > 100


def test_a_training_puts_the_profile_into_the_bundle(sample: World) -> None:
    document = sample.bundle.about["icp"]
    profile = profile_of(sample.bundle.about, {})
    assert profile is not None
    assert profile.document() == document
    columns = {t.column for t in profile.traits}
    assert "account.industry" in columns
    assert "lead.onboarding_package" not in columns
    assert "lead.email" not in columns
    assert len(json.dumps(document)) < 60_000


def test_weights_leave_alone_what_is_independent_and_halve_what_is_said_twice() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(0, 0.8, 6_000), rng.normal(0, 0.8, 6_000)
    y = (rng.random(6_000) < 1 / (1 + np.exp(2.0 - first - second))).astype(np.int8)
    assert weights_of(np.column_stack([first, second]), y) == pytest.approx([1.0, 1.0], abs=0.12)
    assert weights_of(np.column_stack([first, first, second]), y) == pytest.approx([0.5, 0.5, 1.0], abs=0.12)


def test_lifts_of_noise_tell_strangers_apart_no_better_than_chance() -> None:
    rng = np.random.default_rng(3)
    told = [Told(rng.integers(-1, 6, 3_000), 6) for _ in range(8)]
    found = weighed(told, (rng.random(3_000) < 0.1).astype(np.int8), np.arange(3_000), 0)
    assert found.auc == pytest.approx(0.5, abs=0.05)
    assert all(low <= 1 <= high for lifts in found.lifts for low, high in zip(lifts.low, lifts.high, strict=True))
