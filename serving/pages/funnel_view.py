"""What the Funnel page shows of `GET /v1/funnel`: how many got how far, how likely and how fast, and who differs from the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from serving.pages.charts import Chart, Point, Series, axis, chart, width_of
from serving.pages.figures import Figures

MONTH = "month"


@dataclass(frozen=True)
class StageRow:
    """One stage: `told` as the report does, `width` of its bar, and the step to the next one, None for the last."""

    name: str
    told: Mapping[str, Any]
    width: float
    step: Mapping[str, Any] | None


@dataclass(frozen=True)
class GroupRow:
    """One group with the step from each stage to the next, None where nobody was there to make it."""

    name: str
    leads: int
    steps: Sequence[Mapping[str, Any] | None]


@dataclass(frozen=True)
class FunnelView:
    """`steps`: the transitions between neighbouring stages, by name; `by`: what `key`, by which leads are grouped, is called; `choices` (value, name)
    of what they can be grouped by."""

    stages: Sequence[StageRow]
    exits: Sequence[Mapping[str, Any]]
    steps: Sequence[str]
    curves: Chart | None
    groups: Sequence[GroupRow]
    key: str | None
    by: str | None
    choices: Sequence[tuple[str, str]]


def view(report: Mapping[str, Any], f: Figures) -> FunnelView:
    """Stages in the funnel's order, groups in the report's."""
    stages = [one for one in report["stages"] if not one["exit"]]
    steps = _neighbours([one["stage"] for one in stages])
    next_step = {pair["from"]: pair for pair in report["pairs"] if (pair["from"], pair["to"]) in steps}
    widest = max((one["leads"] for one in stages), default=0)
    rows = [StageRow(f.stage(one["stage"]), one, width_of(one["leads"], widest), next_step.get(one["stage"])) for one in stages]
    return FunnelView(
        rows,
        [one for one in report["stages"] if one["exit"]],
        [f.transition(f"{begins}->{ends}") for begins, ends in steps],
        _curves([next_step[begins] for begins, _ in steps if begins in next_step], f),
        [_group(one, steps, report["by"], f) for one in report["groups"]],
        report["by"],
        f.attribute(report["by"]) if report["by"] else None,
        [(name, f.attribute(name)) for name in report["options"]],
    )


def _neighbours(stages: Sequence[str]) -> list[tuple[str, str]]:
    return list(pairwise(stages))


def _curves(pairs: Sequence[Mapping[str, Any]], f: Figures) -> Chart | None:
    """Every step's share over time, as far as enough leads were followed."""
    series = [
        Series(f.transition(f"{pair['from']}->{pair['to']}"), [Point(day, share, low, high) for day, share, low, high in pair["curve"]], "steps")
        for pair in pairs
        if pair["curve"]
    ]
    if not series:
        return None
    text, points = f.words.text, [point for one in series for point in one.points]
    x = axis(text("days since the stage was reached"), [point.x for point in points], f.number)
    y = axis(text("share that got to the next stage, with its 90% interval"), [point.high or point.y for point in points], f.share)
    return chart(text("The share of leads that got to the next stage, by the days since they reached the one before"), x, y, series)


def _group(group: Mapping[str, Any], steps: Sequence[tuple[str, str]], by: str, f: Figures) -> GroupRow:
    made = {(pair["from"], pair["to"]): pair for pair in group["pairs"] if pair["entered"]}
    return GroupRow(group_name(group, f, dated=by == MONTH), group["leads"], [made.get(step) for step in steps])


def group_name(group: Mapping[str, Any], f: Figures, *, dated: bool = False) -> str:
    """What a group of a report is called: a month, a band of numbers, a value as the data have it, or what it lacks."""
    text, begin, end = f.words.text, group["begin"], group["end"]
    match group["kind"]:
        case "other":
            return text("other values")
        case "missing":
            return text("not known")
        case "earlier":
            return text("earlier")
    if begin is not None and end is not None:
        return text("{begin} to below {end}", begin=begin, end=end)
    if begin is None and end is None:
        return f.month(group["value"]) if dated else str(group["value"])
    return text("below {end}", end=end) if begin is None else text("{begin} or more", begin=begin)
