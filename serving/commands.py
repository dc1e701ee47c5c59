"""`leadscore score`: the score file of a dataset."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from data.contract import DataError, format_instant, parse_instant
from data.dataset import Dataset
from data.flat import FlatColumns, read_to_score
from data.funnel import Funnel, load_funnel
from data.home import NO_ROOM, clock
from data.mapping import DatasetMapping, load_mapping
from data.partitions import NoLeads, Partitions, partitions_of
from data.store import open_store
from data.telling import telling
from data.validation import InvalidDataset
from data.workers import Each, in_processes, workers_here
from features.tables import cohort_of
from registry.bundle import FLAT_PATH, Bundle
from serving.batch import schema_of, score_cohort
from serving.score_files import FORMATS, merged, write_scores
from serving.scorer import Scorer
from serving.scoring_progress import Steps, steps
from serving.scoring_run import PartitionTask, Workplace, score_partition, workplace

_MUCH_LARGER = 8


def score(
    dataset: str,
    config: str | None,
    mapping: str | None,
    out: str,
    as_of: str | None,
    version: str | None,
    cluster: str | None = None,
) -> int:
    """Scores every lead open at as_of with a version (default: the champion) and writes `out`. A folder of tables is scored partition by partition,
    on the cores of this machine or by the workers of a Dask cluster; ended halfway, the same command goes on where it was."""
    _check_target(out)
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    policy = load_funnel(Path(config) if config else None)
    scorer = _scorer(version, policy)
    if scorer.bundle.path == FLAT_PATH:
        return _score_flat_file(scorer, dataset, mapping, out, as_of, cluster, console)
    _require_folder(scorer, dataset)
    at, known = _instant(as_of), load_mapping(mapping) if mapping else None
    with _workplace(out) as place, steps(console) as tell, _each(cluster, place) as each:
        done = score_folder(scorer, policy, Path(dataset), known, Path(out), at, place, each, tell)
    for warning in done.warnings:
        console.print(f"warning: {warning}", markup=False)
    console.print(f"{done.rows:,} open leads at {format_instant(done.as_of)}, scored by version {scorer.version}: {out}", markup=False)
    return 0


class Scored(NamedTuple):
    """What there is to tell of a score file: its rows, the instant of knowledge (micros), and warnings in words."""

    rows: int
    as_of: int
    warnings: list[str]


def score_folder(
    scorer: Scorer,
    policy: Funnel,
    dataset: Path,
    mapping: DatasetMapping | None,
    out: Path,
    as_of: int | None,
    place: Workplace,
    each: Each,
    tell: Steps,
    count: int | None = None,
) -> Scored:
    """Scores a folder of tables in `count` partitions (default: as its size asks for), run by `each`; what is done stays at `place` until `out` is
    written, whole. `as_of` (micros) is by default the end of the data."""
    try:
        parts = partitions_of(dataset, mapping, scorer.funnel, place.data, count, each=each, share=tell.reading)
    except NoLeads:
        raise NoLeads(_nothing_to_score(dataset)) from None
    end = _data_end(scorer, parts.data_end)
    at = end if as_of is None else as_of
    tasks = place.tasks(parts, scorer.bundle.to_bytes(), policy, scorer.version, at)
    rows = _scores(tasks, parts, place, each, tell)
    write_scores(tell.counted(merged([Path(task.out) for task in tasks]), rows), schema_of(scorer), str(out))
    warnings = [finding.text() for finding in parts.report.warnings]
    if parts.largest * len(parts.leads) > _MUCH_LARGER * sum(parts.leads):
        warnings.append(
            f"{parts.largest:,} leads and accounts belong together, through accounts that leads share or moved between: one partition holds them all."
        )
    if at > end:
        warnings.append(f"as_of {format_instant(at)} is later than the end of the data ({format_instant(end)}): what happened since is not known.")
    return Scored(rows, at, warnings)


@contextmanager
def _workplace(out: str) -> Iterator[Workplace]:
    """What can't be written there is told as such; what is done stays, for the same command to go on with."""
    kept = False
    try:
        with workplace(Path(out)) as place:
            try:
                yield place
            except BaseException as error:
                kept = place.begun and not isinstance(error, InvalidDataset | NoLeads)
                if not kept:
                    place.clear()
                raise
            place.clear()
    except OSError as error:
        if not _is_about(error, Path(out).absolute()):
            raise
        why = error.strerror or str(error)
        raise DataError(
            f"--out must name a file that can be written, with room beside it for the work; {out} can't be: {why}. Name another, or make room."
            f"{' What is done is kept: the same command goes on with it.' * kept}"
        ) from None


def _is_about(error: OSError, out: Path) -> bool:
    """Whether it is the output, a folder above it, or what lies beside it for the work that can't be used."""
    beside = str(out.with_name(f".{out.name}."))
    if not isinstance(error.filename, str):  # one of Arrow, or of a file that is open
        return error.errno in NO_ROOM or beside in str(error)
    named = Path(error.filename).absolute()
    return named == out or named in out.parents or str(named).startswith(beside)


