"""What each rule that is counted over rows comes to: one sum over all parts of a dataset decides whether it is told, whether it stops, and how."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple, Self

from data.contract import EXITS, STAGES, TABLES

_EXAMPLES = 5
_BAD_SHARE = 0.05
_DRIFT_SHARE = 0.99
_DRIFT_ROWS = 100
_MUST_PARSE = {("leads", "created_at"), ("stages", "entered_at")}
_IMPOSSIBLE = {
    "events": "engagement can't be used: scores rest on attributes and time alone",
    "stages": "nothing can be trained: it is not known who became a prospect, and when",
}
_TIMES = {
    "unparseable_time": ("a time in ISO-8601 (2026-11-21T10:00:00Z)", "Export times that way."),
    "future_time": ("at or before now", "Fix the export's time zone."),
}


def examples(values: Iterable[object]) -> tuple[str, ...]:
    """The first five different values, as text of a bearable length."""
    seen: dict[str, None] = {}
    for value in values:
        if value is not None:
            seen.setdefault(str(value)[:80])
        if len(seen) == _EXAMPLES:
            break
    return tuple(seen)


@dataclass(frozen=True, slots=True)
class Tally:
    """How often one rule is broken in some rows: `count` of `of`, ids and values as examples, and `names` {name: (rows, what it may mean)}."""

    rule: str
    table: str
    column: str | None
    count: int
    of: int = 0
    examples: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    names: Mapping[str, tuple[int, str | None]] = field(default_factory=dict)

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        """The tally of its JSON values."""
        lists = {name: tuple(document[name]) for name in ("examples", "values")}
        return cls(**{**document, **lists, "names": {name: (rows, meant) for name, (rows, meant) in document["names"].items()}})

    def plus(self, more: "Tally") -> "Tally":
        """The same rule in these and in more rows."""
        names = dict(self.names)
        for name, (rows, meant) in more.names.items():
            names[name] = (names.get(name, (0, None))[0] + rows, meant)
        shown, values = examples([*self.examples, *more.examples]), examples([*self.values, *more.values])
        return Tally(self.rule, self.table, self.column, self.count + more.count, self.of + more.of, shown, values, names)

    @property
    def where(self) -> str:
        """`events.occurred_at`"""
        return f"{self.table}.{self.column}"


class Judged(NamedTuple):
    """What is told of a tally."""

    stops: bool
    message: str
    fix: str


def must_parse(table: str, column: str) -> bool:
    """Whether one time of this column that can't be read is an error."""
    return (table, column) in _MUST_PARSE


def _time(t: Tally) -> Judged:
    """An error where the column must hold or more than one in twenty rows are bad, else the rows are rejected with a warning."""
    expected, fix = _TIMES[t.rule]
    stops = must_parse(t.table, t.column or "") or t.count > _BAD_SHARE * t.of
    message = f"{t.where} must be {expected}; {t.count:,} of {t.of:,} rows are not, such as {', '.join(map(repr, t.values[:3]))}"
    return Judged(stops, message, fix + ("" if stops else " Rows left out."))


def _not_a_number(t: Tally) -> Judged:
    message = f"{t.where} must be numbers; {t.count:,} rows are not, such as {', '.join(t.values[:3])}"
    return Judged(False, message, "They count as unknown; export plain numbers.")


def _missing(t: Tally) -> Judged:
    message = f"{t.where} must be filled; {t.count:,} of {t.of:,} rows are empty"
    if t.column in TABLES[t.table].key:
        return Judged(True, message, "Fill it, or leave these rows out.")
    return Judged(False, message, "These rows are left out; fill it to keep them.")


def _duplicate_id(t: Tally) -> Judged:
    if t.table == "events":
        return Judged(False, f"events.event_id must differ; {t.count:,} rows repeat one", "The first of each is kept.")
    message = f"{t.table} must have one row for each {', '.join(TABLES[t.table].key)}; {t.count:,} rows repeat one"
    return Judged(True, message, "Keep one row each; what changes over time belongs into the table `changes`.")


def _ambiguous_alias(t: Tally) -> Judged:
    message = f"an alias must belong to one lead; {t.count:,} belong to several"
    return Judged(False, message, "They are not used; merge the leads or remove the wrong rows.")


