"""Journeys made by hand, for tests of the reports: one line a lead."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from data.contract import DAY
from data.funnel import Funnel
from data.journeys import DealRows, Rows, StageRows
from features.journeys import Journeys, journeys_of

FUNNEL = Funnel()
FIRST = 20_000 * DAY

Way = Sequence[tuple[float, str]]
"""The entries of one lead: on which day after its creation, and into what."""


def journeys(
    ways: Sequence[Way],
    *,
    until: int = 400,
    created: Sequence[int] | None = None,
    deals: Sequence[Mapping[str, Any]] = (),
    reasons: Mapping[tuple[int, str], str] | None = None,
    **attributes: Sequence[str | None],
) -> Journeys:
    """Leads L0000, L0001, ... created on these days (default: the first), and one more that comes when all is told, on day `until`. A deal's `lead`
    is a lead's number, its `opened` and `closed` are days; `reasons` are by lead and exit."""
    days = list(created or [0] * len(ways))
    ids = [f"L{place:04d}" for place in range(len(ways) + 1)]
    entries = [(place, FIRST + round((days[place] + day) * DAY), stage) for place, way in enumerate(ways) for day, stage in way]
    told = [(reasons or {}).get((place, stage)) for place, _, stage in entries]
    stages = StageRows([ids[place] for place, *_ in entries], [at for _, at, _ in entries], [stage for *_, stage in entries], told)
    columns = [[_deal(place, deal, ids).get(field.name) for place, deal in enumerate(deals)] for field in fields(DealRows)]
    rows = Rows(
        ids, [FIRST + day * DAY for day in (*days, until)], {name: [*values, None] for name, values in attributes.items()}, stages, DealRows(*columns)
    )
    return journeys_of(rows, FUNNEL, FIRST + until * DAY)


def _deal(place: int, deal: Mapping[str, Any], ids: Sequence[str]) -> dict[str, Any]:
    closed = deal.get("closed")
    times = {"opened_at": FIRST + deal.get("opened", 0) * DAY, "closed_at": None if closed is None else FIRST + closed * DAY}
    return {"deal_id": f"D{place}", "lead_id": ids[deal["lead"]], **times} | dict(deal)
