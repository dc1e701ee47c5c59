"""The profile as a document, the fit that follows from it, and the team's corrections."""

from dataclasses import replace
from math import log
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.contract import DataError
from data.funnel import Correction, Funnel
from registry.corrections import corrected, profile_of
from registry.profile import Profile, Trait, Value
from training.bands import bands_of


def value(name: str, lift: float, weight: float = 1.0, leads: int = 100, **band: float | None) -> Value:
    return Value(name, leads, round(leads * 0.1 * lift), lift, lift * 0.8, lift * 1.2, weight * log(lift), **band)  # type: ignore[arg-type]


INDUSTRY = Trait("account_industry", "account.industry", "category", "organization", "Account industry", 1.0,
                 (value("software", 2.0), value("retail", 0.5, leads=200), value("(other)", 0.9)), 50, 2, False)  # fmt: skip
SIZE = Trait("account_employees", "account.employees", "number", "organization", "Account employees", 0.5,
             (value("<50", 0.6, 0.5, end=49.0), value("50-199", 1.5, 0.5, begin=50.0, end=199.0), value("200+", 1.1, 0.5, begin=200.0)),
             20, 1, True)  # fmt: skip
ROLE = Trait("job_title_seniority", "lead.job_title", "seniority", "stakeholder", "Job title: seniority", 1.0,
             (value("specialist", 0.7), value("director", 1.6)), 0, 0, False)  # fmt: skip
SOURCE = Trait("source", "lead.source", "category", "interest", "Source", 0.0, (value("web", 1.0), value("fair", 1.0)), 0, 0, False)
TRAITS = (INDUSTRY, SIZE, ROLE, SOURCE)


def spread_of(traits: tuple[Trait, ...]) -> tuple[float, ...]:
    """Where every combination of the values is as likely as the next."""
    sums = [0.0]
    for trait in traits:
        sums = [total + v.points for total in sums for v in trait.values]
    return tuple(sorted(sums))


PROFILE = Profile(
    "customer", 120, 450, 45, 0.7, TRAITS,
    {"": spread_of(TRAITS), "organization": spread_of((INDUSTRY, SIZE)), "stakeholder": spread_of((ROLE,)), "interest": spread_of((SOURCE,))},
)  # fmt: skip
BEST = {"account.industry": "software", "account.employees": "120", "lead.job_title": "Director of IT", "lead.source": "web"}


def test_a_profile_is_read_back_as_it_was_written() -> None:
    document = orjson.loads(orjson.dumps(PROFILE.document()))
    assert Profile.from_document(document) == PROFILE
    again = corrected(PROFILE, {"account_employees": Correction(between=(50, 100))})
    assert Profile.from_document(orjson.loads(orjson.dumps(again.document()))) == again


def test_a_bundle_from_before_profiles_has_none() -> None:
    assert profile_of({}, {}) is None
    assert profile_of({"icp": PROFILE.document()}, {}) == PROFILE


def test_the_fit_is_the_sum_of_its_parts_as_a_percentile() -> None:
    fit = PROFILE.fit(BEST)
    assert [(part.attribute, part.value) for part in fit.parts] == [
        ("account_industry", "software"), ("account_employees", "50-199"), ("job_title_seniority", "director"), ("source", "web"),
    ]  # fmt: skip
    assert sum(part.points for part in fit.parts) == pytest.approx(log(2.0) + 0.5 * log(1.5) + log(1.6))
    assert fit.score == pytest.approx(100 * (1 - 1 / len(PROFILE.spread[""])))  # two of 36 tie at the top: fair or web says nothing
    assert fit.missing == ()


@given(st.fixed_dictionaries({}, optional={
    "account.industry": st.sampled_from(["software", "Retail", "mining", "unknown", "Select"]),
    "account.employees": st.sampled_from(["3", "50-199", "1,200", "many"]),
    "lead.job_title": st.sampled_from(["CEO", "Director", "Specialist", "???"]),
    "lead.source": st.sampled_from(["web", "fair"]),
}))  # fmt: skip
def test_the_percentile_is_what_counting_by_hand_gives(fields: dict[str, str]) -> None:
    fit = PROFILE.fit(fields)
    points = sum(part.points for part in fit.parts)
    among = PROFILE.spread[""]
    below, ties = sum(p < points - 1e-9 for p in among), sum(abs(p - points) <= 1e-9 for p in among)
    counted = any(part.attribute != "source" for part in fit.parts)
    assert fit.score == (pytest.approx(100 * (below + ties / 2) / len(among)) if counted else None)
    assert {part.attribute for part in fit.parts} | set(fit.missing) == {trait.name for trait in TRAITS}


