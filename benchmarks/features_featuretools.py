"""The question in featuretools, as far as it can be put: counts of each type in each window, and days since its latest and first event.

    PYTHON benchmarks/features_featuretools.py FOLDER

with a Python that has featuretools (in an environment of its own: it asks for pandas below 2.2 and numpy below 2), reads the world in FOLDER, as
`features_world` saves it, and prints seconds, columns, and whether the counts of all events ever are right.
"""

import sys
import time
from pathlib import Path

import featuretools as ft
import numpy as np
import pandas as pd

WINDOWS = (1, 3, 7, 14, 30, 90, None)


def main(folder: Path) -> None:
    lead, kind, at, spine_lead, as_of = (np.load(folder / f"{name}.npy") for name in ("lead", "kind", "time", "spine_lead", "spine_as_of"))
    events = pd.DataFrame({"event": np.arange(lead.size), "lead": lead, "kind": kind.astype(str), "time": pd.to_datetime(at, unit="us")})
    spine = pd.DataFrame({"lead": spine_lead, "time": pd.to_datetime(as_of, unit="us")})
    known = ft.EntitySet("world")
    known.add_dataframe(dataframe_name="leads", dataframe=pd.DataFrame({"lead": np.unique(spine_lead)}), index="lead")
    known.add_dataframe(dataframe_name="events", dataframe=events, index="event", time_index="time", logical_types={"kind": "Categorical"})
    known.add_relationship("leads", "lead", "events", "lead")
    known.add_interesting_values(dataframe_name="events", values={"kind": sorted(set(events["kind"]))})
    began = time.perf_counter()
    answers = [_answer(known, spine, window) for window in WINDOWS]
    seconds = time.perf_counter() - began
    columns = sum(answer.shape[1] for answer in answers)
    truth = [int(((lead == one) & (at <= moment)).sum()) for one, moment in zip(spine_lead, as_of, strict=True)]
    right = answers[-1].reset_index().merge(spine, on=["lead", "time"])["COUNT(events)"].sum() == sum(truth)
    print(f"featuretools {ft.__version__}: {lead.size:,} events, {columns} columns: {seconds:.1f} s; right: {right}")


def _answer(known: ft.EntitySet, spine: pd.DataFrame, window: int | None) -> pd.DataFrame:
    """One window of (as_of - window, as_of]; everything so far also has recency and first touch."""
    made = ["count"] if window else ["count", "time_since_last", "time_since_first"]
    answer, _ = ft.dfs(
        entityset=known, target_dataframe_name="leads", agg_primitives=made, where_primitives=made, trans_primitives=[], max_depth=1,
        cutoff_time=spine, cutoff_time_in_index=True, include_cutoff_time=True, training_window=f"{window} days" if window else None,
    )  # fmt: skip
    return answer


if __name__ == "__main__":
    main(Path(sys.argv[1]))
