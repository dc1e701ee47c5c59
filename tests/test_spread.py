"""Intervals: wider on less data, where inputs are missing, rivals disagree, or periods were missed; and what the encoder calls missing."""

import numpy as np
import pytest

from features.attributes import MISSING, Attribute
from features.schema import Schema
from registry.models import Constant
from training.candidates import TreeSize
from training.choice import Choice, Sample, fit
from training.gaps import blanks_of, left_open, with_gaps
from training.spread import REFITS, REFITS_TO_CHECK, fit_spread, standing

SCHEMA = Schema(
    ("lead", "prospect"),
    (),
    (),
    (
        Attribute("industry", "category", ("account.industry",), "organization", "Industry", ("a", "b")),
        Attribute("employees", "number", ("account.employees",), "organization", "Employees"),
        Attribute("job_title", "title", ("lead.job_title",), "stakeholder", "Job title"),
        Attribute("hobby", "category", ("lead.hobby",), "stakeholder", "Hobby", ("x", "y")),
    ),
)
PLACE = {column.name: i for i, column in enumerate(SCHEMA.columns)}
LOGISTIC = Choice("logistic", TreeSize(0, strength=0.01), "", {"base_rate": 0.7, "logistic": 0.5}, np.arange(500), np.zeros(500))


def world(leads: int, seed: int) -> Sample:
    """One landmark a lead: industry says nearly everything, the number of employees a little, hobby nothing; one in ten of each is missing."""
    rng = np.random.default_rng(seed)
    X = np.zeros((leads, len(SCHEMA.columns)), np.float32)
    industry, hobby = rng.choice(["a", "b", MISSING], leads, p=[0.45, 0.45, 0.1]), rng.choice(["x", "y", MISSING], leads, p=[0.45, 0.45, 0.1])
    for name, values in (("industry", industry), ("hobby", hobby)):
        for level in np.unique(values):
            X[values == level, PLACE[f"{name}={level}"]] = 1.0
    employees = rng.lognormal(4, 1, leads)
    X[:, PLACE["employees"]] = np.where(rng.random(leads) < 0.1, np.nan, employees)
    log_odds = -1 + 3.0 * (industry == "a") - 1.5 * (industry == "b") + 0.3 * (np.log(employees) - 4)
    y = (rng.random(leads) < 1 / (1 + np.exp(-log_odds))).astype(np.int8)
    return Sample(X, y, np.arange(leads), np.arange(leads, dtype=np.int64))


def without(X: np.ndarray, name: str) -> np.ndarray:
    copy, place = X.copy(), [a.name for a in SCHEMA.attributes].index(name)
    blanks_of(SCHEMA)[place].put(copy, np.ones(len(copy), bool))
    return copy


def test_a_blank_is_what_the_encoder_writes_when_nothing_is_known() -> None:
    blanks = blanks_of(SCHEMA)
    X = world(50, 0).X
    for attribute, blank in zip(SCHEMA.attributes, blanks, strict=True):
        copy = without(X, attribute.name)
        assert blank.missing(copy).all()
        names = [SCHEMA.columns[i].name for i in blank.columns]
        assert names == [name for name, *_ in attribute.columns]
        others = np.setdiff1d(np.arange(X.shape[1]), blank.columns)
        np.testing.assert_array_equal(copy[:, others], X[:, others])
    known = X[X[:, PLACE[f"industry={MISSING}"]] == 0]
    assert not blanks[0].missing(known).any()
    copied = with_gaps(X, blanks, np.random.default_rng(0))
    assert np.mean([blank.missing(copied).mean() for blank in blanks]) > np.mean([blank.missing(X).mean() for blank in blanks]) + 0.2
    np.testing.assert_array_equal(with_gaps(X, (), np.random.default_rng(0)), X)


