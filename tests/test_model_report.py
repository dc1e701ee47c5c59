"""What could serve instead of the champion: each version's role, the decision on the challenger, where a rollback would lead; on both databases."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundles import bundle, promote
from data.contract import DataError
from data.decisions import note
from data.store import Store, open_store
from registry.bundle import read_document
from serving.answers_model import Standing
from serving.reports.model import VERSIONS_SHOWN, calibrated, standing_of

MOVES = st.lists(st.sampled_from(["1", "2", "3", "back"]), max_size=8)


def held(store: Store, *versions: str) -> None:
    for version in versions:
        made = bundle(intercept=-1.0 - int(version) / 100)
        store.put_bundle(version, made.hash, made.to_bytes())


def roles(store: Store) -> dict[str, str]:
    found = Standing.model_validate(standing_of(store))
    return {one.version: one.role for one in found.versions}


def test_roles_as_versions_come_and_go(store_url: str) -> None:
    with open_store(store_url) as store:
        assert standing_of(store) == {"versions": [], "history": [], "challenger": None, "rollback_to": None}
        held(store, "1")
        assert roles(store) == {"1": "challenger"}
        store.promote("1", "first")
        held(store, "2")
        assert roles(store) == {"2": "challenger", "1": "champion"}
        held(store, "3")
        assert roles(store) == {"3": "challenger", "2": "not promoted", "1": "champion"}
        store.promote("3", "better")
        found = standing_of(store)
        assert {one["version"]: one["role"] for one in found["versions"]} == {"3": "champion", "2": "not promoted", "1": "served"}
        assert (found["rollback_to"], found["challenger"]) == ("1", None)
        assert [(one["version"], one["instead_of"], one["reason"]) for one in found["history"]] == [("3", "1", "better"), ("1", None, "first")]


def test_the_decision_on_the_challenger(store_url: str) -> None:
    with open_store(store_url) as store:
        promote(store, "1", bundle())
        held(store, "2")
        assert standing_of(store)["challenger"] == {"version": "2", "decided_at": None, "against": None, "reasons": [], "churn": None}
        note(store, "2", "1", False, ["no better"], {"leads": 3}, 1_780_000_000_000_000)
        told = Standing.model_validate(standing_of(store)).challenger
        assert told is not None
        assert (told.against, told.reasons, told.churn, told.decided_at) == ("1", ["no better"], {"leads": 3}, "2026-05-28T20:26:40Z")


def test_the_champion_is_shown_however_old_it_is(store_url: str) -> None:
    with open_store(store_url) as store:
        promote(store, "1", bundle())
        held(store, *(str(n) for n in range(2, VERSIONS_SHOWN + 4)))
        shown = list(roles(store))
    assert len(shown) == VERSIONS_SHOWN + 1
    assert shown[-1] == "1"


def test_a_rollback_leads_where_it_was_said_to(tmp_path: Path) -> None:
    """Whatever was moved before: each example goes on where the one before it ended."""
    with open_store(f"sqlite:///{tmp_path / 'leadscore.db'}") as store:
        held(store, "1", "2", "3")

        @settings(max_examples=20, deadline=None)
        @given(MOVES)
        def told_and_done(moves: list[str]) -> None:
            for move in moves:
                if move != "back":
                    store.promote(move, "by hand")
                elif (leads_to := store.earlier()) is not None:
                    assert store.rollback() == leads_to
                else:
                    with pytest.raises(DataError, match="no earlier champion"):
                        store.rollback()

        told_and_done()


def test_a_bundles_document_is_read_without_its_models() -> None:
    made = bundle()
    assert read_document(made.to_bytes()) == made.document()
    with pytest.raises(DataError, match="must be a whole archive"):
        read_document(made.to_bytes()[:-40])


def test_a_version_that_can_not_be_read_says_so(store_url: str) -> None:
    with open_store(store_url) as store:
        store.put_bundle("1", "h", b"torn")
        (told,) = Standing.model_validate(standing_of(store)).versions
    assert told.broken is not None
    assert told.transitions == {}


@pytest.mark.parametrize(("ece", "upper", "said"), [(0.02, 0.02, True), (0.03, 0.02, False), (None, 0.02, None), (0.02, None, None)])
def test_calibrated_is_what_chance_lets_a_perfect_model_be(ece: float | None, upper: float | None, said: bool | None) -> None:
    assert calibrated({"test": {"ece": ece}, "ece_of_perfect": {"upper_95": upper}}) is said
