"""`leadscore sample`, `validate`, `train` and `demo`: what a person sees while it runs."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from data.contract import DAY, DataError
from data.dataset import Dataset, read_dataset
from data.flat import FlatColumns, check_flat, read_flat
from data.funnel import Funnel, load_funnel
from data.home import clock, leadscore_home
from data.mapping import load_mapping
from data.sample import write_sample
from data.sample.parameters import END
from data.store import open_store
from data.telling import telling
from data.validation import InvalidDataset, Report
from training.flat import train_flat
from training.matrix import RowsOf, rows_of
from training.reading import learnable, nothing_to_learn_from
from training.run import Tell, Trained
from training.run import train as train_bundle
from training.story import tell_result
from training.tuning import NO_TUNING, Tuning


def _say(text: str) -> None:
    """A line for people: on standard error, as it is, wrapped by nobody."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def sample(out: str, leads: int, seed: int, end: int = END) -> int:
    """Writes a sample world that ends at the midnight `end` (micros UTC), and says what is in it."""
    with telling() as tell:
        made = write_sample(Path(out), leads, seed, lambda what, _: tell(what), end)
    _say(
        f"{made.leads:,} leads of {made.accounts:,} accounts with {made.events:,} events in {made.path}: {made.prospects:,} became prospects, "
        f"{made.opportunities:,} opportunities, {made.customers:,} customers. The truth is in {made.path / 'truth'}."
    )
    return 0


def validate(dataset: str, config: str | None, mapping: str | None, json: str | None) -> int:
    """Prints every broken rule; 1 if one of them stops. Of a flat file also which columns could be its outcome."""
    _check_writable(json)
    said = ""
    try:
        with telling() as tell:
            if Path(dataset).is_file():
                _no_mapping(mapping)
                found, report = check_flat(dataset, _funnel(config), tell, clock())
                said = f"{_could_be(found)}\n"
            else:
                told = load_mapping(mapping) if mapping else None
                _, report = read_dataset(dataset, funnel=_funnel(config), mapping=told, on_progress=tell)
    except InvalidDataset as error:
        report = error.report
    (sys.stderr if json == "-" else sys.stdout).write(f"{report.text()}\n{said}")
    _write_json(json, report.to_json())
    return 0 if report.ok else 1


def flat_columns(outcome: str | None, id_: str | None, group: str | None, ordered: bool) -> FlatColumns | None:
    """What --outcome and its companions say of a flat file; None where a folder of tables is meant. DataError for a companion alone."""
    if outcome is not None:
        return FlatColumns(outcome, id_, group, ordered)
    given = [name for name, value in (("--id", id_), ("--group", group), ("--ordered", ordered)) if value]
    if given:
        raise DataError(f"{given[0]} is for a flat file, and goes with --outcome COLUMN, which says how each lead ended. Name that column, too.")
    return None


def train(
    dataset: str,
    config: str | None,
    mapping: str | None,
    promote: str,
    seed: int,
    json: str | None,
    flat: FlatColumns | None = None,
    tuning: Tuning = NO_TUNING,
    cluster: str | None = None,
) -> int:
    """Trains, records, decides on promotion, and tells the story. `flat`: the dataset is one file, and these are its columns; `cluster`: the address
    of a Dask scheduler whose workers see LEADSCORE_HOME."""
    _check_writable(json)
    try:
        with telling() as tell:
            version, decision, promoted, trained, report = _train(dataset, config, mapping, promote, seed, tell, flat, tuning, cluster)
    except KeyboardInterrupt:
        raise DataError("stopped before it was done: nothing was promoted, and what served before still serves.") from None
    for warning in report.warnings:
        _say(f"warning: {warning.text()}")
    tell_result(Console(file=sys.stderr if json == "-" else None), version, decision, promoted, trained)
    _write_json(json, {"version": version, "promoted": promoted, "decision": list(decision)} | trained.report)
    return 0


def _train(
    dataset: str,
    config: str | None,
    mapping: str | None,
    promote: str,
    seed: int,
    tell: Tell,
    flat: FlatColumns | None,
    tuning: Tuning,
    cluster: str | None,
) -> tuple[str, tuple[str, ...], bool, Trained, Report]:
    funnel = _funnel(config)
    open_store().close()  # a store that can't be reached is told before the work, not after it
    if flat is not None:
        _no_mapping(mapping)
        _no_cluster(cluster)
        file, report = read_flat(dataset, flat, funnel, tell, clock())
        _require_leads(dataset, file.dataset)
        return *settle(train_flat(file, funnel, clock(), seed, tell, tuning), None, funnel, promote, tell), report
    with learnable(dataset, load_mapping(mapping) if mapping else None, funnel, cluster, tell) as found:
        _require_leads(dataset, found.dataset)
        return *learn(found.dataset, funnel, promote, seed, tell, tuning=tuning, computed=found.computed), found.report


