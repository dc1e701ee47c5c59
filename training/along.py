"""The champion and the version that scores along, on the leads that both scored at the same instants: do they agree, and, once outcomes are known,
which of the two was right."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata

from data import shadow
from data.contract import format_instant
from data.shadow import Pair
from data.store import Store
from features.rows import Cohort
from registry.bundle import Bundle, HopModel
from training.bootstrap import difference_noise
from training.churn import LETTERS
from training.labels import Hop, outcome
from training.metrics import row_losses


def along_of(store: Store, version: str, bundle: Bundle, cohort: Cohort, data_end: int) -> dict[str, Any] | None:
    """What is known of the version beside the other one: as champion beside what scores along, or as that beside the champion. `bundle` and `cohort`
    are the version's, data_end (micros) tells which outcomes are known. None where it is neither, or nothing scores along."""
    serves, beside = store.champion(), shadow.scoring_along(store)
    if serves is None or beside is None or version not in (serves[0], beside[0]):
        return None
    other = Bundle.from_bytes(store.bundle(beside[0] if version == serves[0] else serves[0]))
    found = shadow.pairs(store, serves[0], beside[0])
    horizons = {hop.stage: hop for hop in bundle.hops if hop.direct and hop.horizon_days in _days(other, hop)}
    known = _outcomes(found, horizons, bundle, cohort, data_end)
    return {"champion": serves[0], "shadow": beside[0], "since": format_instant(beside[1]), **agreement(found), "outcomes": known}


def _days(bundle: Bundle, like: HopModel) -> list[int]:
    return [hop.horizon_days for hop in bundle.hops if hop.stage == like.stage and hop.transition == like.transition]


def agreement(pairs: Sequence[Pair]) -> dict[str, Any]:
    """How alike both are: mean difference of the probabilities (shadow less champion), rank correlation, and which share has another grade under the
    other, in all and grade by grade (`matrix[champion][shadow]`)."""
    theirs, ours = (np.array([side[0] for side in sides]) for sides in ([p.champion for p in pairs], [p.shadow for p in pairs]))
    matrix = {a: dict.fromkeys(reversed(LETTERS), 0) for a in reversed(LETTERS)}
    for pair in pairs:
        matrix[pair.champion[2]][pair.shadow[2]] += 1
    moved = sum(pair.champion[2] != pair.shadow[2] for pair in pairs)
    return {
        "pairs": len(pairs),
        "leads": len({pair.lead_id for pair in pairs}),
        "mean_difference": float((ours - theirs).mean()) if pairs else None,
        "rank_correlation": _spearman(theirs, ours),
        "moved": moved / len(pairs) if pairs else None,
        "matrix": matrix,
    }


def _spearman(a: Any, b: Any) -> float | None:
    """None where one of the two says the same of all. [Spearman 1904]"""
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])


def _outcomes(pairs: Sequence[Pair], hops: dict[str, HopModel], bundle: Bundle, cohort: Cohort, data_end: int) -> dict[str, Any] | None:
    """Log loss of both on the pairs whose horizon is over, of stages where both have the same; None where there is none."""
    place = {id: i for i, id in enumerate(cohort.lead_ids)}
    losses = []
    for stage, hop in hops.items():
        mine = [pair for pair in pairs if pair.stage == stage and pair.lead_id in place]
        lead, as_of = (np.array(values, np.int64) for values in ([place[p.lead_id] for p in mine], [p.as_of for p in mine]))
        code = bundle.schema.stage_code
        step = Hop(code(stage), code(hop.transition.split("->")[1]), hop.horizon_days)
        labels = outcome(cohort.timeline, [step], lead, as_of, data_end)
        y, ripe = labels.y.astype(np.float64), labels.ripe
        champion, beside = (np.array([side[0] for side in sides]) for sides in ([p.champion for p in mine], [p.shadow for p in mine]))
        losses.append((lead[ripe], row_losses(y, champion)[ripe], row_losses(y, beside)[ripe]))
    if not sum(lead.size for lead, *_ in losses):
        return None
    lead, theirs, ours = (np.concatenate(column) for column in zip(*losses, strict=True))
    better, noise = difference_noise(theirs, ours, lead)
    return {"ripe": int(lead.size), "champion": float(theirs.mean()), "shadow": float(ours.mean()), "better_by": better, "noise": noise}


def told(found: dict[str, Any]) -> str:
    """One line for people."""
    head = f"version {found['shadow']} scores along beside champion {found['champion']} since {found['since'][:10]}"
    if not found["pairs"]:
        return f"{head}; no lead has been scored by both yet."
    moved = f"{found['moved']:.0%} would have another grade"
    line = f"{head}: {found['pairs']:,} scores of {found['leads']:,} leads by both, {moved}"
    after = found["outcomes"]
    if after is None:
        return f"{line}. None of their outcomes is known yet."
    return (
        f"{line}. On {after['ripe']:,} whose outcome is known log loss {after['shadow']:.4f} against the champion's {after['champion']:.4f}, "
        f"better by {after['better_by']:.4f} +- {after['noise']:.4f}."
    )
