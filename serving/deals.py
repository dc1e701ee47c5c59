"""When a deal is open: one meaning for the next step, and for what a lead is worth."""

from collections.abc import Mapping
from typing import Any


def is_open(deal: Mapping[str, Any], as_of: int) -> bool:
    """Whether a deal is open at `as_of` (micros): opened by then, and without an outcome, or with one that it got later.

    A date of closing alone closes nothing: CRMs ask for the day that is hoped for (Salesforce's CloseDate), and an overdue deal is still open.
    """
    if deal["opened_at"] > as_of:
        return False
    closed = deal.get("closed_at")
    return deal.get("outcome") is None or (closed is not None and closed > as_of)
