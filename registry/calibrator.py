"""From a model's raw log-odds to calibrated ones: the part of calibration that travels in the bundle."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Kind = Literal["none", "intercept", "sigmoid", "beta"]


def bent(raw: Floats, low: float | Floats, high: float | Floats, shift: float | Floats) -> Floats:
    """`Calibrator.logit` of one calibrator, or of several side by side: arrays that broadcast with `raw`."""
    bend = (high - low) * np.log1p(np.exp(-np.abs(raw)))
    return np.asarray(shift + high * np.maximum(raw, 0) + low * np.minimum(raw, 0) + bend)


@dataclass(frozen=True)
class Calibrator:
    """calibrated = shift - low * softplus(-raw) + high * softplus(raw), in log-odds; strictly increasing as low, high > 0.

    This is beta calibration; low = high is the sigmoid (Platt), low = high = 1 moves the intercept only, and with shift 0
    changes nothing. `low` is the slope for chances near 0, `high` for those near 1. [Kull, Silva Filho, Flach 2017; Platt 1999]
    ValueError for slopes not above 0, values that are not finite, or an unknown kind.
    """

    kind: Kind = "none"
    low: float = 1.0
    high: float = 1.0
    shift: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"A calibrator's kind must be one of {', '.join(get_args(Kind))}; it is {self.kind!r}.")
        if not (0 < self.low < np.inf and 0 < self.high < np.inf and np.isfinite(self.shift)):
            raise ValueError(f"A calibrator needs finite values and slopes above 0, it has {asdict(self)}.")

    def logit(self, raw: Floats) -> Floats:
        """Calibrated log-odds, any shape; finite for every finite raw, and raw itself to the bit for the kind "none"."""
        return bent(raw, self.low, self.high, self.shift)

    def to_document(self) -> dict[str, str | float]:
        """Plain JSON; `from_document` gives the same calibrator back."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, object]) -> "Calibrator":
        """Inverse of `to_document`; ValueError says what a changed document lacks or has too much."""
        names = {"kind", "low", "high", "shift"}
        if set(document) != names:
            raise ValueError(f"A calibrator's document must have {sorted(names)}, it has {sorted(document)}.")
        low, high, shift = (float(str(document[name])) for name in ("low", "high", "shift"))
        return cls(str(document["kind"]), low, high, shift)  # type: ignore[arg-type]  # checked in __post_init__
