"""The question in DuckDB, in every way that an expert might put it: each takes `Frames` and answers with one FLOAT column a feature, and `row`, since
no order is asked of it.

Times are ordered by one integer, lead * 2^45 + microseconds since the world's first midnight, as in `features_polars`.
"""

from collections.abc import Callable, Iterator, Sequence
from string import Template
from tempfile import gettempdir

import duckdb
import pyarrow as pa

from benchmarks.features_world import CODES, NAMES, OF, START, VALUED, World, valued_windows, windows
from data.contract import DAY
from features.declarations import EVER, Feature
from features.sweep import NO_VALUE

STRIDE = 2**45
SETTINGS = {"memory_limit": "10GB", "temp_directory": f"{gettempdir()}/bench_features"}
"""As many threads as there are cores; beyond that memory it writes to the disk."""

BITS = 15
"""Counts of four types are packed into one integer: right for leads of up to 32,767 events."""

CONSTANTS = {"stride": f"{STRIDE}", "mask": f"{STRIDE - 1}", "start": f"{START}", "day": f"{DAY}", "none": f"{NO_VALUE}"}
KEPT = "CREATE TABLE events AS SELECT lead, kind, time, nullif(value, $none) AS value FROM raw_events"
NUMBERED = "CREATE TABLE spine AS SELECT (row_number() OVER () - 1)::INTEGER AS row, * FROM raw_spine"
EVENTS = "SELECT lead, kind, value, lead::BIGINT * $stride + time - $start AS key FROM events"
LANDMARKS = "SELECT row, lead, lead::BIGINT * $stride + as_of - $start AS moment, (as_of - created) / $day.0 AS tenure FROM spine"
DAYS = """SELECT *, $packed, CASE WHEN (after & $mask) // $day = (key & $mask) // $day THEN after END AS straddle,
    (before IS NULL OR (before & $mask) // $day <> (key & $mask) // $day)::BIGINT AS new_day
    FROM (SELECT *, lag(key) OVER o AS before, lead(key) OVER o AS after FROM ($events) WINDOW o AS (PARTITION BY lead ORDER BY key))"""
"""Events that know whether they are the first of their day, and the next one of the same day."""

PAIRS = """WITH events_ AS ($pairs), landmarks_ AS ($landmarks),
    held AS (SELECT row, any_value(moment) AS moment, any_value(tenure) AS tenure, $sums
        FROM landmarks_ LEFT JOIN events_ ON landmarks_.lead = events_.lead AND key <= moment GROUP BY row)
    SELECT row, $answers FROM ($unpacked FROM held)"""

AS_OF = """WITH landmarks_ AS ($landmarks), firsts AS (SELECT lead, $firsts FROM ($events) GROUP BY lead),
    totals AS MATERIALIZED (SELECT lead, key, straddle, $totals FROM ($days) WINDOW o AS (PARTITION BY lead ORDER BY key ROWS UNBOUNDED PRECEDING)),
    held AS (SELECT row, moment, tenure, $held FROM landmarks_ AS l $joins LEFT JOIN firsts ON l.lead = firsts.lead)
    SELECT row, $answers FROM (SELECT *, $unpacked FROM held)"""

FRAMES = """WITH mixed AS (SELECT lead, key, kind, value, p0, p1, new_day, NULL::INTEGER AS row, NULL::DOUBLE AS tenure FROM ($days)
        UNION ALL SELECT lead, moment, NULL, NULL, NULL, NULL, NULL, row, tenure FROM ($landmarks)),
    held AS (SELECT row, key AS moment, tenure, $held FROM mixed WINDOW $frames)
    SELECT row, $answers FROM (SELECT *, $unpacked FROM held WHERE row IS NOT NULL)"""


class Frames:
    """The world in DuckDB's own memory, each column as narrow as it can be."""

    def __init__(self, world: World) -> None:
        self.connection = duckdb.connect(":memory:", config=SETTINGS)
        events = {"lead": world.lead.astype("i4"), "kind": world.kind.astype("u1"), "time": world.time, "value": world.value}
        spine = {"lead": world.spine_lead.astype("i4"), "as_of": world.spine_as_of, "created": world.created[world.spine_lead]}
        self.connection.register("raw_events", pa.table(events))
        self.connection.register("raw_spine", pa.table(spine))
        self.connection.execute(Template(KEPT).substitute(CONSTANTS))
        self.connection.execute(NUMBERED)
        self.connection.unregister("raw_events")
        self.connection.unregister("raw_spine")

    def ask(self, text: str, **parts: str) -> pa.Table:
        template = text
        while "$" in template:
            template = Template(template).substitute(CONSTANTS | parts)
        return self.connection.execute(template).to_arrow_table()


