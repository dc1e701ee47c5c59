"""`leadscore sample`, `validate`, `train` and `demo`: what a person sees while it runs."""

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from data.contract import DataError
from data.dataset import Dataset, read_dataset
from data.funnel import Funnel, load_funnel
from data.home import clock, leadscore_home
from data.ingesting import ingest
from data.mapping import load_mapping
from data.sample import write_sample
from data.store import open_store
from data.telling import telling
from data.validation import InvalidDataset, Report
from training.run import Tell, Trained
from training.run import train as train_bundle
from training.story import tell_result

_ASKED = (
    '{"lead": {"lead_id": "L-1", "job_title": "Head of Purchasing", "country": "SE", "email": "eva@example.com"}, '
    '"account": {"industry": "manufacturing", "employees": "500-999"}, '
    '"events": [{"occurred_at": "2026-06-28T09:00:00Z", "type": "pricing_page_view"}, '
    '{"occurred_at": "2026-06-29T10:30:00Z", "type": "email_reply"}], '
    '"as_of": "2026-06-30T00:00:00Z"}'
)


def _say(text: str) -> None:
    """A line for people: on standard error, as it is, wrapped by nobody."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def sample(out: str, leads: int, seed: int) -> int:
    """Writes a sample world and says what is in it."""
    with telling() as tell:
        made = write_sample(Path(out), leads, seed, lambda what, _: tell(what))
    _say(
        f"{made.leads:,} leads of {made.accounts:,} accounts with {made.events:,} events in {made.path}: {made.prospects:,} became prospects, "
        f"{made.opportunities:,} opportunities, {made.customers:,} customers. The truth is in {made.path / 'truth'}."
    )
    return 0


def validate(dataset: str, config: str | None, mapping: str | None, json: str | None) -> int:
    """Prints every broken rule; 1 if one of them stops."""
    _check_writable(json)
    try:
        with telling() as tell:
            _, report = _read(dataset, _funnel(config), mapping, tell)
    except InvalidDataset as error:
        report = error.report
    (sys.stderr if json == "-" else sys.stdout).write(f"{report.text()}\n")
    _write_json(json, report.to_json())
    return 0 if report.ok else 1


def train(dataset: str, config: str | None, mapping: str | None, promote: str, seed: int, json: str | None) -> int:
    """Trains, records, decides on promotion, and tells the story."""
    _check_writable(json)
    try:
        with telling() as tell:
            version, decision, promoted, trained, report = _train(dataset, config, mapping, promote, seed, tell)
    except KeyboardInterrupt:
        raise DataError("stopped before it was done: nothing was promoted, and what served before still serves.") from None
    for warning in report.warnings:
        _say(f"warning: {warning.text()}")
    tell_result(Console(file=sys.stderr if json == "-" else None), version, decision, promoted, trained)
    _write_json(json, {"version": version, "promoted": promoted, "decision": list(decision)} | trained.report)
    return 0


def _train(
    dataset: str, config: str | None, mapping: str | None, promote: str, seed: int, tell: Tell
) -> tuple[str, tuple[str, ...], bool, Trained, Report]:
    funnel = _funnel(config)
    open_store().close()  # a store that can't be reached is told before the work, not after it
    read, report = _read(dataset, funnel, mapping, tell)
    if not read.leads.num_rows:
        raise DataError(f"{dataset} holds no lead, so there is nothing to learn from: leads has a header and no row. Export it again.")
    version, decision, promoted, trained = learn(read, funnel, promote, seed, tell)
    return version, decision, promoted, trained, report


def learn(
    read: Dataset, funnel: Funnel, promote: str, seed: int, tell: Tell, allowed: Callable[[], None] = lambda: None
) -> tuple[str, tuple[str, ...], bool, Trained]:
    """Train, record as a new version, decide, and promote where that is the decision: (version, the decision's reasons, whether it serves now, the
    rest). `promote` is auto, always or never; `allowed` is asked right before the promotion, and prevents it by raising."""
    trained = train_bundle(read, funnel, clock(), seed, tell)
    tell("recording the run in MLflow")
    from registry import promotion, tracking  # mlflow takes seconds to import: only once there is something to record
    from training.comparison import Decision, decide
    from training.figures import figures

    version = tracking.log_training(trained.bundle, trained.report, trained.forward, figures(trained.bundle, trained.forward))
    with open_store() as store:
        champion = store.champion()
        if promote == "auto":
            tell("comparing with the champion")
            held = champion[0] if champion else None
            decision = decide(trained.forward, tracking.forward_of(held) if held else None, held)
        else:
            decision = Decision(promote == "always", (f"--promote {promote}",))
        allowed()
        if decision.promote:
            promotion.promote(store, version, "; ".join(decision.reasons))
        else:
            promotion.offer(store, version)
            promotion.follow(store)
    return version, decision.reasons, decision.promote, trained


def demo(leads: int, port: int) -> None:
    """A sample world, trained, promoted and put into the operational store, ready to be served; says what to try."""
    folder = leadscore_home() / "demo"
    if not (folder / "truth" / "README.txt").exists():
        sample(str(folder), leads, 0)
    with open_store() as store:
        champion = store.champion()
    if champion is None:
        train(str(folder), None, None, "always", 0, None)
    else:
        _say(f"Version {champion[0]} is the champion already: nothing is trained. For a fresh demo name another folder in LEADSCORE_HOME.")
    with redirect_stdout(sys.stderr):  # the first line of a demo's standard output says where it serves
        ingest(str(folder), None, None)
    _say(f"\nTry it, once it is ready:\n  curl -s localhost:{port}/v1/score -H 'content-type: application/json' -d '{_ASKED}'")
    _say(f"  the sales reps' queue: curl -s 'localhost:{port}/v1/queue?limit=5'")
    _say(f"  the API's pages: http://localhost:{port}/docs\n")


def _funnel(config: str | None) -> Funnel:
    return load_funnel(Path(config) if config else None)


def _read(dataset: str, funnel: Funnel, mapping: str | None, tell: Tell) -> tuple[Dataset, Report]:
    return read_dataset(dataset, funnel=funnel, mapping=load_mapping(mapping) if mapping else None, on_progress=tell)


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
