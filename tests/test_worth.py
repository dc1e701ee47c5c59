"""What a field is worth: planted truths come out, what is never asked costs nothing, and every column belongs to one field."""

import numpy as np
import pytest

from bundles import SCHEMA, linear
from features.attributes import MISSING, OTHER
from registry.bundle import sigmoid
from registry.models import Rows
from training.choice import Sample
from training.metrics import log_loss
from training.worth import MOST_ROWS, field_worth, fields, segmentations

NAMES = [column.name for column in SCHEMA.columns]
MODEL = linear(-1.0, {"industry=it": 2.0, "pricing_page_view_count_7d": 0.6, "call_recency": 0.0})


def answer(X: Rows) -> np.ndarray:
    return sigmoid(MODEL.raw_score(X))


def sample_of(leads: int, seed: int = 0) -> Sample:
    """Two landmarks of each lead, whose outcomes are true to the model."""
    rng = np.random.default_rng(seed)
    lead = np.repeat(np.arange(leads), 2)
    X = np.zeros((lead.size, len(NAMES)), np.float32)
    X[:, NAMES.index("pricing_page_view_count_7d")] = rng.poisson(1, lead.size)
    X[:, NAMES.index("email_open_count_7d")] = rng.poisson(1, lead.size)
    level = rng.choice(["industry=it", "industry=retail", f"industry={OTHER}", f"industry={MISSING}"], leads, p=[0.4, 0.3, 0.2, 0.1])[lead]
    X[np.arange(lead.size), [NAMES.index(name) for name in level]] = 1
    y = (rng.random(leads)[lead] < answer(X)).astype(np.int8)
    return Sample(X, y, lead, np.zeros(lead.size, np.int64))


def test_every_column_belongs_to_one_field() -> None:
    found = [index for field in fields(SCHEMA) for index in field.columns]
    assert sorted(found) == list(range(len(NAMES)))
    labels = [field.label for field in fields(SCHEMA)]
    assert len(labels) == len(set(labels))
    assert {"Viewed the pricing page", "Industry", "Budget", "Time and earlier stages", "Activity of any kind"} <= set(labels)


def test_a_field_is_an_event_type_with_all_its_windows_or_an_attribute_with_all_its_levels() -> None:
    of = {field.label: {NAMES[index] for index in field.columns} for field in fields(SCHEMA)}
    assert {"pricing_page_view_count_7d", "pricing_page_view_recency", "last_touch=pricing_page_view"} <= of["Viewed the pricing page"]
    assert of["Industry"] == {"industry=it", "industry=retail", f"industry={OTHER}", f"industry={MISSING}"}
    assert {"tenure", "time_in_stage", "returns"} <= of["Time and earlier stages"]


def test_planted_fields_come_out_and_the_others_cost_nothing() -> None:
    sample = sample_of(3_000)
    found = field_worth(sample, answer(sample.X), SCHEMA, answer, 0)
    assert [told["field"] for told in found] == ["Industry", "Viewed the pricing page"], "a field that is never asked is left out"
    assert all(told["cost"] > 4 * told["error"] for told in found)


def test_the_cost_is_the_log_loss_without_what_the_field_tells() -> None:
    """Dealt out at random, a field tells nothing: on many rows, what remains is the loss of the model's answers averaged over the deal."""
    sample = sample_of(20_000, seed=3)
    some = sample.where(np.arange(sample.y.size) < MOST_ROWS)
    p, y = answer(some.X), some.y.astype(float)
    industry = [NAMES.index(name) for name in NAMES if name.startswith("industry=")]
    rng, losses = np.random.default_rng(9), []
    for _ in range(20):
        dealt = some.X.copy()
        dealt[:, industry] = some.X[rng.permutation(len(p))][:, industry]
        losses.append(log_loss(y, answer(dealt)))
    told = next(told for told in field_worth(some, p, SCHEMA, answer, 0) if told["field"] == "Industry")
    assert told["cost"] == pytest.approx(np.mean(losses) - log_loss(y, p), abs=3 * np.std(losses) + 1e-6)


def test_a_field_that_only_misleads_is_worth_less_than_nothing() -> None:
    sample = sample_of(2_000)
    misled = linear(-1.0, {"industry=it": 2.0, "pricing_page_view_count_7d": 0.6, "email_open_count_7d": 1.0})

    def wrong(X: Rows) -> np.ndarray:
        return sigmoid(misled.raw_score(X))

    told = {told["field"]: told for told in field_worth(sample, wrong(sample.X), SCHEMA, wrong, 0)}
    assert told["Opened an e-mail"]["cost"] < 3 * told["Opened an e-mail"]["error"]


def test_segments_are_the_levels_of_categories_most_evenly_spread_first() -> None:
    X = sample_of(500).X
    found = segmentations(SCHEMA, X)
    assert list(found) == ["Industry"], "budget is a number"
    assert set(found["Industry"]) == {"it", "retail", OTHER, MISSING}
    assert np.array_equal(found["Industry"] == "it", X[:, NAMES.index("industry=it")] == 1)
    assert segmentations(SCHEMA, X, most=0) == {}
