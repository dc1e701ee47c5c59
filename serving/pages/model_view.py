"""What the Model page shows of a bundle's evaluation: each direct transition with its charts, whatever of it was measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from registry.bundle import OUTCOME
from serving.pages.charts import Axis, Chart, Point, Series, axis, chart, named_axis
from serving.pages.figures import Figures
from serving.reports.model import calibrated
from serving.words import Words, msgid

FIELDS_SHOWN = 12
LEAST_LEADS = 20
"""A month of fewer leads is in the table and not in the chart: its rate would be luck."""


RULES: Mapping[str, str] = MappingProxyType(
    {
        "lightgbm": msgid("boosted trees"),
        "logistic": msgid("logistic regression"),
        "points": msgid("points rule, as a marketing tool counts them"),
        "base_rate": msgid("base rate: the same for all"),
    }
)


def rules(words: Words) -> dict[str, str]:
    """What each kind of model is called."""
    return {name: words.text(told) for name, told in RULES.items()}


@dataclass(frozen=True)
class Section:
    """One transition. `e` is its evaluation; a chart is None where there is nothing to draw."""

    name: str
    anchor: str
    horizon_days: int
    e: Mapping[str, Any]
    calibrated: bool | None
    reliability: Chart | None
    calls: Chart | None
    months: Chart | None
    fields: Sequence[Mapping[str, Any]]
    off: Mapping[str, int]

    @property
    def flat(self) -> bool:
        """Whether it is that of a file without times."""
        return self.horizon_days == 0


def sections(document: Mapping[str, Any], f: Figures) -> list[Section]:
    """One for each transition of `GET /v1/model` that was tested, in the funnel's order."""
    told = document["transitions"]
    ordered = sorted(told, key=lambda name: _place(name, document["path"]))
    return [_section(name, told[name], f) for name in ordered if told[name]["evaluation"].get("test")]


def ahead(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The models that look past the next stage, of which it was measured whether what they say comes true."""
    return [hop for hop in document["ahead"] if hop["evaluation"].get("reach")]


def _place(transition: str, path: Sequence[str]) -> int:
    begins = transition.partition("->")[0]
    return list(path).index(begins) if begins in path else len(path)


def _section(name: str, told: Mapping[str, Any], f: Figures) -> Section:
    e = told["evaluation"]
    off = {what: sum(bool(row["off"]) for row in rows) for what, rows in e.get("segments", {}).items()}
    return Section(
        f.transition(name),
        name.replace("->", "-to-") if name != OUTCOME else "outcome",
        told["horizon_days"],
        e,
        calibrated(e),
        reliability(e, f),
        calls(e, f),
        months(e, f),
        [field for field in e.get("fields", ()) if (field.get("cost") or 0) > 0][:FIELDS_SHOWN],
        off,
    )


def reliability(e: Mapping[str, Any], f: Figures) -> Chart | None:
    """What was said beside what came true, by tenths; with each tenth's luck."""
    tenths = e.get("interval_check", {}).get("tenths", ())
    if not tenths:
        return None
    text = f.words.text
    points = [Point(t["predicted"], t["observed"], t["observed_low"], t["observed_high"]) for t in tenths]
    ends = [value for p in points for value in (p.x, p.y, p.high or 0.0)]
    x, y = (axis(name, ends, f.share) for name in (text("the model said"), text("came true")))
    says = text("What the model said beside what came true, in ten groups of equal size; on the line both are the same")
    return chart(says, x, y, [Series(text("a tenth of the leads, with its 90% interval"), points, "dots")], diagonal=True)


def calls(e: Mapping[str, Any], f: Figures) -> Chart | None:
    """Conversions found by so many calls: by this model, by a points rule, at random."""
    rows = e.get("capacity", ())
    if len(rows) < 2:
        return None
    text, flat = f.words.text, "share" in rows[0]
    across = [row["share"] if flat else float(row["calls_per_day"]) for row in rows]
    x = axis(text("share that is called") if flat else text("calls a day"), across, f.share if flat else f.number)
    lines = {text("this model"): rows, text("points rule"): [row["points"] for row in rows], text("at random"): [row["random"] for row in rows]}
    series = [
        Series(name, [Point(0.0, 0.0), *(_called(at, one, own=i == 0) for at, one in zip(across, of, strict=True))])
        for i, (name, of) in enumerate(lines.items())
    ]
    y = axis(text("converted") if flat else text("converted, a day"), [p.high or p.y for one in series for p in one.points], f.number)
    return chart(text("How many of the leads that are called convert, by the number of calls, for this model and for simpler rules"), x, y, series)


def _called(at: float, row: Mapping[str, Any], *, own: bool) -> Point:
    return Point(at, row["converted"], row["low"], row["high"]) if own else Point(at, row["converted"])


def months(e: Mapping[str, Any], f: Figures) -> Chart | None:
    """What was said and what came true, month by month."""
    rows = [row for row in e.get("months", ()) if row["leads"] >= LEAST_LEADS]
    if len(rows) < 2:
        return None
    text = f.words.text
    said = [Point(float(i), row["predicted"]) for i, row in enumerate(rows)]
    came = [Point(float(i), row["observed"], row["low"], row["high"]) for i, row in enumerate(rows)]
    x = named_axis(text("month"), [row["name"] for row in rows])
    y: Axis = axis(text("share"), [value for p in [*said, *came] for value in (p.y, p.high or 0.0)], f.share)
    series = [Series(text("the model said"), said), Series(text("came true, with its 90% interval"), came, "dots")]
    return chart(text("What the model said beside what came true, month by month"), x, y, series)