def conditional(tables: Frames, asked: Sequence[Feature]) -> pa.Table:
    """Every landmark with every earlier event of its lead, and conditional aggregates: the plain way."""
    sums = [f"count(*) FILTER (kind = {k} AND {_young(w)}) AS c{k}_{_edge(w)}" for k in CODES for w in _spans(asked)]
    sums += [f"count(key) FILTER ({_young(w)}) AS n_{_edge(w)}" for w in _spans(asked)]
    sums += [f"count(DISTINCT (key & {STRIDE - 1}) // {DAY}) FILTER ({_young(w)}) AS d_{_edge(w)}" for w in _spans(asked)]
    sums += [*_values(asked), *_touches()]
    return _paired(tables, asked, EVENTS, sums, "SELECT *")


def packed(tables: Frames, asked: Sequence[Feature]) -> pa.Table:
    """The same with a fifth of the aggregates: four counts are one sum, and an event is told beforehand which one is the next of its day."""
    sums = [f"sum(p{half}) FILTER ({_young(w)}) AS p{half}_{_edge(w)}" for half in (0, 1) for w in _spans(asked)]
    sums += [f"count(*) FILTER ({_young(w)} AND (straddle IS NULL OR straddle > moment)) AS d_{_edge(w)}" for w in _spans(asked)]
    sums += [*_values(asked), *_touches()]
    return _paired(tables, asked, DAYS, sums, "SELECT *, " + ", ".join(_unpacked(asked)))


def joined(tables: Frames, asked: Sequence[Feature]) -> pa.Table:
    """Running totals of each lead's events, joined as of each landmark and of each window's edge."""
    last = [f"max(CASE WHEN kind = {k} THEN key END) OVER o AS last{k}" for k in CODES]
    values = [f"{made}(CASE WHEN kind = {k} THEN value END) OVER o AS {name}{k}" for k in VALUED for name, made in (("s", "sum"), ("v", "count"))]
    totals = [*(f"(sum({p}) OVER o)::BIGINT AS {p}" for p in ("p0", "p1")), "sum(new_day) OVER o AS d", *values, *last]
    held = [f"totals_end.last{k}" for k in CODES]
    held += [f"CASE WHEN firsts.first{k} <= moment THEN firsts.first{k} END AS first{k}" for k in CODES]
    for w in _spans(asked):
        added = ["p0", "p1", "d", *(f"{total}{k}" for k in VALUED for total in "sv" if w == EVER or w in valued_windows(asked))]
        straddled = "" if w == EVER else f" + coalesce(totals_{w}.straddle <= moment, false)::INTEGER"
        left = "" if w == EVER else " - coalesce(totals_{w}.{one}, 0)"
        held += [f"coalesce(totals_end.{one}, 0){left.format(w=w, one=one)}{straddled if one == 'd' else ''} AS {one}_{_edge(w)}" for one in added]
    moments = {"end": "moment"} | {f"{w}": f"moment - {w * DAY}" for w in windows(asked)}
    joins = [f"ASOF LEFT JOIN totals AS totals_{edge} ON l.lead = totals_{edge}.lead AND {at} >= totals_{edge}.key" for edge, at in moments.items()]
    parts = {"firsts": [f"min(key) FILTER (kind = {k}) AS first{k}" for k in CODES], "totals": totals, "held": held}
    return _asked(tables, asked, AS_OF, parts | {"unpacked": list(_unpacked(asked))}, joins=" ".join(joins))


def framed(tables: Frames, asked: Sequence[Feature]) -> pa.Table:
    """Landmarks among the events, and window functions with a frame for each window."""
    held, frames = [], []
    for w in _spans(asked):
        at = f"OVER w{_edge(w)}"
        start = "UNBOUNDED" if w == EVER else f"{w * DAY - 1}"
        frames.append(f"w{_edge(w)} AS (PARTITION BY lead ORDER BY key RANGE BETWEEN {start} PRECEDING AND CURRENT ROW)")
        held += [f"sum(p{half}) {at} AS p{half}_{_edge(w)}" for half in (0, 1)]
        held.append(f"coalesce(sum(new_day) {at} + 1 - first_value(new_day IGNORE NULLS) {at}, 0) AS d_{_edge(w)}")
        if w == EVER or w in valued_windows(asked):
            sums = (("s", "sum"), ("v", "count"))
            held += [f"{made}(CASE WHEN kind = {k} THEN value END) {at} AS {name}{k}_{_edge(w)}" for k in VALUED for name, made in sums]
    held += [
        f"{made}(CASE WHEN kind = {k} THEN key END) OVER wever AS {name}{k}" for k in CODES for name, made in (("last", "max"), ("first", "min"))
    ]
    return _asked(tables, asked, FRAMES, {"held": held, "frames": frames, "unpacked": list(_unpacked(asked))})


