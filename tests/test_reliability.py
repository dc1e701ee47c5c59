"""The proofs of docs/reliability.md with few rounds: real processes, real databases, real faults."""

import os
from pathlib import Path

import pytest

from benchmarks.reliability.full import full
from benchmarks.reliability.kills import kills
from benchmarks.reliability.load import load
from benchmarks.reliability.outage import outage
from benchmarks.reliability.pair import pair
from bundles import bundle

pytestmark = pytest.mark.slow

BUNDLES = (bundle(), bundle(-2.0))
NOTHING = {"leads": 0, "values": 0, "changes": 0, "events": 0, "scores": 0, "twice": 0}
both_databases = pytest.mark.parametrize("kind", ["sqlite", "postgresql"])


@both_databases
def test_what_was_acknowledged_is_there_after_kill_9(kind: str, tmp_path: Path) -> None:
    told = kills(kind, tmp_path, BUNDLES[0], rounds=4)
    assert told["missing"] == NOTHING
    assert int(str(told["events"])) > 30, "the load did reach the service"
    assert int(str(told["calls cut off"])) > 0, "calls were under way when it was killed"


def test_scores_are_given_while_the_database_is_away_and_the_rest_recovers_by_itself(tmp_path: Path) -> None:
    told = outage(tmp_path, BUNDLES[0], seconds=3)
    assert told["missing"] == NOTHING
    assert told["scores refused meanwhile"] == {}
    assert int(str(told["scores meanwhile"])) > 20
    assert isinstance(told["other calls"], dict)
    assert all(answer.startswith("503 StoreDown") for answer in told["other calls"].values()), told["other calls"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_full_disk_refuses_what_it_can_not_keep_and_loses_nothing(tmp_path: Path) -> None:
    told = full(tmp_path, BUNDLES[0])
    assert told["missing"] == NOTHING
    assert told["refused with room"] == {}
    assert isinstance(told["refused while full"], dict)
    assert told["refused while full"]
    assert {name[:3] for name in told["refused while full"]} == {"503"}


@both_databases
def test_two_services_share_one_database(kind: str, tmp_path: Path) -> None:
    told = pair(kind, tmp_path, BUNDLES, seconds=4)
    assert told["missing"] == NOTHING
    assert told["refused"] == {}
    assert int(str(told["promotions"])) >= 1


@both_databases
def test_no_request_fails_or_mixes_versions_across_promotions_and_rollbacks(kind: str, tmp_path: Path) -> None:
    told = load(kind, tmp_path, BUNDLES, seconds=6, every=2)
    assert told["missing"] == NOTHING
    assert told["failed"] == {}
    assert told["answers that mixed versions"] == 0
    assert told["versions that answered"] == 2
    assert told["exit code"] == 0