@contextmanager
def _each(cluster: str | None, place: Workplace) -> Iterator[Each]:
    """What runs the partitions' tasks: the cores of this machine, or the workers of a cluster."""
    if cluster is None:
        with in_processes(workers_here()) as each:
            yield each
        return
    from data.cluster import connected

    with connected(cluster, place.folder) as found:
        yield found.each


def _scores(tasks: list[PartitionTask], parts: Partitions, place: Workplace, each: Each, tell: Steps) -> int:
    """Every partition's scores; how many rows they have."""
    left = place.left(tasks)
    if len(left) < len(tasks):
        tell.say(f"going on where a run before this one ended: {len(tasks) - len(left):,} of {len(tasks):,} partitions are scored")
    total = sum(parts.leads) or 1
    done = total - sum(parts.leads[task.part] for task in left)
    tell.scoring(done / total)
    for part in each(score_partition, left):
        done += parts.leads[part.part]
        tell.scoring(done / total)
    return sum(score_partition(task).rows for task in tasks)


def _require_folder(scorer: Scorer, dataset: str) -> None:
    if Path(dataset).is_file():
        raise DataError(
            f"version {scorer.version} was trained on a folder of tables and knows what leads did, and when; {dataset} is one flat file. Give a "
            "folder, or a version that was trained on a flat file (`leadscore models` lists them) with --version."
        )


def _score_flat_file(scorer: Scorer, dataset: str, mapping: str | None, out: str, as_of: str | None, cluster: str | None, console: Console) -> int:
    """A flat file is as large as its rows' attributes alone: it is scored at once."""
    with telling() as tell:
        found = _flat_file(scorer, dataset, mapping, as_of, cluster, tell)
        tell("scoring")
        table = score_cohort(scorer, cohort_of(found.dataset, scorer.bundle.schema), found.known_at, found.as_of)
    for warning in found.warnings:
        console.print(f"warning: {warning}", markup=False)
    try:
        write_scores([table], table.schema, out)
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


def _flat_file(scorer: Scorer, dataset: str, mapping: str | None, as_of: str | None, cluster: str | None, tell: Callable[[str], None]) -> _Found:
    """The rows of a flat file: all of them, since nothing says which lead is still open. What it says counts as known now."""
    options = (("--mapping", mapping, "it needs none"), ("--as-of", as_of, "it has no times"), ("--cluster", cluster, "it is scored at once"))
    for option, value, why in options:
        if value is not None:
            raise DataError(f"version {scorer.version} was trained on a flat file, and {option} does not go with one: {why}. Leave it out.")
    if Path(dataset).is_dir():
        raise DataError(
            f"version {scorer.version} was trained on a flat file, one row per lead; {dataset} is a folder of tables. Give a file with the same "
            "columns, or a version that was trained on a folder (`leadscore models` lists them) with --version."
        )
    now = clock()
    read, report = read_to_score(dataset, FlatColumns(**scorer.bundle.about["flat"]), scorer.funnel, tell, now)
    if not read.leads.num_rows:
        raise DataError(_nothing_to_score(dataset))
    return _Found(read, 0, now, "leads of a flat file", [*(finding.text() for finding in report.warnings), *_not_there(scorer, read, dataset)])


def _not_there(scorer: Scorer, read: Dataset, dataset: str) -> list[str]:
    """The columns that the model uses and the file lacks, in words. DataError where it lacks all of them."""
    used = list(dict.fromkeys(attribute.inputs[0].removeprefix("lead.") for attribute in scorer.bundle.schema.attributes))
    lacking = [name for name in used if name not in read.leads.column_names or read.leads[name].null_count == read.leads.num_rows]
    several = f"{', '.join(lacking[:8])}{', ...' if len(lacking) > 8 else ''}"
    if used and len(lacking) == len(used):
        raise DataError(f"{dataset} has none of the columns that version {scorer.version} uses ({several}), or they are empty. Is it the right file?")
    return [f"columns that the model uses and that are not there, or empty: {several}. They count as not known."] if lacking else []


def _nothing_to_score(dataset: str | Path) -> str:
    return f"{dataset} holds no lead, so there is nothing to score: leads has a header and no row. Export it again."


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


def _data_end(scorer: Scorer, found: int) -> int:
    return found if scorer.funnel.data_end is None else parse_instant(scorer.funnel.data_end)


def _instant(as_of: str | None) -> int | None:
    """Before the work, not after it."""
    if as_of is None:
        return None
    at = parse_instant(as_of)
    if at > clock():
        raise DataError(f"--as-of must not be later than now ({format_instant(clock())}); got {format_instant(at)}. Nothing can be known then.")
    return at