def _no_cluster(cluster: str | None) -> None:
    if cluster is not None:
        raise DataError("--cluster is for a folder of tables; a flat file has a row per lead and is learned from on one machine. Leave it out.")


def _no_mapping(mapping: str | None) -> None:
    if mapping is not None:
        raise DataError("--mapping is for a folder of tables; a flat file needs none: every column but --outcome, --id and --group is an attribute.")


def _require_leads(dataset: str, read: Dataset) -> None:
    if not read.leads.num_rows:
        raise DataError(nothing_to_learn_from(dataset))


def learn(
    read: Dataset,
    funnel: Funnel,
    promote: str,
    seed: int,
    tell: Tell,
    allowed: Callable[[], None] = lambda: None,
    tuning: Tuning = NO_TUNING,
    computed: RowsOf = rows_of,
) -> tuple[str, tuple[str, ...], bool, Trained]:
    """Train, record as a new version, decide, and promote where that is the decision: (version, the decision's reasons, whether it serves now, the
    rest). `promote` is auto, always or never; `allowed` is asked right before the promotion, and prevents it by raising."""
    return settle(train_bundle(read, funnel, clock(), seed, tell, tuning, computed), read, funnel, promote, tell, allowed)


def settle(
    trained: Trained, read: Dataset | None, funnel: Funnel, promote: str, tell: Tell, allowed: Callable[[], None] = lambda: None
) -> tuple[str, tuple[str, ...], bool, Trained]:
    """What comes after a training, of `learn`: `read` is what was trained on, None for a flat file."""
    tell("recording the run in MLflow")
    from registry import tracking  # mlflow takes seconds to import: only once there is something to record
    from training.figures import figures
    from training.promoting import carry_out, propose
    from training.report import report_html
    from training.report_files import write_report

    page = report_html(trained.bundle, trained.report, trained.forward, funnel.policy.capacity_per_day)
    version = tracking.log_training(trained.bundle, trained.report, trained.forward, figures(trained.bundle, trained.forward), page)
    write_report(version, page)
    with open_store() as store:
        proposal = propose(store, version, trained, read, funnel, promote, tell)
        allowed()
        carry_out(store, proposal, funnel)
    reported = replace(trained, report=trained.report | {"churn": proposal.churn})
    return version, proposal.decision.reasons, proposal.decision.promote, reported


def demo(leads: int, now: int) -> Path:
    """A sample world up to the last midnight before `now` (micros UTC), trained on and promoted: the folder that it is in."""
    folder = leadscore_home() / "demo"
    if not (folder / "truth" / "README.txt").exists():
        sample(str(folder), leads, 0, now - now % DAY)
    with open_store() as store:
        champion = store.champion()
    if champion is None:
        train(str(folder), None, None, "always", 0, None)
    else:
        _say(f"Version {champion[0]} is the champion already: nothing is trained. For a fresh demo name another folder in LEADSCORE_HOME.")
    return folder


def _could_be(found: Sequence[str]) -> str:
    """Which columns of a flat file could be its outcome, in words."""
    if not found:
        return "no column says yes or no of each lead: a flat file needs one to be learned from. As a file to be scored it needs none."
    return f"columns that say yes or no, one of which may be how each lead ended: {', '.join(found)}. Name it: leadscore train FILE --outcome COLUMN"


def _funnel(config: str | None) -> Funnel:
    return load_funnel(Path(config) if config else None)


def _check_writable(target: str | None) -> None:
    """Before the work, not after it: a folder that is missing, or a name that is one."""
    if target in (None, "-"):
        return
    path = Path(str(target))
    if path.is_dir() or not path.parent.is_dir():
        why = "it is a folder" if path.is_dir() else f"there is no folder {path.parent}"
        raise DataError(f"--json must name a file that can be written; {target} can't be: {why}. Name another.")


def _write_json(target: str | None, document: dict[str, Any]) -> None:
    if target is None:
        return
    text = orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
    if target == "-":
        sys.stdout.write(text)
        return
    try:
        Path(target).write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(f"--json must name a file that can be written; {target} can't be: {error.strerror}. Name another.") from None
