"""Champion against challenger: through their forward twins, on landmarks that neither twin has seen."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from training.bootstrap import difference_noise
from training.metrics import row_losses

KEYS = ["lead_id", "as_of", "stage", "transition", "horizon_days"]
MIN_SHARED = 200
"""Fewer landmarks that both were asked about are no comparison."""


@dataclass(frozen=True)
class Decision:
    """Whether the challenger is to serve, and the reasons in words."""

    promote: bool
    reasons: tuple[str, ...]


def decide(ours: pa.Table, theirs: pa.Table | None, champion: str | None) -> Decision:
    """`ours` and `theirs` are the forward answers of challenger and champion (`training.run.Trained.forward`); None where nothing serves yet."""
    if theirs is None or champion is None:
        return Decision(True, ("nothing served before it.",))
    shared = ours.join(theirs.select([*KEYS, "probability"]), KEYS, right_suffix="_champion", join_type="inner")
    if shared.num_rows < MIN_SHARED:
        why = f"only {shared.num_rows} test landmarks are shared with champion {champion}; {MIN_SHARED} are needed to compare"
        return Decision(False, (f"{why}. Look at both with `leadscore models`, then promote it by hand if you want it.",))
    return _compared(shared, champion)


def _compared(shared: pa.Table, champion: str) -> Decision:
    y = np.asarray(shared["y"], np.float64)
    ours, theirs = (row_losses(y, np.asarray(shared[name], np.float64)) for name in ("probability", "probability_champion"))
    lead = np.unique(np.asarray(shared["lead_id"], dtype=str), return_inverse=True)[1]
    better, error = difference_noise(theirs, ours, lead)
    told = (
        f"log loss {ours.mean():.5f} against {theirs.mean():.5f} of champion {champion} on {y.size:,} shared test landmarks, "
        f"better by {better:.5f} +- {error:.5f}"
    )
    if better > error > 0:
        return Decision(True, (f"{told}: beyond noise.",))
    return Decision(False, (f"{told}: not better beyond noise, so champion {champion} stays.",))
