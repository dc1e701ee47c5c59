"""How long leads stand in each stage and exit, where they go from there, and who comes back."""

from typing import Any

import numpy as np

from features.journeys import NEVER, Journeys
from features.timeline import Ints
from serving.reports.pairs import PARTS, first_reached
from serving.reports.survival import Curve, Mask, days, incidence, kaplan_meier


def stays_of(journeys: Journeys) -> list[dict[str, Any]]:
    """One row for each stage and exit that anybody reached. A stay ends when the next begins; one within an instant is none, but reached its stage.

    `days` are those by which a quarter, half and three quarters of stays had ended, None where they have not; `to` is where from there: stays that
    went, and their share by the end of what can be told, ways competing (Aalen-Johansen)."""
    real = np.flatnonzero(journeys.left > journeys.entered)
    lead, code, entered, left = (column[real] for column in (journeys.lead, journeys.stage, journeys.entered, journeys.left))
    after = np.append(code[1:], -1)
    after[left == NEVER] = -1
    reached = np.sum(first_reached(journeys) != NEVER, axis=1)
    found = []
    for place, name in enumerate(journeys.names):
        mine = code == place
        exit = place >= len(journeys.stages)
        leads = int(np.unique(lead[mine]).size) if exit else int(reached[place])
        if leads:
            told = {"stage": name, "exit": exit, "leads": leads, "now": int(np.sum(mine & (left == NEVER)))}
            found.append(told | _stay(entered[mine], left[mine], after[mine].astype(np.int64), journeys))
    return found


def _stay(entered: Ints, left: Ints, after: Ints, journeys: Journeys) -> dict[str, Any]:
    followed = journeys.as_of - entered
    duration = np.where(left == NEVER, followed, left - entered)
    curve = kaplan_meier(duration, left != NEVER, followed)
    shares = incidence(duration, after, len(journeys.names), curve.limit)
    to = [
        {"stage": name, "moved": int(gone.sum()), "share": round(float(share), 6), "days": days(np.median(duration[gone]))}
        for name, share, gone in zip(journeys.names, shares, (after == code for code in range(len(shares))), strict=True)
        if gone.any()
    ]
    return {"stays": int(entered.size), "days": _ended(curve), "followed_days": days(curve.limit), "to": to}


def _ended(curve: Curve) -> dict[str, float | None]:
    def when(part: float) -> float | None:
        row = int(np.searchsorted(curve.reached, part, "left"))
        return days(curve.times[row]) if row < curve.times.size and curve.times[row] <= curve.limit else None

    return {name: when(part) for name, part in PARTS.items()}


def recycling_of(journeys: Journeys) -> dict[str, Any]:
    """Of the leads that ever left the funnel, each from its first leaving on: who came back into a stage, how likely that is by when, and who then
    got further than they came back to."""
    out = journeys.stage >= len(journeys.stages)
    gone = _first(journeys, out)
    back = _first(journeys, ~out, gone)
    again = np.flatnonzero(back >= 0)
    further = _first(journeys, ~out, np.where(back >= 0, back, -1), beyond=True)
    return {
        "left": int(np.sum(gone >= 0)),
        "returned": _came(journeys, np.flatnonzero(gone >= 0), gone, back),
        "advanced": _came(journeys, again, back, further),
    }


def _first(journeys: Journeys, wanted: Mask, since: Ints | None = None, beyond: bool = False) -> Ints:
    """(n,) the first wanted spell of each lead, -1 for none. With `since` (n,) spells: only one after that, of a lead that has it; `beyond`: only one
    of a later stage than it."""
    rows = np.flatnonzero(wanted)
    who = journeys.lead[rows]
    if since is not None:
        kept = (since[who] >= 0) & (rows > since[who])
        kept &= ~np.bool_(beyond) | (journeys.stage[rows] > journeys.stage[np.maximum(since[who], 0)])
        rows, who = rows[kept], who[kept]
    found = np.full(journeys.leads, -1, np.int64)
    lead, first = np.unique(who, return_index=True)
    found[lead] = rows[first]
    return found


def _came(journeys: Journeys, leads: Ints, since: Ints, to: Ints) -> dict[str, Any]:
    """Of these leads: how many have a spell `to` after that of `since`, the share of them by the end of what can be told, and how long it took."""
    begun, happened = journeys.entered[since[leads]], to[leads] >= 0
    followed = journeys.as_of - begun
    curve = kaplan_meier(np.where(happened, journeys.entered[np.maximum(to[leads], 0)] - begun, followed), happened, followed)
    took = {name: curve.quantile(part, curve.limit) for name, part in PARTS.items()}
    return {
        "leads": int(happened.sum()),
        "followed_days": days(curve.limit),
        "so_far": curve.at(curve.limit) if curve.limit else None,
        "days": None if took["median"] is None else {name: days(at) for name, at in took.items()},
    }
