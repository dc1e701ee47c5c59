"""The question in polars, in every way that an expert might put it: each takes `Frames` and answers with one Float32 column a feature.

Times are ordered by one integer, lead * 2^45 + microseconds since the world's first midnight: exact here, and far cheaper than a sort by two columns
and as-of joins by lead. 2^45 microseconds are 407 days, of which a lead uses 305, so that no window of 90 days reaches into the lead before. Running
totals go on from lead to lead, since a difference within a lead cancels what came before it.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import polars as pl

from benchmarks.features_world import CODES, NAMES, OF, START, VALUED, World, valued_windows, windows
from data.contract import DAY
from features.declarations import EVER, Feature
from features.sweep import NO_VALUE

STRIDE = 2**45
NEVER = 2**63 - 1
FIELD = 2**15
"""Counts of four types are packed into one integer: right for leads of up to 32,767 events."""

PART = 10_000
"""Leads that are answered at once, one part after the other: a third faster at 10 M events, and the pairs of all need not be held."""


class Frames:
    """The world in polars' own memory, each column as narrow as it can be."""

    def __init__(self, world: World) -> None:
        columns = {"lead": world.lead.astype("i4"), "kind": world.kind.astype("u1"), "time": world.time, "value": world.value}
        self.events = pl.DataFrame(columns).with_columns(pl.when(pl.col("value") != NO_VALUE).then(pl.col("value")).alias("value"))
        columns = {"lead": world.spine_lead.astype("i4"), "as_of": world.spine_as_of, "created": world.created[world.spine_lead]}
        self.spine = pl.DataFrame(columns)


def searched(frames: Frames, asked: Sequence[Feature]) -> pl.DataFrame:
    """Running totals over the sorted events, looked up by binary search: at as_of, at each window's edge and at the lead's beginning."""
    return pl.concat([_searched(events, edges, asked) for events, edges in _parts(frames, asked)])


def joined(frames: Frames, asked: Sequence[Feature]) -> pl.DataFrame:
    """The same totals, each edge joined with the latest event at or before it."""
    return pl.concat([_joined(events, edges, asked) for events, edges in _parts(frames, asked)])


