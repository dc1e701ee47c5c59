"""The report of a bundle for its owners: one HTML file that holds all it shows, opens anywhere and asks nothing of the network."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from registry.bundle import Bundle, HopModel
from training.capacity import row
from training.figures import inline_svg, quality_plots

TEMPLATES = Path(__file__).parent / "templates"
STYLES = {
    "count": "{:,.0f}".format,
    "share": "{:.1%}".format,
    "1": "{:,.1f}".format,
    "2": "{:,.2f}".format,
    "3": "{:.3f}".format,
    "4": "{:.4f}".format,
    "times": "{:.1f} ×".format,
}
"""How a number is written: a count, a share, with so many decimals, or so many times."""
RULES = {
    "lightgbm": "boosted trees",
    "logistic": "logistic regression",
    "points": "points rule, as a marketing tool counts them",
    "base_rate": "base rate: the same for all",
}
PLOTS = {
    "gain": "The share of all conversions that is found when the most likely are contacted first, for this model and for simpler rules",
    "lift": "How many times as many conversions this model and simpler rules find as a random choice of the same size",
    "reliability": "What was said beside what came of it, in ten groups of equal size, with what chance would do to a perfect model",
    "months": "What was said beside what came of it, month by month",
}


def report_html(bundle: Bundle, report: Mapping[str, Any], forward: pa.Table, calls_per_day: int) -> str:
    """The whole page, from what `train --json` says (`report`), what the forward twins said on the test (`forward`), and how many leads the team
    can call a day. Every number on it stands in a `<data value=... data-path=...>` whose path leads to it in `document`."""
    told = document(bundle, report, forward, calls_per_day)
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    page = environment.get_template("report.html")
    return page.render(
        told=told,
        n=lambda path, style: number(told, path, style),
        plots={hop.transition: _pictures(hop, forward) for hop in bundle.hops if hop.direct},
        hash=bundle.hash[:12],
        words=in_words,
        rules=RULES,
        bar=bar,
    )


def document(bundle: Bundle, report: Mapping[str, Any], forward: pa.Table, calls_per_day: int) -> dict[str, Any]:
    """All numbers of the page as plain JSON: `transitions` as in `train --json`, `own` = what the team's own calls a day bring, `ahead` = the models
    that look past the next stage, `about` = where the bundle comes from."""
    told = {
        "transitions": report["transitions"],
        "own": {hop.transition: _own(hop, forward, calls_per_day) for hop in bundle.hops if hop.direct},
        "ahead": [{"stage": hop.stage, "transition": hop.transition} | dict(hop.evaluation) for hop in bundle.hops if not hop.direct],
        "about": bundle.about,
        "calls_per_day": calls_per_day,
        "features": len(bundle.schema.columns),
    }
    found: dict[str, Any] = orjson.loads(orjson.dumps(told, option=orjson.OPT_SERIALIZE_NUMPY))
    return found


def _own(hop: HopModel, forward: pa.Table, calls_per_day: int) -> dict[str, Any] | None:
    """The team's own row of `evaluation["capacity"]`; None for a file without times and for a test without a Monday."""
    said = forward.to_pandas()
    said = said[(said["stage"] == hop.stage) & (said["transition"] == hop.transition)]
    if not hop.horizon_days or said.empty:
        return None
    lead = np.unique(said["lead_id"].to_numpy(dtype=object), return_inverse=True)[1]
    rules = {name: said[column].to_numpy(np.float64) for name, column in (("model", "probability"), ("points", "points"))}
    return row(said["y"].to_numpy(np.float64), rules, lead, said["as_of"].to_numpy(np.int64), calls_per_day, seed=0)


def _pictures(hop: HopModel, forward: pa.Table) -> dict[str, Markup]:
    return {name: Markup(inline_svg(figure, f"{PLOTS[name]}: {hop.transition}")) for name, figure in quality_plots(hop, forward)}


def number(told: Mapping[str, Any], path: Sequence[str | int], style: str) -> Markup:
    """The number at `path` written in one of STYLES, with its full value for machines; a dash where there is none."""
    value: Any = told
    for step in path:
        value = value[step]
    if value is None or not math.isfinite(value):
        return Markup('<span class="none">–</span>')
    where = json.dumps(list(path), ensure_ascii=True)
    return Markup('<data value="{}" data-path="{}">{}</data>').format(repr(value), where, STYLES[style](value).replace("-", "−"))


def bar(value: float | None, largest: float) -> Markup:
    """A bar as wide as the share of the largest; nothing where the value isn't above 0."""
    width = 100 * value / largest if value and value > 0 and largest > 0 else 0.0
    return Markup('<span class="bar" style="width:{}%"></span>').format(f"{width:.1f}")


def in_words(transition: str) -> str:
    """`lead->prospect` as people say it."""
    begins, arrow, ends = transition.partition("->")
    return f"From {begins} to {ends}" if arrow else transition.capitalize()
