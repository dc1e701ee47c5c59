"""What the leak report misses and whom it accuses, where the truth is known: the small version of `benchmarks/bench_leaks.py`."""

from collections import Counter
from pathlib import Path

import pytest

from benchmarks.bench_leaks import STRENGTHS, studied


@pytest.mark.proof
def test_no_honest_field_is_proven_and_no_planted_one_is_missed(home: Path) -> None:
    found = [(name, counted) for name, counted in studied(range(100, 101)) if f"strength {STRENGTHS[-1]}" not in name]
    total = sum((counted for _, counted in found), Counter[str]())
    assert total["planted"] == total["found"] == 1 + 2 + 6
    assert total["keys"] == total["keys suspected"] == 2
    assert [name for name, counted in found if counted["honest proven"] or counted["honest suspected"]] == []