def _parts(frames: Frames, asked: Sequence[Feature]) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Events, all sorted at once, and edges of some leads after the others, so that what is made of them stays in the caches. Each part begins with
    the row before its first event."""
    events, edges = _sorted(frames), _edges(frames, asked)
    begins = edges["ever"].unique(maintain_order=True).gather_every(PART)[1:]
    event = [1, *events["key"].search_sorted(begins, side="right").to_list(), events.height]
    edge = [0, *edges["ever"].search_sorted(begins, side="left").to_list(), edges.height]
    for (low, high), (first, last) in zip(pairwise(event), pairwise(edge), strict=True):
        if first < last:
            yield events.slice(low - 1, high - low + 1), edges.slice(first, last - first)


def _searched(events: pl.DataFrame, edges: pl.DataFrame, asked: Sequence[Feature]) -> pl.DataFrame:
    totals, keys = events.select(_running()), pl.lit(events["key"])
    found = edges.with_columns((keys.search_sorted(pl.col(name), side="right") - 1).alias(f"i_{name}") for name in _moments(asked))
    at = found.select("end", "tenure", *(pl.lit(totals[t]).gather(pl.col(f"i_{edge}")).alias(f"{t}_{edge}") for t, edge in _looked_up(asked)))
    return _answer(at, events, asked)


def _joined(events: pl.DataFrame, edges: pl.DataFrame, asked: Sequence[Feature]) -> pl.DataFrame:
    totals = events.select("key", *_running()).lazy()
    parts = [edges.lazy().select("end", "tenure")]
    for edge in _moments(asked):
        right = totals.select("key", *(pl.col(total).alias(f"{total}_{edge}") for total, at in _looked_up(asked) if at == edge))
        parts.append(edges.lazy().select(key=pl.col(edge)).join_asof(right, on="key", check_sortedness=False).drop("key"))
    return _answer(pl.concat(pl.collect_all(parts), how="horizontal"), events, asked)


def unioned(frames: Frames, asked: Sequence[Feature]) -> pl.DataFrame:
    """Events and edges in one frame, sorted once: the totals at an edge are those of its row."""
    edges = _edges(frames, asked)
    code = {name: 200 + i for i, name in enumerate(_moments(asked))}
    rows = [edges.lazy().select(key=pl.col(name), kind=pl.lit(c, pl.UInt8), value=pl.lit(None, pl.Int64)) for name, c in code.items()]
    union = pl.concat([_keyed(frames), *rows]).sort("key", maintain_order=True).collect()
    heard = pl.when(pl.col("kind") < len(CODES)).then(pl.col("key"))
    union = union.with_columns(latest=heard.forward_fill(), after=heard.backward_fill().shift(-1))
    totals = union.select("kind", *_running())
    parts = [edges.select("end", "tenure")]
    for edge, c in code.items():
        parts.append(totals.filter(pl.col("kind") == c).select(pl.col(t).alias(f"{t}_{edge}") for t, at in _looked_up(asked) if at == edge))
    return _answer(pl.concat(parts, how="horizontal"), union, asked)


def conditional(frames: Frames, asked: Sequence[Feature]) -> pl.DataFrame:
    """Every landmark with every earlier event of its lead, and sums of what is young enough; the counts of four types are one sum."""
    event = [
        pl.when(pl.col("kind") // 4 == half).then(pl.lit(FIELD, pl.Int64).pow(pl.col("kind") % 4)).otherwise(0).alias(f"p{half}") for half in (0, 1)
    ]
    events = (
        _keyed(frames)
        .sort("key")
        .with_columns(*event, lead=(pl.col("key") // STRIDE).cast(pl.Int32), next=_next_of_day(pl.col("key"), pl.col("key").shift(-1)))
        .collect()
    )
    spine = frames.spine.select("lead", end=_key("as_of"), tenure=_tenure()).with_row_index("row")
    first, last = frames.spine["lead"][0], frames.spine["lead"][-1]
    parts = []
    for low in range(first, last + 1, PART):
        within = pl.col("lead").is_between(low, low + PART - 1)
        landmarks = spine.lazy().filter(within)
        pairs = landmarks.join(events.lazy().filter(within), on="lead").filter(pl.col("key") <= pl.col("end"))
        held = pairs.group_by("row").agg(_sums(asked))
        parts.append(_answers(landmarks.join(held, on="row", how="left", maintain_order="left").with_columns(_unpacked(asked)), asked).collect())
    return pl.concat(parts)


def _key(time: str) -> pl.Expr:
    return pl.col("lead").cast(pl.Int64) * STRIDE + (pl.col(time) - START)


def _tenure() -> pl.Expr:
    return (pl.col("as_of") - pl.col("created")) / DAY


def _keyed(frames: Frames) -> pl.LazyFrame:
    return frames.events.lazy().select(_key("time").alias("key"), "kind", "value")


def _edges(frames: Frames, asked: Sequence[Feature]) -> pl.DataFrame:
    """(rows, edges): as_of, the lead's beginning and the edge of each window, as keys; each column is sorted."""
    moved = {f"{w}": _key("as_of") - w * DAY for w in windows(asked)}
    return frames.spine.select(end=_key("as_of"), ever=pl.col("lead").cast(pl.Int64) * STRIDE - 1, **moved, tenure=_tenure())


def _moments(asked: Sequence[Feature]) -> tuple[str, ...]:
    return ("end", "ever", *(f"{w}" for w in windows(asked)))


def _sorted(frames: Frames) -> pl.DataFrame:
    """Events in order of their key, after a row that comes before them all; `latest` is the key of the latest event, `after` of the next."""
    before = pl.LazyFrame({"key": [-NEVER], "kind": [255], "value": [None]}, {"key": pl.Int64, "kind": pl.UInt8, "value": pl.Int64})
    return pl.concat([before, _keyed(frames)]).sort("key").collect().with_columns(latest="key", after=pl.col("key").shift(-1))


def _running() -> Iterator[pl.Expr]:
    """Totals up to and including each row: c0, c1, ... events of each type, n of all, d days."""
    yield from ((pl.col("kind") == k).cum_sum().alias(f"c{k}") for k in CODES)
    yield (pl.col("kind") < len(CODES)).cum_sum().alias("n")
    day = _day(pl.col("latest"))
    yield day.ne_missing(day.shift(1)).cum_sum().alias("d")
    yield _next_of_day(pl.col("latest"), pl.col("after")).alias("straddle")


