"""What is lost, where, why and to whom, and what lost deals had in common."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from data.contract import format_instant
from features.journeys import NEVER, Deals, Journeys, Objects
from features.timeline import Ints
from serving.reports.groups import by_month
from serving.reports.resemblance import in_common
from serving.reports.survival import Mask, days, wilson

LEAST_SAID = 3
"""A reason or competitor that was named less often is told among the others: it may be free text, and name somebody."""
MOST_SAID = 12


def loss_report(journeys: Journeys, left_out: Collection[str] = ()) -> dict[str, Any]:
    """What `serving.answers_reports.LossesAnswer` says, as plain JSON. `left_out`: attributes that must not be looked at for what lost deals had in
    common, such as those that are filled in because of the outcome."""
    deals = journeys.deals
    won, lost = deals.outcome == "won", deals.outcome == "lost"
    return {
        "as_of": format_instant(journeys.as_of),
        "deals": _deals(deals, won, lost),
        "months": _months(deals, won, lost),
        "reasons": [one | {"amounts": _amounts(deals, mine)} for one, mine in _said(deals.reason, lost)],
        "deal_stages": [one for one, _ in _said(deals.stage, lost)],
        "competitors": _competitors(deals, won, lost),
        "exits": _exits(journeys),
        "common": in_common(journeys, left_out),
    }


def _deals(deals: Deals, won: Mask, lost: Mask) -> dict[str, Any]:
    return {
        "won": int(won.sum()),
        "lost": int(lost.sum()),
        "open": int(deals.outcome.size - won.sum() - lost.sum()),
        "win_rate": wilson(int(won.sum()), int((won | lost).sum())),
        "amounts": {"won": _amounts(deals, won), "lost": _amounts(deals, lost), "open": _amounts(deals, ~(won | lost))},
        "days": {"won": _took(deals, won), "lost": _took(deals, lost)},
    }


def _took(deals: Deals, chosen: Mask) -> float | None:
    """The median days from opening to closing of those that closed."""
    known = chosen & (deals.closed != NEVER)
    return days(np.median((deals.closed - deals.opened)[known])) if known.any() else None


def _amounts(deals: Deals, chosen: Mask) -> list[dict[str, Any]]:
    """Sums by currency, the largest number of deals first; deals without an amount are in none."""
    known = chosen & ~np.isnan(deals.amount)
    counted = Counter(deals.currency[known].tolist())
    ordered = sorted(counted.items(), key=lambda one: (-one[1], one[0] or ""))
    return [{"currency": name, "deals": n, "amount": round(float(deals.amount[known & (deals.currency == name)].sum()), 2)} for name, n in ordered]


def _months(deals: Deals, won: Mask, lost: Mask) -> list[dict[str, Any]]:
    """By the month in which a deal closed; deals of which nobody said when are in none."""
    known = (won | lost) & (deals.closed != NEVER)
    made = by_month(deals.closed[known], deals.closed[known])
    return [
        {"month": group.value, "kind": group.kind, "won": int(won[known][mine].sum()), "lost": int(lost[known][mine].sum())}
        | {"win_rate": wilson(int(won[known][mine].sum()), int(mine.sum()))}
        for group, mine in ((group, made.code == place) for place, group in enumerate(made.groups))
    ]


def _said(texts: Objects, chosen: Mask) -> list[tuple[dict[str, Any], Mask]]:
    """The commonest texts of the chosen rows, however they are cased, then the others, then those without one; each with its rows."""
    folded, names = _spelled(texts, chosen)
    total = int(chosen.sum())
    rows: list[tuple[dict[str, Any], Mask]]
    rows = [({"value": names[key], "kind": "value"}, chosen & (folded == key)) for key in _commonest(folded[chosen])]
    shown = np.any([mine for _, mine in rows], axis=0) if rows else np.zeros(texts.size, bool)
    missing = chosen & (folded == None)  # noqa: E711 - each element is asked
    rows += [({"value": None, "kind": kind}, mine) for kind, mine in (("other", chosen & ~shown & ~missing), ("missing", missing)) if mine.any()]
    return [(one | {"count": int(mine.sum()), **(wilson(int(mine.sum()), total) or {})}, mine) for one, mine in rows]


def _commonest(folded: Objects) -> list[str]:
    counted = Counter(text for text in folded.tolist() if text is not None)
    return [text for text, n in sorted(counted.items(), key=lambda one: (-one[1], one[0])) if n >= LEAST_SAID][:MOST_SAID]


def _spelled(texts: Objects, chosen: Mask) -> tuple[Objects, dict[str, str]]:
    """(n,) the texts without regard to case, and the commonest spelling of each."""
    found = np.empty(texts.size, object)
    found[:] = [None if text is None else " ".join(text.casefold().split()) for text in texts.tolist()]
    spelled: dict[str, Counter[str]] = {}
    for key, text in zip(found[chosen].tolist(), texts[chosen].tolist(), strict=True):
        if key is not None:
            spelled.setdefault(key, Counter())[text] += 1
    return found, {key: min(counts, key=lambda text: (-counts[text], text)) for key, counts in spelled.items()}


def _competitors(deals: Deals, won: Mask, lost: Mask) -> list[dict[str, Any]]:
    """Who deals were lost to; where won deals name who was beaten, the share that was won against each."""
    beaten = won & (deals.competitor != None)  # noqa: E711 - each element is asked
    found = []
    for one, mine in _said(deals.competitor, lost):
        if one["kind"] != "missing":
            beat = int((beaten & _same(deals.competitor, one["value"])).sum()) if one["value"] is not None else 0
            found.append(one | {"won": beat, "win_rate": wilson(beat, beat + one["count"]) if beat else None, "amounts": _amounts(deals, mine)})
    return found


def _same(texts: Objects, name: str) -> Mask:
    key = " ".join(name.casefold().split())
    return np.array([text is not None and " ".join(text.casefold().split()) == key for text in texts.tolist()], bool)


def _exits(journeys: Journeys) -> list[dict[str, Any]]:
    """Each way out of the funnel: how often it was taken, from which stage, why, and how many of those leads came back to a stage later."""
    first, last = len(journeys.stages), np.append(journeys.lead[1:] != journeys.lead[:-1], True)[: journeys.lead.size]
    before = np.concatenate([[-1], journeys.stage[:-1]])[: journeys.stage.size].astype(np.int64)
    back = _comes_back(journeys)
    found = []
    for place, name in enumerate(journeys.exits, first):
        mine = journeys.stage == place
        if mine.any():
            reasons = [one | {"returned": int((back & rows).sum())} for one, rows in _said(journeys.reasons, mine)]
            told = {"exit": name, "count": int(mine.sum()), "leads": int(np.unique(journeys.lead[mine]).size), "now": int((mine & last).sum())}
            found.append(told | {"returned": int((back & mine).sum()), "from": _from(journeys.names, before[mine]), "reasons": reasons})
    return found


def _from(names: Sequence[str], before: Ints) -> list[dict[str, Any]]:
    counted = Counter(before.tolist())
    return [{"stage": names[code], "count": n, **(wilson(n, before.size) or {})} for code, n in sorted(counted.items())]


def _comes_back(journeys: Journeys) -> Mask:
    """(k,) whether the lead of a spell enters a stage in a later one."""
    stage = np.flatnonzero(journeys.stage < len(journeys.stages))
    latest = np.full(journeys.leads, -1, np.int64)
    latest[journeys.lead[stage]] = stage
    return np.asarray(np.arange(journeys.lead.size) < latest[journeys.lead])