def test_what_is_missing_widens_the_interval_the_more_it_weighs() -> None:
    """With the strongest attribute blanked the interval is wider, on average and for nearly every lead; with one that says nothing, hardly."""
    sample = world(1_500, 1)
    spread = fit_spread(LOGISTIC, sample, 500, 0, blanks_of(SCHEMA))
    X = sample.X[~blanks_of(SCHEMA)[0].missing(sample.X)]
    known, strong, weak = (spread.raw_score(rows) for rows in (X, without(X, "industry"), without(X, "hobby")))
    assert np.mean(strong > known) > 0.98
    assert np.exp(strong).mean() > 2 * np.exp(known).mean()
    assert (np.exp(weak) - np.exp(known)).mean() < 0.35 * (np.exp(strong) - np.exp(known)).mean()
    model = fit("logistic", LOGISTIC.size, sample, 0)
    assert np.argmax(left_open(model, sample.X, blanks_of(SCHEMA))) == 0


def test_less_data_means_wider_intervals() -> None:
    width = []
    for leads in (100, 400, 2_000):
        sample = world(leads, 2)
        choice = Choice("logistic", LOGISTIC.size, "", {"base_rate": 0.55, "logistic": 0.5}, np.arange(leads), np.zeros(leads))
        width.append(np.exp(fit_spread(choice, sample, leads, 0).raw_score(world(300, 3).X)).mean())
    assert width[0] > 1.3 * width[1]
    assert width[1] > 1.3 * width[2]


def test_few_refits_say_the_same_on_average_as_many() -> None:
    """The check of the forward twin's intervals has fewer refits than the model that serves, and must not find them narrower for it."""
    sample = world(400, 7)
    sure = Choice("logistic", LOGISTIC.size, "", {"base_rate": 5.0, "logistic": 0.5}, np.arange(500), np.zeros(500))
    few, many = (
        np.mean([fit_spread(sure, sample, 500, seed, count=count).raw_score(sample.X).mean() for seed in range(12)])
        for count in (REFITS_TO_CHECK, REFITS)
    )
    assert few == pytest.approx(many, abs=0.05)


def test_drift_of_whole_periods_widens_every_interval() -> None:
    sample = world(600, 4)
    calm, drifting = (np.exp(fit_spread(LOGISTIC, sample, 500, 0, drift=drift).raw_score(sample.X)) for drift in (0.0, 1.0))
    assert calm.mean() < 0.8
    assert np.all(drifting > 0.8)
    np.testing.assert_allclose(np.sqrt(calm**2 + 1).mean(), drifting.mean(), rtol=0.05)


def test_a_rival_that_the_evidence_leaves_standing_widens_where_it_disagrees() -> None:
    """Base rate chosen, logistic regression as good: who the regression sets far apart is least sure."""
    sample = world(400, 5)
    known = sample.X[:, PLACE[f"industry={MISSING}"]] == 0
    sample = sample.where(known)
    rows = np.arange(sample.y.size)
    sure = Choice("base_rate", TreeSize(0), "", {"base_rate": 0.5, "logistic": 0.8}, rows, np.zeros(rows.size))
    torn = Choice("base_rate", TreeSize(0), "", {"base_rate": 0.5, "logistic": 0.5}, rows, np.zeros(rows.size))
    untold = Choice("base_rate", TreeSize(0), "", {}, rows, np.zeros(rows.size))
    narrow, wide, blind = (fit_spread(choice, sample, rows.size, 0) for choice in (sure, torn, untold))
    assert isinstance(narrow, Constant)
    for wider in (wide, blind):
        assert np.exp(wider.raw_score(sample.X)).mean() > 1.5 * np.exp(narrow.value)


@pytest.mark.parametrize(("leads", "most"), [(40, 0.6), (40_000, 1.0)])
def test_evidence_is_counted_in_leads(leads: int, most: float) -> None:
    share = standing({"points": 0.51, "lightgbm": 0.5}, leads)
    assert sum(share.values()) == pytest.approx(1.0)
    assert 0.5 < share["lightgbm"] <= most
    assert standing({}, leads) == {}


def test_the_same_seed_gives_the_same_spread() -> None:
    sample = world(500, 6)
    first, again = (fit_spread(LOGISTIC, sample, 500, 3, blanks_of(SCHEMA)) for _ in range(2))
    assert first.document() == again.document()
    np.testing.assert_array_equal(first.raw_score(sample.X), again.raw_score(sample.X))
