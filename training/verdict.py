"""What `leadscore evaluate` makes of a bundle on what came after it: numbers for machines, and whether to retrain, and why, for people."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from data.funnel import Drift
from registry.bundle import Bundle
from training.bootstrap import difference_noise
from training.drift import Shift
from training.evaluation import intervals, scores
from training.metrics import row_losses
from training.populations import StageDrift, weights_of
from training.recalibration import LEAST_EACH, Recalibration, recalibrate
from training.unseen import Unseen

BEYOND_NOISE = 1.645
"""Standard errors: the difference's 90 % interval leaves out 0."""
NAMED = 5
"""Inputs named in one reason at most."""


@dataclass(frozen=True)
class HopVerdict:
    """One hop on what it has never seen: its calibration there (None: too few leads to tell), and by how much its log loss is lower than that of the
    base rate which training knew, with the standard error (nan and inf where it is that base rate)."""

    told: Unseen
    calibration: Recalibration | None
    known_rate: float | None
    better: float
    noise: float

    @property
    def name(self) -> str:
        hop = self.told.hop
        return f"{hop.transition} from {hop.stage}" if self.ahead else hop.transition

    @property
    def ahead(self) -> bool:
        """Whether another hop comes before this one."""
        return not self.told.hop.direct

    @property
    def worse_than_known_rate(self) -> bool:
        return self.better < -BEYOND_NOISE * self.noise

    def document(self, seed: int) -> dict[str, Any]:
        """Plain JSON; the metrics with their intervals are those of `train --json`."""
        sample, hop = self.told.sample, self.told.hop
        calibration = self.calibration.document() if self.calibration else None
        return {
            "stage": hop.stage,
            "horizon_days": hop.horizon_days,
            "landmarks": {"ripe": int(sample.y.size), "leads": int(np.unique(sample.lead).size), "waiting": self.told.waiting},
            "test": scores(sample, self.told.p) | {"mean_probability": float(self.told.p.mean())} if sample.y.size else {},
            "intervals": intervals(sample, self.told.p, seed) if sample.y.size else {},
            "at_training": dict(hop.evaluation.get("test", {})),
            "against_known_rate": {"known_rate": self.known_rate, "better_by": self.better, "noise": self.noise},
            "calibration": calibration,
        }


def judged(told: Unseen, seed: int = 0) -> HopVerdict:
    """The hop on the landmarks that it has never seen."""
    y, lead = told.sample.y.astype(np.float64), told.sample.lead
    rate = told.hop.evaluation.get("test", {}).get("base_rate")
    better, noise = float("nan"), float("inf")
    if rate is not None and y.size and told.hop.model.kind != "base_rate":
        better, noise = difference_noise(row_losses(y, np.full(y.size, rate)), row_losses(y, told.p), lead)
    return HopVerdict(told, recalibrate(y, told.p, lead, seed), rate, better, noise)


def reasons_to_retrain(hops: Sequence[HopVerdict], drift: Sequence[StageDrift], bundle: Bundle, limits: Drift) -> list[str]:
    """Every reason in words; none: nothing speaks for a retraining."""
    return [*_of_labels(hops, limits), *_of_scores(drift, limits), *_of_inputs(drift, bundle, limits)]


def _of_labels(hops: Sequence[HopVerdict], limits: Drift) -> Iterator[str]:
    for one in hops:
        if one.calibration is not None and one.calibration.off(limits.p_value):
            said, came = one.told.p.mean(), one.told.sample.y.mean()
            yield f"{one.name}: its probabilities no longer come true: it said {said:.1%} on average, {came:.1%} came; {one.calibration.told}."
        if one.worse_than_known_rate:
            yield (
                f"{one.name}: it tells less than the base rate of its training ({one.known_rate:.1%}) would: log loss higher by "
                f"{-one.better:.4f} +- {one.noise:.4f}."
            )


def _of_scores(drift: Sequence[StageDrift], limits: Drift) -> Iterator[str]:
    for stage in drift:
        for shift in stage.scores:
            if shift.state == "drifted":
                far = f"PSI {shift.psi:.2f}, {limits.psi_alarm:g} is the limit"
                yield f"{shift.name} from {stage.stage}: its probabilities are spread otherwise than in training ({far})."


def _of_inputs(drift: Sequence[StageDrift], bundle: Bundle, limits: Drift) -> Iterator[str]:
    for stage in drift:
        moved = [shift for shift in stage.inputs if shift.state == "drifted"]
        if moved and stage.drifted_weight >= limits.weight_alarm:
            named = ", ".join(_named(shift, weights_of(bundle.hops_from(stage.stage))) for shift in moved[:NAMED])
            more = f" and {len(moved) - NAMED} more" if len(moved) > NAMED else ""
            carried = f"inputs that carry {stage.drifted_weight:.0%} of what the model weighs"
            yield f"{stage.stage}: {carried} are spread otherwise than in training: {named}{more}."


def _named(shift: Shift, weights: dict[str, float]) -> str:
    return f"{shift.name} (PSI {shift.psi:.2f}, weight {weights.get(shift.name, 0.0):.0%})"


def what_is_missing(hops: Sequence[HopVerdict]) -> list[str]:
    """For each hop that can't be judged by its outcomes yet: what it lacks."""
    told = []
    for one in hops:
        leads = {outcome: int(np.unique(one.told.sample.lead[one.told.sample.y == outcome]).size) for outcome in (1, 0)}
        if one.calibration is None and not one.ahead:
            days = one.told.hop.horizon_days
            came = (
                f"since its data ended {leads[1]} leads made it within {days} days and {leads[0]} did not"
                if days
                else (f"of the leads that it was not trained on {leads[1]} say yes and {leads[0]} no")
            )
            wait = f"{one.told.waiting:,} landmarks wait" if days else f"{one.told.waiting:,} rows say neither"
            told.append(f"{one.name}: whether its probabilities come true can't be told yet: {came}; {LEAST_EACH} of each are needed ({wait}).")
    return told
