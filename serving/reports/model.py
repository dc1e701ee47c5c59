"""How good what serves is, beside what could serve instead: from the bundles in the store, which need no registry to be read."""

from collections.abc import Mapping, Sequence
from typing import Any

from data import shadow
from data.contract import DataError, format_instant
from data.decisions import decided_on
from data.store import Promotion, Store
from registry.bundle import Bundle, HopModel, read_document

VERSIONS_SHOWN = 8
"""The newest ones; the champion is among them, however old it is."""
MOVES_SHOWN = 20
_ELSEWHERE = frozenset({"inputs", "icp"})
"""Of what a bundle tells of itself: histograms of every input, which are for `leadscore evaluate`, and the profile, which is `GET /v1/icp`."""
METRICS = ("auc", "log_loss", "brier", "ece", "lift_top_decile", "base_rate")


def served(bundle: Bundle, version: str, promoted_at: str | None) -> dict[str, Any]:
    """What a bundle tells of itself: where it comes from, and how good each of its models proved to be. `promoted_at` is ISO-8601."""
    about = bundle.about
    return {
        "version": version,
        "hash": bundle.hash,
        "trained_at": about.get("trained_at"),
        "promoted_at": promoted_at,
        "data_end": about.get("data_end"),
        "path": list(bundle.path),
        "schema_hash": bundle.schema.hash,
        "features": len(bundle.schema.columns),
        "transitions": {hop.transition: _hop(hop) for hop in bundle.hops if hop.direct},
        "ahead": [_hop(hop) for hop in bundle.hops if not hop.direct],
        "about": {key: value for key, value in about.items() if key not in _ELSEWHERE},
    }


def _hop(hop: HopModel) -> dict[str, Any]:
    return {
        "stage": hop.stage,
        "transition": hop.transition,
        "horizon_days": hop.horizon_days,
        "candidate": hop.model.kind,
        "evaluation": dict(hop.evaluation),
    }


def standing_of(store: Store) -> dict[str, Any]:
    """What serves, what could, and how that came about: `versions` newest first, each with its `role`, the `test` of its transitions and whether it
    can be promoted; `history` of promotions and rollbacks, newest first; `challenger`: the newest version that asks to serve, and what was decided
    on it; `rollback_to`: the version that a rollback leads to. Blocking; raises sqlalchemy's error where the store does not answer."""
    history, held, beside = store.champions(), store.versions(), shadow.scoring_along(store)
    serves = history[-1].version if history else None
    asks = _challenger(held, history)
    shown = list(dict.fromkeys([*held[::-1][:VERSIONS_SHOWN], *([serves] if serves else [])]))
    roles = {version: _role(version, serves, asks, history) for version in shown}
    return {
        "versions": [_version(store, version, roles[version], beside is not None and beside[0] == version) for version in shown],
        "history": [_move(one, before) for one, before in zip(history, [None, *history], strict=False)][::-1][:MOVES_SHOWN],
        "challenger": None if asks is None else {"version": asks} | _decided(store, asks),
        "rollback_to": store.earlier(),
    }


def _challenger(held: Sequence[str], history: Sequence[Promotion]) -> str | None:
    """The newest version, where it never served and was not trained before the one that does."""
    served = {one.version for one in history}
    newest = held[-1] if held else None
    return newest if newest is not None and newest not in served else None


def _role(version: str, serves: str | None, asks: str | None, history: Sequence[Promotion]) -> str:
    if version == serves:
        return "champion"
    if version == asks:
        return "challenger"
    return "served" if any(one.version == version for one in history) else "not promoted"


def _move(one: Promotion, before: Promotion | None) -> dict[str, Any]:
    return {
        "version": one.version,
        "at": format_instant(one.promoted_at),
        "reason": one.reason,
        "instead_of": None if before is None else before.version,
    }


def _version(store: Store, version: str, role: str, scores_along: bool) -> dict[str, Any]:
    told = {"version": version, "role": role, "scores_along": scores_along}
    try:
        document = read_document(store.bundle(version))
    except DataError as error:
        return told | {"broken": str(error), "trained_at": None, "data_end": None, "leads": None, "transitions": {}}
    about = document["about"]
    return told | {
        "broken": None,
        **{name: about.get(name) for name in ("trained_at", "data_end", "leads")},
        "transitions": {hop["transition"]: _measured(hop["evaluation"]) for hop in document["hops"] if _direct(hop)},
    }


def _direct(hop: Mapping[str, Any]) -> bool:
    begins, arrow, _ = str(hop["transition"]).partition("->")
    return not arrow or begins == hop["stage"]


def _measured(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    test, intervals = evaluation.get("test", {}), evaluation.get("intervals", {})
    return {name: {"value": test.get(name), "interval": intervals.get(name)} for name in METRICS} | {
        "candidate": evaluation.get("candidate"),
        "horizon_days": evaluation.get("horizon_days"),
        "landmarks": evaluation.get("landmarks", {}).get("test"),
        "calibrated": calibrated(evaluation),
    }


def calibrated(evaluation: Mapping[str, Any]) -> bool | None:
    """Whether the calibration error is one that chance gives a perfect model in 95 of 100 cases; None where it was not measured."""
    said, chance = evaluation.get("test", {}).get("ece"), evaluation.get("ece_of_perfect", {}).get("upper_95")
    return None if said is None or chance is None else bool(said <= chance)


def _decided(store: Store, version: str) -> dict[str, Any]:
    """What its training decided on it: the reasons, and how many leads would change their grade."""
    found = decided_on(store, version)
    if found is None:
        return {"decided_at": None, "against": None, "reasons": [], "churn": None}
    return {"decided_at": format_instant(found.decided_at), "against": found.champion, "reasons": list(found.reasons), "churn": found.churn}
