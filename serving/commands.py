"""`leadscore score`: the score file of a dataset."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, TaskID

from data.contract import DataError, format_instant, parse_instant
from data.dataset import Dataset, read_dataset
from data.flat import FlatColumns, read_to_score
from data.funnel import Funnel, load_funnel
from data.home import clock
from data.mapping import load_mapping
from data.store import open_store
from features.tables import cohort_of
from registry.bundle import FLAT_PATH, Bundle
from serving.batch import score_cohort, write_scores
from serving.scorer import Scorer

FORMATS = (".csv", ".parquet")


def score(dataset: str, config: str | None, mapping: str | None, out: str, as_of: str | None, version: str | None) -> int:
    """Scores every lead open at as_of with a version (default: the champion) and writes `out`."""
    _check_target(out)
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    policy = load_funnel(Path(config) if config else None)
    scorer = _scorer(version, policy)
    with Progress(console=console, transient=True) as progress:
        reading = progress.add_task("reading", total=None)
        found = _found(scorer, dataset, mapping, as_of, lambda what: progress.update(reading, description=what))
        progress.update(reading, description="computing histories")
        cohort = cohort_of(found.dataset, scorer.bundle.schema)
        task = progress.add_task("scoring", total=None)
        tell = partial(_tell, progress, task)
        table = score_cohort(scorer, cohort, found.known_at, tell, found.as_of, found.dataset.deals)
    for warning in found.warnings:
        console.print(f"warning: {warning}", markup=False)
    try:
        write_scores(table, out)
    except OSError as error:
        raise _unwritable(out, error.strerror or str(error)) from None
    console.print(f"{table.num_rows:,} {found.told}, scored by version {scorer.version}: {out}", markup=False)
    return 0


@dataclass(frozen=True)
class _Found:
    """What is to be scored: the leads, the instant of knowledge in their histories and the one that is written (micros), and what people are told."""

    dataset: Dataset
    known_at: int
    as_of: int
    told: str
    warnings: list[str]


def _found(scorer: Scorer, dataset: str, mapping: str | None, as_of: str | None, tell: Callable[[str], None]) -> _Found:
    if scorer.bundle.path == FLAT_PATH:
        return _flat_file(scorer, dataset, mapping, as_of, tell)
    known = load_mapping(mapping) if mapping else None
    if Path(dataset).is_file():
        raise DataError(
            f"version {scorer.version} was trained on a folder of tables and knows what leads did, and when; {dataset} is one flat file. Give a "
            "folder, or a version that was trained on a flat file (`leadscore models` lists them) with --version."
        )
    read, report = read_dataset(dataset, funnel=scorer.funnel, mapping=known, on_progress=tell)
    _require_leads(read, dataset)
    at, end = _instant(as_of, read, scorer), _data_end(scorer, read)
    warnings = [finding.text() for finding in report.warnings]
    if at > end:
        warnings.append(f"as_of {format_instant(at)} is later than the end of the data ({format_instant(end)}): what happened since is not known.")
    return _Found(read, at, at, f"open leads at {format_instant(at)}", warnings)


def _flat_file(scorer: Scorer, dataset: str, mapping: str | None, as_of: str | None, tell: Callable[[str], None]) -> _Found:
    """The rows of a flat file: all of them, since nothing says which lead is still open. What it says counts as known now."""
    for option, value, why in (("--mapping", mapping, "it needs none"), ("--as-of", as_of, "it has no times")):
        if value is not None:
            raise DataError(f"version {scorer.version} was trained on a flat file, and {option} does not go with one: {why}. Leave it out.")
    if Path(dataset).is_dir():
        raise DataError(
            f"version {scorer.version} was trained on a flat file, one row per lead; {dataset} is a folder of tables. Give a file with the same "
            "columns, or a version that was trained on a folder (`leadscore models` lists them) with --version."
        )
    now = clock()
    read, report = read_to_score(dataset, FlatColumns(**scorer.bundle.about["flat"]), scorer.funnel, tell, now)
    _require_leads(read, dataset)
    return _Found(read, 0, now, "leads of a flat file", [*(finding.text() for finding in report.warnings), *_not_there(scorer, read, dataset)])


def _not_there(scorer: Scorer, read: Dataset, dataset: str) -> list[str]:
    """The columns that the model uses and the file lacks, in words. DataError where it lacks all of them."""
    used = list(dict.fromkeys(attribute.inputs[0].removeprefix("lead.") for attribute in scorer.bundle.schema.attributes))
    lacking = [name for name in used if name not in read.leads.column_names or read.leads[name].null_count == read.leads.num_rows]
    several = f"{', '.join(lacking[:8])}{', ...' if len(lacking) > 8 else ''}"
    if used and len(lacking) == len(used):
        raise DataError(f"{dataset} has none of the columns that version {scorer.version} uses ({several}), or they are empty. Is it the right file?")
    return [f"columns that the model uses and that are not there, or empty: {several}. They count as not known."] if lacking else []


def _require_leads(read: Dataset, dataset: str) -> None:
    if not read.leads.num_rows:
        raise DataError(f"{dataset} holds no lead, so there is nothing to score: leads has a header and no row. Export it again.")


def _tell(progress: Progress, task: TaskID, done: int, all_: int) -> None:
    progress.update(task, completed=done, total=all_)


def _check_target(out: str) -> None:
    """Before the work, not after it."""
    path = Path(out)
    if path.suffix not in FORMATS:
        raise DataError(f"--out must end in {' or '.join(FORMATS)}; got {out}. Name it accordingly.")
    if path.is_dir():
        raise _unwritable(out, "it is a folder")
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir():
        raise _unwritable(out, f"{above} is not a folder")


def _unwritable(out: str, why: str) -> DataError:
    return DataError(f"--out must name a file that can be written; {out} can't be: {why}. Name another.")


def _scorer(version: str | None, policy: Funnel) -> Scorer:
    found = bundle_of(version)
    if found is None:
        raise DataError("no champion yet: nothing has been trained and promoted. Run `leadscore train DATASET` first.")
    return Scorer.of(*found, policy)


def bundle_of(version: str | None) -> tuple[Bundle, str] | None:
    """(bundle, version) of a version, by default of the champion: None where there is none yet. DataError for a version that is nowhere."""
    with open_store() as store:
        champion = store.champion()
        wanted = version or (champion and champion[0])
        if wanted is None:
            return None
        content = store.bundle(wanted) if wanted in store.versions() else None
    if content is None:
        from registry.tracking import bundle_bytes  # a version that was never promoted is only in the registry

        content = bundle_bytes(wanted)
    return Bundle.from_bytes(content), wanted


def _data_end(scorer: Scorer, dataset: Dataset) -> int:
    if scorer.funnel.data_end is not None:
        return parse_instant(scorer.funnel.data_end)
    return dataset.data_end


def _instant(as_of: str | None, dataset: Dataset, scorer: Scorer) -> int:
    if as_of is None:
        return _data_end(scorer, dataset)
    at = parse_instant(as_of)
    if at > clock():
        raise DataError(f"--as-of must not be later than now ({format_instant(clock())}); got {format_instant(at)}. Nothing can be known then.")
    return at
