"""`leadscore score`: the score file of a dataset."""

from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from data.contract import DataError, format_instant, parse_instant
from data.dataset import Dataset, read_dataset
from data.funnel import Funnel, load_funnel
from data.home import clock
from data.mapping import load_mapping
from data.store import open_store
from features.tables import cohort_of
from registry.bundle import Bundle
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
        known = load_mapping(mapping) if mapping else None
        read, report = read_dataset(dataset, funnel=scorer.funnel, mapping=known, on_progress=lambda what: progress.update(reading, description=what))
        if not read.leads.num_rows:
            raise DataError(f"{dataset} holds no lead, so there is nothing to score: leads has a header and no row. Export it again.")
        at, end = _instant(as_of, read, scorer), _data_end(scorer, read)
        progress.update(reading, description="computing histories")
        cohort = cohort_of(read, scorer.bundle.schema)
        task = progress.add_task("scoring", total=None)
        table = score_cohort(scorer, cohort, at, lambda done, all_: progress.update(task, completed=done, total=all_))
    for finding in report.warnings:
        console.print(f"warning: {finding.text()}", markup=False)
    if at > end:
        console.print(
            f"warning: as_of {format_instant(at)} is later than the end of the data ({format_instant(end)}): what happened since is not known."
        )
    try:
        write_scores(table, out)
    except OSError as error:
        raise _unwritable(out, error.strerror or str(error)) from None
    console.print(f"{table.num_rows:,} open leads at {format_instant(at)}, scored by version {scorer.version}: {out}", markup=False)
    return 0


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
    with open_store() as store:
        if version is None:
            champion = store.champion()
            if champion is None:
                raise DataError("no champion yet: nothing has been trained and promoted. Run `leadscore train DATASET` first.")
            version = champion[0]
        content = store.bundle(version) if version in store.versions() else None
    if content is None:
        from registry.tracking import bundle_bytes  # a version that was never promoted is only in the registry

        content = bundle_bytes(version)
    return Scorer.of(Bundle.from_bytes(content), version, policy)


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
