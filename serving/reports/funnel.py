"""The funnel in numbers: who reached which stage, how likely and how fast they go on, for all and by month, source or another attribute."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from data.contract import format_instant
from features.journeys import Journeys
from serving.reports.groups import MONTH, Grouping, by_month, by_value, options
from serving.reports.pairs import Pair, grouped, horizon_of, pairs_of, points, told
from serving.reports.stays import recycling_of, stays_of


class UnknownGrouping(Exception):
    """Leads can't be grouped by that; `options` says what by."""

    def __init__(self, known: Sequence[str]) -> None:
        super().__init__()
        self.options = known


def funnel_report(journeys: Journeys, by: str | None = None) -> dict[str, Any]:
    """What `serving.answers_reports.FunnelAnswer` says, as plain JSON. `by`: `month` (in which a pair's first stage was reached), or one of the
    journeys' attributes. Raises UnknownGrouping.

    Shares are Kaplan-Meier's, of everybody who reached a stage: who came lately counts for as long as they were watched."""
    known = options(journeys)
    if by is not None and by not in known:
        raise UnknownGrouping(known)
    pairs = pairs_of(journeys)
    curves = [pair.curve() for pair in pairs]
    horizons = {(pair.begins, pair.ends): horizon_of(curve) for pair, curve in zip(pairs, curves, strict=True)}
    every = [
        told(pair, curve, horizon) | {"curve": points(curve, horizon)} for pair, curve, horizon in zip(pairs, curves, horizons.values(), strict=True)
    ]
    return {
        "as_of": format_instant(journeys.as_of),
        "leads": journeys.leads,
        "stages": stays_of(journeys),
        "pairs": every,
        "recycling": recycling_of(journeys),
        "by": by,
        "options": known,
        "groups": [] if by is None else _groups(journeys, by, pairs, horizons),
    }


def _groups(journeys: Journeys, by: str, pairs: Sequence[Pair], horizons: dict[tuple[str, str], int | None]) -> list[dict[str, Any]]:
    made = by_month(journeys.created, journeys.created) if by == MONTH else by_value(journeys.attributes[by])
    within = [by_month(pair.entry, journeys.created) if by == MONTH else Grouping(made.code[pair.lead], made.groups) for pair in pairs]
    return [
        group.document()
        | {"leads": int(np.sum(made.code == place))}
        | {"pairs": grouped(pairs, [one.code == place for one in within], horizons, len(made.groups))}
        for place, group in enumerate(made.groups)
    ]
