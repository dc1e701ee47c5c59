"""Records of the ledger for tests: any that hypothesis thinks of, and plain numbered ones."""

import numpy as np
from hypothesis import strategies as st

from data.ledger import ScoreRecord

NOW = 1_780_000_000_000_000

_INSTANTS = st.integers(-(2**62), 2**62)
_CHANCES = st.none() | st.floats(0, 1)
_TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)


def records() -> st.SearchStrategy[ScoreRecord]:
    """Any record, with texts that hold any character, zero too."""
    return st.builds(
        ScoreRecord, st.uuids().map(lambda id: id.hex), st.none() | _TEXTS, _INSTANTS, _INSTANTS, _TEXTS, _TEXTS, st.just("request"),
        _CHANCES, _CHANCES, _CHANCES, st.none() | st.integers(0, 100), st.none() | st.just("A"), st.none() | _TEXTS, st.binary(max_size=64),
    )  # fmt: skip


def numbered(n: int, lead_id: str | None = "L-1", at: int = NOW, source: str = "request", version: str = "1") -> ScoreRecord:
    """The n-th of many: `score_id` n, and a row that n can be told from."""
    row = np.full(8, n, "<f4").tobytes()
    return ScoreRecord(f"{n:032x}", lead_id, at + n, at + n, "lead", version, source, 0.25, 0.2, 0.3, 50, "C", "nurture", row)
