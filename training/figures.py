"""The plots of a training, of each transition: for MLflow as pictures, for the report inline."""

import io
import re
from collections.abc import Iterator
from html import escape

import numpy as np
import pyarrow as pa
from matplotlib import rc_context
from matplotlib.figure import Figure

from registry.bundle import Bundle, HopModel
from training.plots import GREY, INK, LIGHT, SERIES, gain_plot, importance_plot, lift_plot, months_plot, reliability_plot
from training.segments import LEAST_LEADS

RULES = ("points", "logistic", "lightgbm")
"""Drawn beside the model where they are not the model."""
_COLORS = {INK: "--ink", GREY: "--grey", LIGHT: "--band"} | {color: f"--series-{number}" for number, color in enumerate(SERIES)}


def figures(bundle: Bundle, forward: pa.Table) -> dict[str, Figure]:
    """Named `lead_to_prospect_reliability`: from what the forward twins said on the test (`training.run.Trained.forward`)."""
    direct = [hop for hop in bundle.hops if hop.direct]
    return {f"{hop.transition.replace('->', '_to_')}_{name}": figure for hop in direct for name, figure in _of_hop(hop, forward)}


def _of_hop(hop: HopModel, forward: pa.Table) -> Iterator[tuple[str, Figure]]:
    within = f" within {hop.horizon_days} days" if hop.horizon_days else ""
    title = f"{hop.transition}{within}"
    yield from quality_plots(hop, forward, title)
    named = hop.evaluation["importance"]
    yield "importance", importance_plot([g["feature"] for g in named], np.array([g["effect"] for g in named]), title)


def quality_plots(hop: HopModel, forward: pa.Table, title: str = "") -> Iterator[tuple[str, Figure]]:
    """The plots of what the hop's twin said on the test, beside what the other rules said; none without a test."""
    said = forward.to_pandas()
    rows = said[(said["stage"] == hop.stage) & (said["transition"] == hop.transition)]
    y, p = rows["y"].to_numpy(np.float64), rows["probability"].to_numpy(np.float64)
    if not y.size:
        return
    lead = np.unique(rows["lead_id"].to_numpy(dtype=object), return_inverse=True)[1]
    chosen = hop.evaluation["candidate"]
    others = {name: rows[name].to_numpy(np.float64) for name in RULES if name != chosen and name in rows and rows[name].notna().all()}
    models = {f"this model ({chosen})": p} | others
    yield "reliability", reliability_plot(y, p, lead, title)
    yield "gain", gain_plot(y, models, title)
    yield "lift", lift_plot(y, models, title)
    if any(month["leads"] >= LEAST_LEADS for month in hop.evaluation["months"]):
        yield "months", months_plot(hop.evaluation["months"], title)


def inline_svg(figure: Figure, says: str) -> str:
    """The figure as an `<svg>` for the inside of an HTML page: its text is text, its colours are the page's (`var(--ink)`), it takes the width it
    is given, and `says` is what it shows to those who can't see it. The same figure gives the same text."""
    file = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": says}):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    text = file.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    head, body = text.split(">", 1)
    box = re.search(r'viewBox="[^"]+"', head)
    used = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", body))
    body = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", body)
    body = re.sub(r"<style.*?</style>|font-family: [^;\"]*; ?", "", body, flags=re.DOTALL)
    for color, name in _COLORS.items():
        body = body.replace(color, f"var({name})")
    return f'<svg {box[0] if box else ""} role="img" aria-label="{escape(says)}">{body.strip()}'
