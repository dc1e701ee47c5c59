"""The plots of a training: reliability, gain and importance of each transition."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from matplotlib.figure import Figure

from registry.bundle import Bundle, HopModel
from training.plots import gain_plot, importance_plot, reliability_plot


def figures(bundle: Bundle, forward: pa.Table) -> dict[str, Figure]:
    """Named `lead_to_prospect_reliability`: from what the forward twins said on the test, (lead_id, stage, transition, y, probability)."""
    direct = [hop for hop in bundle.hops if hop.transition.startswith(f"{hop.stage}->")]
    return {f"{hop.transition.replace('->', '_to_')}_{name}": figure for hop in direct for name, figure in _of_hop(hop, forward)}


def _of_hop(hop: HopModel, forward: pa.Table) -> Iterator[tuple[str, Figure]]:
    said = forward.to_pandas()
    rows = said[(said["stage"] == hop.stage) & (said["transition"] == hop.transition)]
    y, p = rows["y"].to_numpy(np.float64), rows["probability"].to_numpy(np.float64)
    lead = np.unique(rows["lead_id"].to_numpy(dtype=object), return_inverse=True)[1]
    title = f"{hop.transition} within {hop.horizon_days} days"
    if y.size:
        yield "reliability", reliability_plot(y, p, lead, title)
        yield "gain", gain_plot(y, {hop.evaluation["candidate"]: p}, title)
    named = hop.evaluation["importance"]
    yield "importance", importance_plot([g["feature"] for g in named], np.array([g["effect"] for g in named]), title)