@pytest.mark.parametrize(
    "column, text, name, points",
    [
        ("account.industry", "software", "software", log(2.0)),
        ("account.industry", "SOFTWARE", "SOFTWARE", log(2.0)),
        ("account.industry", "mining", "mining", log(0.9)),
        ("account.industry", "unknown", None, 0.0),
        ("account.employees", "49", "<50", 0.5 * log(0.6)),
        ("account.employees", "50", "50-199", 0.5 * log(1.5)),
        ("account.employees", "1.200", "<50", 0.5 * log(0.6)),
        ("account.employees", "5k", "200+", 0.5 * log(1.1)),
        ("account.employees", "a lot", None, 0.0),
        ("lead.job_title", "Direktör", "director", log(1.6)),
        ("lead.job_title", "CEO", "chief", 0.0),
        ("lead.job_title", "xyzzy", None, 0.0),
    ],
)
def test_what_one_value_says(column: str, text: str, name: str | None, points: float) -> None:
    """A value that nobody had says nothing, unless others like it were told together; what can't be read is missing."""
    parts = [part for part in PROFILE.fit({column: text}).parts if part.attribute != "source"]
    assert [(part.value, part.points) for part in parts] == ([] if name is None else [(name, pytest.approx(points))])


def test_nothing_known_is_no_fit() -> None:
    assert PROFILE.fit({}) == (None, (), tuple(trait.name for trait in TRAITS))
    assert PROFILE.fit({"lead.source": "web"}).score is None


def test_the_fit_of_one_level_looks_at_its_attributes_alone() -> None:
    fit = PROFILE.fit(BEST | {"lead.job_title": "Specialist"}, level="organization")
    assert {part.level for part in fit.parts} == {"organization"}
    assert fit.score == pytest.approx(100 * 8.5 / 9)


def test_wanted_values_count_double_at_least_and_unwanted_a_quarter_at_most() -> None:
    better = corrected(PROFILE, {"account_industry": Correction(wanted=("retail", "Mining"), unwanted=("software",))})
    by_name = {v.name: v for v in better.traits[0].values}
    assert (by_name["retail"].said, by_name["retail"].points) == ("wanted", pytest.approx(log(2)))
    assert (by_name["Mining"].said, by_name["Mining"].leads) == ("wanted", 0)
    assert (by_name["software"].said, by_name["software"].points) == ("unwanted", pytest.approx(log(0.25)))
    assert by_name["software"].lift == 2.0
    [part, _] = better.fit({"account.industry": "mining", "lead.source": "web"}).parts
    assert (part.said, part.points) == ("wanted", pytest.approx(log(2)))
    stronger = Trait("x", "lead.x", "category", "opportunity", "X", 1.0, (value("a", 5.0), value("b", 0.1)), 0, 0, False)
    both = corrected(Profile("customer", 1, 1, 1, None, (stronger,), {}), {"x": Correction(wanted=("a",), unwanted=("b",))})
    assert [v.points for v in both.traits[0].values] == [pytest.approx(log(5.0)), pytest.approx(log(0.1))]


@pytest.mark.parametrize("amount, said", [("49", "unwanted"), ("50", "wanted"), ("100", "wanted"), ("101", "unwanted"), ("199", "unwanted")])
def test_a_range_holds_both_its_ends(amount: str, said: str) -> None:
    better = corrected(PROFILE, {"employees": Correction(between=(50, 100))})
    [part, *_] = better.fit({"account.employees": amount}).parts
    assert part.said == said
    assert [v.said for v in better.traits[1].values] == ["unwanted", "learned", "unwanted"]  # the range cuts through 50-199


