"""`leadscore sample`: the world's tables and its truth, as files."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from data.contract import DAY, DataError, format_instant
from data.sample import tables
from data.sample.parameters import CUSTOMER, END, OPPORTUNITY, PROSPECT
from data.sample.world import TRANSITIONS, Moment, simulate

TRUTH_WEEKS_BACK = (12, 8, 4, 0)
MOST_LEADS = 1_000_000

_ABOUT = """A sample CRM, made up by `leadscore sample`: {leads} leads over two years up to {end}, seed {seed}. No person or company in it is real.

leads, accounts, events, stages, deals, changes: a dataset for `leadscore validate`, `train` and `score`.
truth/probabilities.csv: the exact chance of each open lead's next transition within a horizon, given all that is recorded at as_of.
truth/reach.csv: for who stands in `lead`, the chance of becoming a prospect within the first horizon
and then an opportunity within the second one, counted from that moment.

Behind it each lead has an intent that nobody sees and that changes from day to day; events are more frequent and stages move faster when
it is high. The truth comes from a Bayes filter over it. `onboarding_package` gives the outcome away (it is filled in once a deal is on), `crm_row`,
`newsletter`, `technology` and `interest_area` say nothing. Nothing but tests and notebooks should read the truth.
"""


@dataclass(frozen=True)
class SampleSummary:
    """What was written. `data_end` is in micros; the other counts are rows or leads that ever got so far."""

    path: Path
    leads: int
    seed: int
    data_end: int
    accounts: int
    events: int
    prospects: int
    opportunities: int
    customers: int
    truths: int


def write_sample(
    out: Path, leads: int = 12_000, seed: int = 0, on_progress: Callable[[str, float], None] | None = None, end: int = END
) -> SampleSummary:
    """Write a sample dataset with its truth into the folder `out`, made if missing; the same seed and end give the same bytes.

    `end` is the midnight, micros UTC, that the world has been recorded up to. `on_progress` hears what is being done and the share done, 0 to 1.
    Raises DataError where the numbers make no sense or `out` is in use.
    """
    if not 1 <= leads <= MOST_LEADS:
        raise DataError(f"--leads must be between 1 and {MOST_LEADS:,}, got {leads:,}. Choose a number in that range.")
    if not 0 <= seed < 2**31:
        raise DataError(f"--seed must be a whole number between 0 and {2**31 - 1:,}, got {seed}. Choose one in that range.")
    tell = on_progress or (lambda _doing, _share: None)
    tell("simulating", 0.0)
    world = simulate(leads, seed, end)
    _claim(out)
    rows = {}
    makers = (tables.leads_table, tables.accounts_table, tables.stages_table, tables.deals_table, tables.changes_table, tables.events_table)
    for step, make in enumerate(makers):
        name = make.__name__.removesuffix("_table")
        tell(f"writing {name}", 0.2 + 0.08 * step)
        rows[name] = _write(out / f"{name}.csv", [make(world)])
    (out / "truth" / "README.txt").write_text(_ABOUT.format(leads=leads, end=format_instant(end), seed=seed), encoding="utf-8")
    tell("computing the truth", 0.7)
    moments = world.at(*(end - weeks * 7 * DAY for weeks in TRUTH_WEEKS_BACK))
    names = tables.lead_ids(leads)
    truths = _write(out / "truth" / "probabilities.csv", (_probabilities(moment, names) for moment in moments))
    tell("computing the truth", 0.85)
    _write(out / "truth" / "reach.csv", (_reaches(moment, names) for moment in moments))
    tell("done", 1.0)
    lead, _, after = tables.changes_of(world)
    prospects, opportunities, customers = (
        len(np.unique(lead[(after >= stage) & (after <= CUSTOMER)])) for stage in (PROSPECT, OPPORTUNITY, CUSTOMER)
    )
    return SampleSummary(out, leads, seed, end, rows["accounts"], rows["events"], prospects, opportunities, customers, truths)


def _claim(out: Path) -> None:
    """Make the folders. A file in the way, or a folder with other things in it, is refused: nothing of the user's is overwritten."""
    try:
        strangers = sorted(path.name for path in out.iterdir()) if out.exists() else []
        if strangers and not _is_sample(out):
            raise DataError(f"{out} must be a new or empty folder, or an earlier sample; it holds {', '.join(strangers[:5])}. Choose another one.")
        (out / "truth").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{out} must be a folder that can be written to: {error.strerror}. Choose another one.") from error


def _is_sample(out: Path) -> bool:
    about = out / "truth" / "README.txt"
    return about.is_file() and "`leadscore sample`" in about.read_text(encoding="utf-8", errors="replace")


def _write(path: Path, parts: Iterable[pa.Table]) -> int:
    """Write the parts one after the other; returns the number of rows."""
    rows, writer = 0, None
    for part in parts:
        writer = writer or pa.csv.CSVWriter(path, part.schema, write_options=pa.csv.WriteOptions(quoting_style="needed"))
        writer.write_table(part)
        rows += part.num_rows
    if writer is not None:
        writer.close()
    return rows


def _probabilities(moment: Moment, names: pa.StringArray) -> pa.Table:
    truth = moment.truth()
    count = len(truth.horizon_days)
    return pa.table(
        {
            "lead_id": names.take(np.repeat(truth.lead, count)),
            "as_of": pa.repeat(format_instant(moment.as_of), truth.probability.size),
            "transition": pa.array(TRANSITIONS).take(np.repeat(truth.transition, count)),
            "horizon_days": pa.array(np.tile(truth.horizon_days, len(truth.lead))),
            "probability": pa.array(truth.probability.ravel()),
        }
    )


def _reaches(moment: Moment, names: pa.StringArray) -> pa.Table:
    reach = moment.reach()
    first, second = np.meshgrid(reach.prospect_horizon_days, reach.opportunity_horizon_days, indexing="ij")
    return pa.table(
        {
            "lead_id": names.take(np.repeat(reach.lead, first.size)),
            "as_of": pa.repeat(format_instant(moment.as_of), reach.probability.size),
            "prospect_horizon_days": pa.array(np.tile(first.ravel(), len(reach.lead))),
            "opportunity_horizon_days": pa.array(np.tile(second.ravel(), len(reach.lead))),
            "probability": pa.array(reach.probability.ravel()),
        }
    )
