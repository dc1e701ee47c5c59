"""What the Losses page shows of `GET /v1/losses`: why deals are lost, to whom, where, and what those had in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serving.pages.charts import Chart, Point, Series, axis, chart, named_axis, width_of
from serving.pages.figures import Figures
from serving.pages.funnel_view import group_name

LEAST_CLOSED = 5
"""A month in which fewer deals closed is in the table and not in the chart: its win rate would be luck."""


@dataclass(frozen=True)
class Row:
    """One row of a table of counts: `told` as the report does, its name, and the width of its bar."""

    name: str
    told: Mapping[str, Any]
    width: float


@dataclass(frozen=True)
class ExitView:
    """One way out of the funnel and the reasons that were given for it."""

    name: str
    told: Mapping[str, Any]
    reasons: Sequence[Row]


@dataclass(frozen=True)
class LossesView:
    """`stages` is empty where nobody says in which stage a deal was lost, `common` holds what is beyond chance first."""

    reasons: Sequence[Row]
    competitors: Sequence[Row]
    stages: Sequence[Row]
    exits: Sequence[ExitView]
    common: Sequence[Row]
    months: Sequence[tuple[str, Mapping[str, Any]]]
    rates: Chart | None


def view(report: Mapping[str, Any], f: Figures) -> LossesView:
    """In the report's order: what happens most often first."""
    return LossesView(
        _rows(report["reasons"], f),
        _rows(report["competitors"], f),
        _rows(_said(report["deal_stages"]), f),
        [ExitView(f.stage(one["exit"]), one, _rows(_said(one["reasons"]), f)) for one in report["exits"]],
        [Row(_fact(one, f), one, 0.0) for one in report["common"]["facts"]],
        [(f.words.text("earlier") if one["kind"] == "earlier" else f.month(one["month"]), one) for one in report["months"]],
        _rates(report["months"], f),
    )


def _said(rows: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Nothing where nobody said anything."""
    return rows if any(row["kind"] == "value" for row in rows) else []


def _rows(rows: Sequence[Mapping[str, Any]], f: Figures) -> list[Row]:
    most = max((row["count"] for row in rows), default=0)
    return [Row(_name(row, f), row, width_of(row["count"], most)) for row in rows]


def _name(row: Mapping[str, Any], f: Figures) -> str:
    return group_name({"begin": None, "end": None, **row}, f)


def _fact(fact: Mapping[str, Any], f: Figures) -> str:
    """`account_industry`, `it` -> Account: Industry: it; what the histories themselves tell as a sentence."""
    text, value = f.words.text, group_name({"kind": "value", **fact}, f)
    if fact["kind"] == "attribute":
        return f"{f.attribute(fact['fact'])}: {value}"
    match fact["fact"]:
        case "amount":
            return text("Amount of the deal: {amount}", amount=value)
        case "days_before":
            return text("Days from the lead's creation to the deal: {days}", days=value)
    return text("Had left the funnel before, and come back") if fact["value"] == "yes" else text("Had never left the funnel before")


def _rates(months: Sequence[Mapping[str, Any]], f: Figures) -> Chart | None:
    """The win rate of each month in which enough deals closed."""
    rows = [one for one in months if one["kind"] == "value" and one["win_rate"] and one["won"] + one["lost"] >= LEAST_CLOSED]
    if len(rows) < 2:
        return None
    text = f.words.text
    points = [Point(float(i), row["win_rate"]["share"], row["win_rate"]["low"], row["win_rate"]["high"]) for i, row in enumerate(rows)]
    x = named_axis(text("month in which the deal closed"), [row["month"] for row in rows])
    y = axis(text("won, of all that closed, with its 90% interval"), [1.0], f.share, to=1.0)
    return chart(text("The share of closed deals that was won, month by month"), x, y, [Series(text("won"), points)])
