"""What a transition lacks before it can be learned, in numbers and in words: how many more leads of which outcome, and about how long that takes."""

from typing import Any

import numpy as np

from data.contract import DAY
from training.choice import MIN_CONVERTED_LEADS, Sample

_WEEK = 7 * DAY


def lacking(sample: Sample, horizon_days: int, censored: int) -> dict[str, Any]:
    """`{"absent": words, "needed": {"converted", "others", "weeks"}}` of a sample that is not enough. `weeks` is how long it takes at the pace so
    far, None where nothing has come yet (or all that is missing is there, and no column differs between rows); `censored` landmarks wait for the end
    of their horizon of `horizon_days` (0: there is none)."""
    converted, others = (int(np.unique(sample.lead[sample.y == outcome]).size) for outcome in (1, 0))
    needed = {"converted": max(MIN_CONVERTED_LEADS - converted, 0), "others": max(MIN_CONVERTED_LEADS - others, 0)}
    weeks = _weeks(sample, horizon_days, {"converted": converted, "others": others}, needed)
    within = f" within {horizon_days} days" if horizon_days else ""
    why = (
        f"not enough evidence: {converted} leads made it{within} and {others} did not; at least {MIN_CONVERTED_LEADS} of each are needed. "
        f"{_missing(needed, weeks)}"
    )
    waiting = f" {censored:,} landmarks are not counted yet, because their {horizon_days} days are not over." if censored and horizon_days else ""
    return {"absent": why + waiting, "needed": needed | {"weeks": weeks}}


def _weeks(sample: Sample, horizon_days: int, have: dict[str, int], needed: dict[str, int]) -> int | None:
    """The slower of the two outcomes decides; leads come evenly over the time that the landmarks span."""
    if not sample.y.size or not horizon_days or any(needed[name] and not have[name] for name in needed):
        return None
    span = int(sample.as_of.max() - sample.as_of.min()) + horizon_days * DAY
    found = max(needed[name] * span / (max(have[name], 1) * _WEEK) for name in needed)
    return int(np.ceil(found)) if found else None


def _missing(needed: dict[str, int], weeks: int | None) -> str:
    parts = [f"{count} more that {said}" for count, said in ((needed["converted"], "make it"), (needed["others"], "do not")) if count]
    if not parts:
        return "Nothing that is known of the leads differs between them: give their attributes or events."
    pace = f", which takes about {weeks} week{'s' if weeks > 1 else ''} at the pace so far" if weeks else ""
    return f"Missing: {' and '.join(parts)}{pace}."