@pytest.mark.parametrize("between, said", [((50, 199), "wanted"), ((1, 1000), "wanted"), ((60, 100), "learned"), ((200, 900), "unwanted")])
def test_a_band_is_wanted_where_it_lies_in_the_range(between: tuple[float, float], said: str) -> None:
    assert corrected(PROFILE, {"account.employees": Correction(between=between)}).traits[1].values[1].said == said


@given(
    st.one_of(
        st.lists(st.integers(-3, 8).map(float), min_size=1, max_size=8),
        st.lists(st.integers(0, 400).map(float), min_size=40, max_size=60),
        st.lists(st.integers(0, 400).map(lambda n: n / 8), min_size=40, max_size=60),
    ),
    st.lists(st.integers(-3, 400), min_size=2, max_size=2).map(sorted),
)
def test_what_is_said_of_a_band_is_what_each_of_its_numbers_gets(amounts: list[float], between: list[int]) -> None:
    values = tuple(value(band.name, 1.5, begin=band.begin, end=band.end) for band in bands_of(np.array(amounts)))
    learned = replace(PROFILE, traits=(replace(SIZE, values=values),), spread={})
    [sizes] = corrected(learned, {"employees": Correction(between=(between[0], between[1]))}).traits
    for amount in amounts:
        part = sizes.part(repr(amount))
        assert part is not None
        [band] = [v for v, plain in zip(sizes.values, values, strict=True) if plain.name == _band_of(values, amount)]
        assert part.said == ("wanted" if between[0] <= amount <= between[1] else "unwanted")
        assert band.said in ("learned", part.said)


def _band_of(values: tuple[Value, ...], amount: float) -> str:
    return [v.name for place, v in enumerate(values) if not place or (v.begin is not None and v.begin <= amount)][-1]


@pytest.mark.parametrize(
    "between, said", [((0, 5), "wanted wanted wanted"), ((0, 0), "wanted unwanted unwanted"), ((1, 4), "unwanted wanted unwanted")]
)
def test_numbers_that_are_told_one_by_one_are_in_the_range_or_out(between: tuple[float, float], said: str) -> None:
    values = tuple(value(name, 1.0, begin=float(name), end=float(name)) for name in ("0", "1", "5"))
    learned = replace(PROFILE, traits=(replace(SIZE, values=values),), spread={})
    assert [v.said for v in corrected(learned, {"employees": Correction(between=between)}).traits[0].values] == said.split()


@pytest.mark.parametrize(
    "lowest, end, said",
    [(19, 19.0, "learned"), (20, 19.0, "unwanted"), (19, 20.0, "learned"), (20, 20.0, "unwanted")],
)
def test_the_end_of_a_band_is_its_own_unless_the_next_begins_there(lowest: float, end: float, said: str) -> None:
    values = (value("<10", 1.0, end=9.0), value("10-20", 1.0, begin=10.0, end=end), value("20+", 1.0, begin=20.0))
    learned = replace(PROFILE, traits=(replace(SIZE, values=values),), spread={})
    assert [v.said for v in corrected(learned, {"employees": Correction(between=(lowest, 50))}).traits[0].values] == ["unwanted", said, "learned"]


def test_an_ignored_attribute_is_not_asked_for() -> None:
    better = corrected(PROFILE, {"account_industry": Correction(ignore=True)})
    fit = better.fit(BEST)
    assert "account_industry" not in {part.attribute for part in fit.parts} | set(fit.missing)
    assert len(better.spread[""]) == len(PROFILE.spread[""])


def test_who_is_unwanted_falls_and_the_average_stays_in_the_middle() -> None:
    """The percentiles move with the correction: half of the leads are still in the upper half."""
    better = corrected(PROFILE, {"account_industry": Correction(unwanted=("software",), wanted=("retail",))})
    software, retail = ({**BEST, "account.industry": name} for name in ("software", "retail"))
    assert better.fit(software).score < PROFILE.fit(software).score  # type: ignore[operator]
    assert better.fit(retail).score > PROFILE.fit(retail).score  # type: ignore[operator]
    spread = better.spread[""]
    assert list(spread) == sorted(spread)
    assert spread != PROFILE.spread[""]
    assert better.spread["stakeholder"] == PROFILE.spread["stakeholder"]


