"""What was decided on a version: kept whole, without anybody's id, and the last word counts."""

from data.decisions import Decided, decided_on, note
from data.store import open_store

CHURN = {"leads": 10, "moved": 0.2, "matrix": {"A": {"A": 8}}, "movers": [{"lead_id": "L-1", "score": [1, 2]}]}


def test_a_decision_is_kept_without_who_moved(store_url: str) -> None:
    with open_store(store_url) as store:
        assert decided_on(store, "2") is None
        note(store, "2", "1", False, ["not better beyond noise"], CHURN, 5)
        kept = decided_on(store, "2")
    churn = {name: value for name, value in CHURN.items() if name != "movers"}
    assert kept == Decided("2", "1", False, ("not better beyond noise",), churn, 5)


def test_the_last_decision_counts(store_url: str) -> None:
    with open_store(store_url) as store:
        note(store, "2", "1", False, ["no"], CHURN, 5)
        note(store, "2", None, True, ["yes", "at last"], None, 6)
        assert decided_on(store, "2") == Decided("2", None, True, ("yes", "at last"), None, 6)
        assert decided_on(store, "1") is None