def _orphan(t: Tally) -> Judged:
    message = f"{t.table}.lead_id must be in leads; {t.count:,} of {t.of:,} rows are of leads that are not"
    return Judged(False, message, "These rows are left out; export the same leads, or say in aliases which lead they belong to.")


def _unknown_stage(t: Tally) -> Judged:
    unknown = sorted(t.names, key=lambda name: -t.names[name][0])[:10]
    shown = ", ".join(f"{name!r} ({t.names[name][0]:,} rows)" for name in unknown)
    message = f"stages.stage must be one of {', '.join(STAGES + EXITS)} or a name that stands for one; unknown: {shown}"
    return Judged(True, message, _stage_fix({name: t.names[name][1] for name in unknown}))


def _stage_fix(unknown: Mapping[str, str | None]) -> str:
    groups: dict[str, list[str]] = {}
    for name, meant in unknown.items():
        groups.setdefault(meant or "lead", []).append(name)
    sections = {stage: "exits" if stage in EXITS else "stages" for stage in groups}
    lines = [
        line
        for section in ("stages", "exits")
        if section in sections.values()
        for line in (f"[{section}]", *(f"{s} = {_toml(groups[s])}" for s in groups if sections[s] == section))
    ]
    doubt = "" if all(unknown.values()) else " (under the stage that each means; `lead` is a guess)"
    return f"Add to funnel.toml{doubt}:\n" + "\n".join(f"    {line}" for line in lines)


def _toml(names: list[str]) -> str:
    return "[" + ", ".join('"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"' for name in names) + "]"


def _unknown_outcome(t: Tally) -> Judged:
    message = f"deals.outcome must be won or lost (empty while open); {t.count:,} rows say {', '.join(list(t.names)[:5])}"
    return Judged(False, message, "They count as open; add the names to `customer` or `lost` in funnel.toml.")


def _unknown_object(t: Tally) -> Judged:
    return Judged(False, f"changes.object must be lead or account; {t.count:,} rows are not", "These rows are left out.")


def _unknown_account(t: Tally) -> Judged | None:
    """`of` counts the accounts that there are: without any, there is nothing to be missed."""
    if not (t.count and t.of):
        return None
    message = f"leads.account_id must be in accounts; {t.count:,} leads name an account that is not"
    return Judged(False, message, "They count as leads without firmographics; export these accounts too.")


def _recorded_early(t: Tally) -> Judged:
    message = f"events.recorded_at must not be before occurred_at; {t.count:,} rows are"
    return Judged(False, message, "They count from recorded_at; check the export's time zones.")


def _type_drift(t: Tally) -> Judged | None:
    """Columns of numbers with a few texts among them: the texts are mostly typing errors or another unit."""
    if t.of < _DRIFT_ROWS or not 0 < t.count <= (1 - _DRIFT_SHARE) * t.of:
        return None
    message = f"{t.where} is numbers but for {t.count:,} of {t.of:,} values"
    return Judged(False, message, "Correct them, or they make a column of numbers into one of words.")


def _none(t: Tally) -> Judged | None:
    """`of` counts the rows that there are."""
    message = f"there are no {t.table}, so {_IMPOSSIBLE[t.table]}"
    return None if t.of else Judged(False, message, f"Add {t.table}.csv to the folder.")


def judged_of(tally: Tally) -> Judged | None:
    """What is told of a rule; None where it is not broken."""
    return _JUDGES[tally.rule](tally) if tally.count or tally.rule in _COUNT_NOTHING else None


_COUNT_NOTHING = ("no_events", "no_stages")
_JUDGES: Mapping[str, Callable[[Tally], Judged | None]] = MappingProxyType(
    {
        "unparseable_time": _time,
        "future_time": _time,
        "not_a_number": _not_a_number,
        "missing_id": _missing,
        "missing_value": _missing,
        "duplicate_id": _duplicate_id,
        "ambiguous_alias": _ambiguous_alias,
        "orphan": _orphan,
        "unknown_stage": _unknown_stage,
        "unknown_outcome": _unknown_outcome,
        "unknown_object": _unknown_object,
        "unknown_account": _unknown_account,
        "recorded_early": _recorded_early,
        "type_drift": _type_drift,
        "no_events": _none,
        "no_stages": _none,
    }
)