def test_no_correction_changes_nothing() -> None:
    assert corrected(PROFILE, {}) is PROFILE
    assert corrected(PROFILE, {"account_industry": Correction()}) == PROFILE


@pytest.mark.parametrize(
    "name, correction, why, close",
    [
        ("acount_industry", Correction(wanted=("x",)), "unknown", "account_industry"),
        ("zzz", Correction(ignore=True), "unknown", None),
        ("account_employees", Correction(wanted=("50-199",)), "a number", "Account employees"),
        ("account_industry", Correction(between=(1, 2)), "no number", "Account industry"),
    ],
)
def test_what_can_not_be_applied_is_named(name: str, correction: Correction, why: str, close: str | None) -> None:
    better = corrected(PROFILE, {name: correction})
    assert better.unused == ((name, why, close, None),)
    assert better.traits == PROFILE.traits


def test_a_value_that_no_row_tells_apart_is_named() -> None:
    both = corrected(PROFILE, {"account_industry": Correction(wanted=("Software", "Biotech"), unwanted=("mining", "(other)"))})
    assert both.unused == (("account_industry", "rare", "Biotech", None), ("account_industry", "rare", "mining", None))
    [part, *_] = both.fit({"account.industry": "biotech"}).parts
    assert (part.said, part.points) == ("wanted", pytest.approx(log(2))), "though the fit of its text knows it"
    assert corrected(PROFILE, {"source": Correction(wanted=("word of mouth",))}).unused == (), "no gate looks at it"


@pytest.mark.parametrize(
    "written, close",
    [
        ("softwear", "software"),
        ("Sofware", "software"),
        ("retial", "retail"),
        ("Retailing", None),
        ("software 2", None),
        ("mining", None),
        ("it", None),
    ],
)
def test_a_misspelt_value_is_refused_with_the_one_that_is_meant(written: str, close: str | None) -> None:
    better = corrected(PROFILE, {"account_industry": Correction(wanted=(written,))})
    expected = ("account_industry", "rare", written, None) if close is None else ("account_industry", "misspelt", close, written)
    assert better.unused == (expected,)
    assert (better.traits == PROFILE.traits) == (close is not None), "and counts for nobody"


def test_misspelt_words_of_a_title_are_refused_too_and_numbers_are_not_spelled() -> None:
    assert [one[1:] for one in corrected(PROFILE, {"job_title_seniority": Correction(wanted=("directr",))}).unused] == [
        ("misspelt", "director", "directr")
    ]
    assert [one.why for one in corrected(PROFILE, {"account_employees": Correction(wanted=("50-198",))}).unused] == ["a number"]


def test_a_column_that_is_two_attributes_must_be_told_by_name() -> None:
    function = Trait("job_title_function", "lead.job_title", "function", "stakeholder", "Job title: function", 1.0, (), 0, 0, False)
    two = Profile("customer", 1, 1, 1, None, (ROLE, function), {})
    assert [one.why for one in corrected(two, {"job_title": Correction(ignore=True)}).unused] == ["unknown"]
    assert corrected(two, {"job_title_function": Correction(ignore=True)}).traits[1].ignored


@pytest.mark.parametrize(
    "document, words",
    [
        ({"industry": {"wanted": ["IT"], "unwanted": ["it"]}}, ["`icp.industry`", "both wanted and unwanted"]),
        ({"employees": {"between": [900, 50]}}, ["`icp.employees`", "lowest", "900"]),
        ({"employees": {"between": [1, 2, 3]}}, ["`icp.employees.between"]),
        ({"source": {"ignore": True, "wanted": ["web"]}}, ["`icp.source`", "ignored"]),
        ({"source": {"wantd": ["web"]}}, ["`icp.source.wantd`", "Did you mean 'wanted'"]),
        ({"source": {"wanted": "web"}}, ["`icp.source.wanted`"]),
    ],
)
def test_a_mistake_in_a_correction_is_named(document: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(DataError) as refused:
        Funnel.from_document({"icp": document})
    assert all(word in str(refused.value) for word in words), str(refused.value)


def test_corrections_do_not_touch_training() -> None:
    """They are read live: a changed profile is no reason to train again."""
    assert Funnel.from_document({"icp": {"industry": {"wanted": ["IT"]}}}).training_document() == Funnel().training_document()