def _day(key: pl.Expr) -> pl.Expr:
    return key // STRIDE * 512 + key % STRIDE // DAY


def _next_of_day(key: pl.Expr, after: pl.Expr) -> pl.Expr:
    """The key of the next event if it is on the same day, else NEVER."""
    return pl.when(_day(key) == _day(after)).then(after).otherwise(NEVER)


def _looked_up(asked: Sequence[Feature]) -> Iterator[tuple[str, str]]:
    """(running total, edge) of everything that the answer needs."""
    for edge in _moments(asked):
        yield from ((total, edge) for total in (*(f"c{k}" for k in CODES), "n", "d"))
        if edge not in ("end", "ever"):
            yield "straddle", edge


def _answer(at: pl.DataFrame, events: pl.DataFrame, asked: Sequence[Feature]) -> pl.DataFrame:
    """From totals at the edges to what each window holds, then to the features. The count of a type is also the place of its latest event among
    its own, which gives first, last and values."""
    own = {k: events.filter(pl.col("kind") == k) for k in CODES}
    held = [_difference(total, edge) for total, edge in _looked_up(asked) if edge != "end" and total not in ("d", "straddle")]
    days = [_days(f"{w}") for w in (*windows(asked), "ever")]
    touches = [touch for k in CODES for touch in _touches(k, own[k]["key"])]
    values = [v for k in VALUED for v in _values(k, own[k], asked)]
    return _answers(at.lazy().select("end", "tenure", *held, *days, *touches, *values), asked).collect()


def _difference(total: str, edge: str) -> pl.Expr:
    return (pl.col(f"{total}_end") - pl.col(f"{total}_{edge}")).alias(f"{total}_{edge}")


def _touches(k: int, keys: pl.Series) -> Iterator[pl.Expr]:
    begin, end = pl.col(f"c{k}_ever"), pl.col(f"c{k}_end")
    yield pl.lit(keys).gather(pl.when(end > begin).then(end - 1)).alias(f"last{k}")
    yield pl.lit(keys).gather(pl.when(end > begin).then(begin)).alias(f"first{k}")


def _values(k: int, own: pl.DataFrame, asked: Sequence[Feature]) -> Iterator[pl.Expr]:
    totals = {"s": own["value"].fill_null(0).cum_sum(), "v": own["value"].is_not_null().cum_sum()}
    for name, total in totals.items():
        padded = pl.concat([pl.Series([0], dtype=total.dtype), total], rechunk=True)
        end = pl.lit(padded).gather(pl.col(f"c{k}_end"))
        for w in (*valued_windows(asked), EVER):
            yield (end - pl.lit(padded).gather(pl.col(f"c{k}_{_edge(w)}"))).alias(f"{name}{k}_{_edge(w)}")


def _days(edge: str) -> pl.Expr:
    days = pl.col("d_end") - pl.col(f"d_{edge}")
    if edge != "ever":
        days += (pl.col(f"straddle_{edge}") <= pl.col("end")).cast(pl.UInt32)
    return days.alias(f"d_{edge}")


def _sums(asked: Sequence[Feature]) -> Iterator[pl.Expr]:
    """Of pairs: what each window holds."""
    last_of_day = pl.col("next") > pl.col("end")
    for w in (*windows(asked), EVER):
        young = pl.lit(True) if w == EVER else pl.col("key") > pl.col("end") - w * DAY
        yield from (pl.when(young).then(pl.col(f"p{half}")).otherwise(0).sum().alias(f"p{half}_{_edge(w)}") for half in (0, 1))
        yield (young & last_of_day).sum().alias(f"d_{_edge(w)}")
        yield young.sum().alias(f"n_{_edge(w)}") if w != EVER else pl.len().alias("n_ever")
        if w == EVER or w in valued_windows(asked):
            for k in VALUED:
                yield pl.when(young & (pl.col("kind") == k)).then(pl.col("value")).sum().alias(f"s{k}_{_edge(w)}")
                yield (young & (pl.col("kind") == k) & pl.col("value").is_not_null()).sum().alias(f"v{k}_{_edge(w)}")
    for k in CODES:
        key = pl.when(pl.col("kind") == k).then(pl.col("key"))
        yield key.max().alias(f"last{k}")
        yield key.min().alias(f"first{k}")


