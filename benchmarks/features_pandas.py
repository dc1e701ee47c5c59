"""The question in pandas as most people would put it, with `merge_asof` of running totals: what its own documentation recommends for such joins."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from benchmarks.features_world import CODES, NAMES, OF, VALUED, World, valued_windows, windows
from data.contract import DAY
from features.declarations import EVER, Feature
from features.sweep import NO_VALUE


class Frames:
    """The world as pandas frames."""

    def __init__(self, world: World) -> None:
        columns = {"lead": world.lead, "kind": world.kind, "time": world.time, "value": world.value}
        self.events = pd.DataFrame(columns)
        self.spine = pd.DataFrame({"lead": world.spine_lead, "as_of": world.spine_as_of, "created": world.created[world.spine_lead]})


def joined(frames: Frames, asked: Sequence[Feature]) -> pd.DataFrame:
    """Running totals of each lead's events, merged as of each landmark and of each window's edge."""
    totals = _totals(frames)
    end = _as_of(frames.spine, totals, 0)
    held = {"as_of": frames.spine["as_of"], "tenure": (frames.spine["as_of"] - frames.spine["created"]) / DAY}
    for w in (*windows(asked), EVER):
        edge = None if w == EVER else _as_of(frames.spine, totals, w * DAY)
        for total in (*(f"c{k}" for k in CODES), "d", *(f"{t}{k}" for k in VALUED for t in "sv" if w == EVER or w in valued_windows(asked))):
            held[f"{total}_{w}"] = end[total].fillna(0) - (0 if edge is None else edge[total].fillna(0))
        if edge is not None:
            held[f"d_{w}"] += edge["straddle"] <= frames.spine["as_of"]
    firsts = frames.events.groupby(["lead", "kind"])["time"].min().unstack().reindex(columns=CODES).reindex(frames.spine["lead"])
    for k in CODES:
        first = firsts[k].reset_index(drop=True)
        held |= {f"last{k}": end[f"last{k}"], f"first{k}": first.where(first <= frames.spine["as_of"])}
    return _answer(held, asked)


def _totals(frames: Frames) -> pd.DataFrame:
    events = frames.events.sort_values(["lead", "time"], ignore_index=True)
    kind, value = events["kind"], events["value"].where(events["value"] != NO_VALUE)
    day, of = events["time"] // DAY, events["lead"]
    same = (day == day.shift(-1)) & (of == of.shift(-1))
    columns = {f"c{k}": kind == k for k in CODES} | {f"v{k}": (kind == k) & value.notna() for k in VALUED}
    columns |= {f"s{k}": value.where(kind == k, 0.0).fillna(0.0) for k in VALUED}
    columns |= {"d": ~((day == day.shift(1)) & (of == of.shift(1)))}
    totals = pd.DataFrame(columns).groupby(of).cumsum()
    lasts = pd.DataFrame({f"last{k}": events["time"].where(kind == k) for k in CODES}).groupby(of).ffill()
    straddle = events["time"].shift(-1).where(same)
    return pd.concat([events[["lead", "time"]], totals, lasts, straddle.rename("straddle")], axis=1).sort_values("time", ignore_index=True)


def _as_of(spine: pd.DataFrame, totals: pd.DataFrame, back: int) -> pd.DataFrame:
    """(rows, totals): what had been counted `back` microseconds before as_of, in the spine's order."""
    edges = pd.DataFrame({"lead": spine["lead"], "time": spine["as_of"] - back}).rename_axis("row").reset_index().sort_values("time")
    return pd.merge_asof(edges, totals, on="time", by="lead").sort_values("row", ignore_index=True)


def _answer(held: dict[str, pd.Series], asked: Sequence[Feature]) -> pd.DataFrame:
    last, first = ({slot: pd.concat([held[f"{end}{k}"] for k in codes], axis=1) for slot, codes in OF.items()} for end in ("last", "first"))
    held |= {f"last_{slot}": of.max(axis=1) for slot, of in last.items()} | {f"first_{slot}": of.min(axis=1) for slot, of in first.items()}
    held |= {f"n_{slot}_{w}": sum(held[f"c{k}_{w}"] for k in OF[slot]) for slot in OF for w in (*windows(asked), EVER)}
    return pd.DataFrame({f.name: FEATURES[f.op](held, f).astype(np.float32) for f in asked})


Held = dict[str, pd.Series]


def _share(h: Held, f: Feature) -> pd.Series:
    of = h[f"n_{f.other}_{f.window}"]
    return h[f"n_{f.slot}_{f.window}"] / of.where(of > 0)


def _trend(h: Held, f: Feature) -> pd.Series:
    return np.log((h[f"n_{f.slot}_{f.window}"] + 0.5) / (h[f"n_{f.slot}_{f.other}"] * (f.window / float(f.other)) + 0.5))


def _value_mean(h: Held, f: Feature) -> pd.Series:
    of = h[f"v{NAMES.index(f.slot)}_{f.window}"]
    return h[f"s{NAMES.index(f.slot)}_{f.window}"] / 1e6 / of.where(of > 0)


def _touched(h: Held, end: str, slot: str) -> pd.Series:
    return (h[f"{end}_all"] == h[f"{end}_{slot}"]).where(h[f"{end}_all"].notna())


FEATURES: dict[str, Callable[[Held, Feature], pd.Series]] = {
    "count": lambda h, f: h[f"n_{f.slot}_{f.window}"],
    "recency": lambda h, f: (h["as_of"] - h[f"last_{f.slot}"]) / DAY,
    "since_first": lambda h, f: (h["as_of"] - h[f"first_{f.slot}"]) / DAY,
    "active_days": lambda h, f: h[f"d_{f.window}"],
    "trend": _trend,
    "share": _share,
    "value_sum": lambda h, f: h[f"s{NAMES.index(f.slot)}_{f.window}"] / 1e6,
    "value_mean": _value_mean,
    "first_is": lambda h, f: _touched(h, "first", f.slot),
    "last_is": lambda h, f: _touched(h, "last", f.slot),
    "tenure": lambda h, _: h["tenure"],
}

FORMULATIONS = {"running totals, merge_asof": joined}
