"""Sample worlds with their truth, for benchmarks that judge chances against what could be known, and not against what chanced to happen."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from data.contract import format_instant
from data.dataset import Dataset, read_dataset
from data.funnel import Funnel
from data.sample import write_sample
from data.sample.parameters import END
from features.rows import Cohort, Rows, compute
from features.tables import cohort_of
from registry.bundle import Bundle, HopModel

TRANSITIONS = ("lead->prospect", "prospect->opportunity")
Floats = np.ndarray[tuple[int], np.dtype[np.float64]]


@dataclass(frozen=True)
class TrueWorld:
    """A sample world of so many leads: its dataset, the true chances of whoever is open at its end, and those of reaching an opportunity."""

    dataset: Dataset
    chances: pa.Table
    reaches: pa.Table

    @classmethod
    def made(cls, folder: Path, leads: int, seed: int) -> "TrueWorld":
        """Written to `folder`, which must be new, and read again."""
        write_sample(folder, leads, seed)
        chances, reaches = (_at_the_end(folder / "truth" / f"{name}.csv") for name in ("probabilities", "reach"))
        return cls(read_dataset(folder, funnel=Funnel())[0], chances, reaches)

    def open(self, transition: str, horizon_days: int) -> tuple[list[str], Floats]:
        """Ids of the leads that stand before the transition at the end, and their true chances (n,)."""
        wanted = pc.and_(pc.equal(self.chances["transition"], transition), pc.equal(self.chances["horizon_days"], horizon_days))
        rows = self.chances.filter(wanted)
        return rows["lead_id"].to_pylist(), rows["probability"].to_numpy()

    def reach(self, *horizon_days: int) -> tuple[list[str], Floats]:
        """Ids of the leads open at the end, and their true chances (n,) to become a prospect within the first horizon and from then an opportunity
        within the second; none of horizons that the truth is not written for."""
        names = ("prospect_horizon_days", "opportunity_horizon_days")
        wanted = pc.and_(*(pc.equal(self.reaches[name], days) for name, days in zip(names, horizon_days, strict=True)))
        rows = self.reaches.filter(wanted)
        return rows["lead_id"].to_pylist(), rows["probability"].to_numpy()


def _at_the_end(path: Path) -> pa.Table:
    table = pyarrow.csv.read_csv(path, convert_options=pyarrow.csv.ConvertOptions(column_types={"as_of": pa.string()}))
    return table.filter(pc.equal(table["as_of"], format_instant(END)))


def rows_at_the_end(bundle: Bundle, cohort: Cohort, lead_ids: list[str]) -> Rows:
    """What the bundle's features say of these leads at the end of the world, (n, p)."""
    place = {name: i for i, name in enumerate(cohort.lead_ids)}
    lead = np.array([place[name] for name in lead_ids], np.int64)
    return compute(bundle.schema, cohort, lead, np.full(lead.size, END, np.int64))


def answers(bundle: Bundle, world: TrueWorld) -> Iterator[tuple[str, HopModel, Rows, Floats]]:
    """(transition, its direct hop, rows of the open leads, their true chances) of each transition that the bundle knows."""
    cohort = cohort_of(world.dataset, bundle.schema)
    for transition in TRANSITIONS:
        hop = next(iter(bundle.hops_from(transition.split("->")[0])), None)
        if hop is None:
            continue
        lead_ids, truth = world.open(transition, hop.horizon_days)
        if lead_ids:
            yield transition, hop, rows_at_the_end(bundle, cohort, lead_ids), truth


def divergence(truth: Floats, said: Floats) -> float:
    """Mean KL(truth || said) of a yes or no, in nats a lead: 0 where all that can be known is known."""
    return float(np.mean(truth * np.log(truth / said) + (1 - truth) * np.log((1 - truth) / (1 - said))))


def information_captured(truth: Floats, said: Floats) -> float:
    """1 where what is said is the truth, 0 where it is worth no more than the base rate."""
    return 1 - divergence(truth, said) / divergence(truth, np.full(truth.size, truth.mean()))


def calibration_error(truth: Floats, said: Floats, bins: int = 10) -> float:
    """Mean distance of what is said from the truth in equally filled bins of what is said."""
    return float(np.mean([abs(truth[rows].mean() - said[rows].mean()) for rows in np.array_split(np.argsort(said, kind="stable"), bins)]))