def _edge(window: int) -> str:
    return "ever" if window == EVER else f"{window}"


def _unpacked(asked: Sequence[Feature]) -> Iterator[pl.Expr]:
    """Counts out of their packed sums, and nothing for landmarks without an event."""
    for w in (*windows(asked), EVER):
        for k in CODES:
            packed = pl.col(f"p{k // 4}_{_edge(w)}").fill_null(0)
            yield (packed // FIELD ** (k % 4) % FIELD).cast(pl.Int32).alias(f"c{k}_{_edge(w)}")
        yield from (pl.col(f"{total}_{_edge(w)}").fill_null(0) for total in "dn")
        if w == EVER or w in valued_windows(asked):
            yield from (pl.col(f"{total}{k}_{_edge(w)}").fill_null(0) for k in VALUED for total in "sv")


def _answers(held: pl.LazyFrame, asked: Sequence[Feature]) -> pl.LazyFrame:
    """The features from what each window holds: c (count), s (sum of values) and v (how many values) of each type, d (days); `last` and `first` are
    keys of events, null for none."""
    counts = [_count(slot, w) for slot in OF for w in (*windows(asked), EVER)]
    last = [pl.max_horizontal(f"last{k}" for k in codes).alias(f"last_{slot}") for slot, codes in OF.items()]
    first = [pl.min_horizontal(f"first{k}" for k in codes).alias(f"first_{slot}") for slot, codes in OF.items()]
    totals = [pl.col(f"{total}{k}_{_edge(w)}") for k in VALUED for total in "sv" for w in (*valued_windows(asked), EVER)]
    days = [pl.col(f"d_{_edge(w)}") for w in (*windows(asked), EVER)]
    known = held.select("end", "tenure", *counts, *last, *first, *totals, *days)
    return known.select(FEATURES[f.op](f).cast(pl.Float32).alias(f.name) for f in asked)


def _count(slot: str, window: int) -> pl.Expr:
    codes = OF[slot]
    held = pl.col(f"n_{_edge(window)}") if slot == "all" else pl.sum_horizontal(f"c{k}_{_edge(window)}" for k in codes)
    return held.alias(f"n_{slot}_{_edge(window)}")


def _n(slot: str | int, window: int | str) -> pl.Expr:
    return pl.col(f"n_{slot}_{_edge(int(window))}")


def _share(f: Feature) -> pl.Expr:
    return pl.when(_n(f.other, f.window) > 0).then(_n(f.slot, f.window) / _n(f.other, f.window))


def _trend(f: Feature) -> pl.Expr:
    return ((_n(f.slot, f.window) + 0.5) / (_n(f.slot, f.other) * (f.window / float(f.other)) + 0.5)).log()


def _value_mean(f: Feature) -> pl.Expr:
    of = pl.col(f"v{NAMES.index(f.slot)}_{_edge(f.window)}")
    return pl.when(of > 0).then(pl.col(f"s{NAMES.index(f.slot)}_{_edge(f.window)}") / 1e6 / of)


def _touched(end: str, slot: str) -> pl.Expr:
    return pl.when(pl.col(f"{end}_all").is_not_null()).then(pl.col(f"{end}_all").eq_missing(pl.col(f"{end}_{slot}")))


FEATURES: dict[str, Callable[[Feature], pl.Expr]] = {
    "count": lambda f: _n(f.slot, f.window),
    "recency": lambda f: (pl.col("end") - pl.col(f"last_{f.slot}")) / DAY,
    "since_first": lambda f: (pl.col("end") - pl.col(f"first_{f.slot}")) / DAY,
    "active_days": lambda f: pl.col(f"d_{_edge(f.window)}"),
    "trend": _trend,
    "share": _share,
    "value_sum": lambda f: pl.col(f"s{NAMES.index(f.slot)}_{_edge(f.window)}") / 1e6,
    "value_mean": _value_mean,
    "first_is": lambda f: _touched("first", f.slot),
    "last_is": lambda f: _touched("last", f.slot),
    "tenure": lambda _: pl.col("tenure"),
}

FORMULATIONS = {
    "running totals, binary search": searched,
    "running totals, as-of joins": joined,
    "events and edges in one sort": unioned,
    "conditional sums over pairs": conditional,
}