def _asked(tables: Frames, asked: Sequence[Feature], text: str, parts: dict[str, list[str]], **more: str) -> pa.Table:
    lists = {name: ", ".join(part) for name, part in (parts | {"answers": _answers(asked)}).items()}
    return tables.ask(text, events=EVENTS, landmarks=LANDMARKS, days=DAYS, packed=_packed_columns(), **lists, **more)


def _paired(tables: Frames, asked: Sequence[Feature], events: str, sums: list[str], unpacked: str) -> pa.Table:
    return _asked(tables, asked, PAIRS, {"sums": sums}, pairs=events, unpacked=unpacked)


def _packed_columns() -> str:
    return ", ".join(f"CASE WHEN kind // 4 = {half} THEN 1::BIGINT << ({BITS} * (kind % 4)) ELSE 0 END AS p{half}" for half in (0, 1))


def _unpacked(asked: Sequence[Feature]) -> Iterator[str]:
    for w in _spans(asked):
        for k in CODES:
            yield f"(coalesce(p{k // 4}_{_edge(w)}, 0)::BIGINT >> {BITS * (k % 4)}) & {2**BITS - 1} AS c{k}_{_edge(w)}"
        yield " + ".join(f"c{k}_{_edge(w)}" for k in CODES) + f" AS n_{_edge(w)}"


def _spans(asked: Sequence[Feature]) -> tuple[int, ...]:
    return (*windows(asked), EVER)


def _edge(window: int) -> str:
    return "ever" if window == EVER else f"{window}"


def _young(window: int) -> str:
    return "key IS NOT NULL" if window == EVER else f"key > moment - {window * DAY}"


def _values(asked: Sequence[Feature]) -> Iterator[str]:
    for k in VALUED:
        for w in (*valued_windows(asked), EVER):
            yield f"sum(value) FILTER (kind = {k} AND {_young(w)}) AS s{k}_{_edge(w)}"
            yield f"count(value) FILTER (kind = {k} AND {_young(w)}) AS v{k}_{_edge(w)}"


def _touches() -> Iterator[str]:
    for k in CODES:
        yield f"max(key) FILTER (kind = {k}) AS last{k}"
        yield f"min(key) FILTER (kind = {k}) AS first{k}"


def _answers(asked: Sequence[Feature]) -> list[str]:
    """The features from what each window holds: c (count), s (sum of values) and v (how many values) of each type, n of all, d (days); `last` and
    `first` are keys of events, null for none."""
    return [f'({FEATURES[f.op](f)})::FLOAT AS "{f.name}"' for f in asked]


def _n(slot: str | int, window: int | str) -> str:
    edge = _edge(int(window))
    return f"n_{edge}" if slot == "all" else "(" + " + ".join(f"c{k}_{edge}" for k in OF[str(slot)]) + ")"


def _touch(end: str, slot: str) -> str:
    extreme = {"last": "greatest", "first": "least"}[end]
    return f"{extreme}({', '.join(f'{end}{k}' for k in OF[slot])})"


def _touched(end: str, slot: str) -> str:
    return f"CASE WHEN {_touch(end, 'all')} IS NOT NULL THEN coalesce({_touch(end, 'all')} = {_touch(end, slot)}, false) END"


def _trend(f: Feature) -> str:
    return f"ln(({_n(f.slot, f.window)} + 0.5) / ({_n(f.slot, f.other)} * {f.window / float(f.other)!r}::DOUBLE + 0.5::DOUBLE))"


def _total(name: str, f: Feature) -> str:
    return f"{name}{NAMES.index(f.slot)}_{_edge(f.window)}"


FEATURES: dict[str, Callable[[Feature], str]] = {
    "count": lambda f: _n(f.slot, f.window),
    "recency": lambda f: f"(moment - {_touch('last', f.slot)}) / {DAY}.0::DOUBLE",
    "since_first": lambda f: f"(moment - {_touch('first', f.slot)}) / {DAY}.0::DOUBLE",
    "active_days": lambda f: f"d_{_edge(f.window)}",
    "trend": _trend,
    "share": lambda f: f"{_n(f.slot, f.window)} / nullif({_n(f.other, f.window)}, 0)",
    "value_sum": lambda f: f"coalesce({_total('s', f)}, 0)::DOUBLE / 1e6",
    "value_mean": lambda f: f"{_total('s', f)}::DOUBLE / 1e6 / nullif({_total('v', f)}, 0)",
    "first_is": lambda f: _touched("first", f.slot),
    "last_is": lambda f: _touched("last", f.slot),
    "tenure": lambda _: "tenure",
}

FORMULATIONS: dict[str, Callable[[Frames, Sequence[Feature]], pa.Table]] = {
    "conditional aggregates over pairs": conditional,
    "packed aggregates over pairs": packed,
    "running totals, as-of joins": joined,
    "window functions, a frame each": framed,
}
