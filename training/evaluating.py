"""`leadscore evaluate`: how good a version is on what it has never seen, what drifted, and whether to retrain."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from rich.console import Console
from rich.table import Table

from data.contract import DataError, format_instant, parse_instant
from data.dataset import Dataset, read_dataset
from data.flat import UNKNOWN, FlatColumns, FlatFile, read_flat
from data.funnel import Funnel, load_funnel
from data.home import clock
from data.mapping import load_mapping
from data.store import Store, open_store
from data.telling import telling
from data.validation import Report
from features.rows import Cohort
from features.tables import cohort_of
from registry.bundle import FLAT_PATH, Bundle
from training import along
from training.along import along_of
from training.choice import Sample
from training.drift import Shift
from training.flat import filled, rows_of
from training.matrix import asked
from training.populations import StageDrift, drift_of, drift_of_rows, weights_of
from training.run import Tell
from training.unseen import Unseen, unseen
from training.verdict import HopVerdict, judged, reasons_to_retrain, what_is_missing

SEED = 0
SHOWN = 5
"""Shifts told for each stage at most; the JSON has all."""
SEEN_BEFORE = (
    "whether some of these leads are those that it was trained on can't be told, as the file has no times: they would make it look better than "
    "it is. Leave them out."
)


def evaluate(dataset: str, config: str | None, mapping: str | None, version: str | None, json: str | None) -> int:
    """Judges a version (default: the champion) on the landmarks of the dataset after the version's own data, and says whether to retrain. 0 whatever
    the verdict is: it stands in the JSON's `retrain`."""
    _check_writable(json)
    live = load_funnel(Path(config) if config else None)
    with open_store() as store, telling() as tell:
        version, bundle = bundle_of(store, version)
        if bundle.path == FLAT_PATH:
            told, report = _of_flat(bundle, dataset, mapping, live, tell)
        else:
            told, report = _of_folder(store, version, bundle, dataset, mapping, live, tell)
    for warning in report.warnings:
        sys.stderr.write(f"warning: {warning.text()}\n")
    told = {"version": version} | told
    show(Console(file=sys.stderr if json == "-" else None), told)
    _write(json, told)
    return 0


def _of_folder(
    store: Store, version: str, bundle: Bundle, dataset: str, mapping: str | None, live: Funnel, tell: Tell
) -> tuple[dict[str, Any], Report]:
    if Path(dataset).is_file():
        raise DataError(
            f"version {version} was trained on a folder of tables; {dataset} is one flat file. Give a folder, or with --version a version that was "
            "trained on a flat file (`leadscore models` lists them)."
        )
    read, report = read_dataset(
        dataset, funnel=Funnel.from_document(bundle.funnel), mapping=load_mapping(mapping) if mapping else None, on_progress=tell
    )
    tell("asking the model about what it has never seen")
    cohort, end = cohort_of(read, bundle.schema), _data_end(read, live)
    return evaluated(bundle, read, cohort, live) | {"shadow": along_of(store, version, bundle, cohort, end)}, report


def _of_flat(bundle: Bundle, dataset: str, mapping: str | None, live: Funnel, tell: Tell) -> tuple[dict[str, Any], Report]:
    if mapping is not None:
        raise DataError("--mapping is for a folder of tables; this version was trained on a flat file, whose columns it knows by name. Leave it out.")
    columns = FlatColumns(**bundle.about["flat"])
    file, report = read_flat(dataset, columns, Funnel.from_document(bundle.funnel), tell, clock())
    tell("asking the model about these leads")
    return evaluated_flat(bundle, file, live), report


def bundle_of(store: Store, version: str | None) -> tuple[str, Bundle]:
    """(version, its bundle), the champion's where none is named. DataError where there is none."""
    if version is None:
        champion = store.champion()
        if champion is None:
            raise DataError("no champion yet: nothing has been trained and promoted. Run `leadscore train DATASET` first.")
        version = champion[0]
    if version in store.versions():
        return version, Bundle.from_bytes(store.bundle(version))
    from registry.tracking import bundle_bytes  # takes seconds to import, and only what was never offered to the store is not there

    return version, Bundle.from_bytes(bundle_bytes(version))


def evaluated(bundle: Bundle, read: Dataset, cohort: Cohort, live: Funnel) -> dict[str, Any]:
    """The document of `evaluate --json` but for version and shadow; `live` gives the limits and where the data ends, the bundle everything else.
    `cohort` holds the leads of `read` under the bundle's schema."""
    since, end = parse_instant(str(bundle.about["data_end"])), _data_end(read, live)
    hops = [judged(told, SEED) for told in unseen(bundle, cohort, since, end)]
    drift = list(drift_of(bundle, cohort, end, since if end > since else -1, live.drift))
    return document_of(bundle, hops, drift, live) | {"data_end": format_instant(end), "same_data": _same(bundle, read)}


def evaluated_flat(bundle: Bundle, file: FlatFile, live: Funnel) -> dict[str, Any]:
    """The same of a flat file: every row whose outcome is known, unless it is the very file that was trained on."""
    read, (hop,) = filled(file.dataset), bundle.hops
    X, known = rows_of(read, bundle.schema), (file.y != UNKNOWN) & (not _same(bundle, read))
    sample = Sample(X[known], file.y[known], file.group[known], np.flatnonzero(known))
    told = Unseen(hop, sample, asked(hop.probability, sample.X), int((file.y == UNKNOWN).sum()))
    drift = [drift_of_rows(bundle, stage, kept, X, file.group, live.drift) for stage, kept in bundle.about.get("inputs", {}).items()]
    found = document_of(bundle, [judged(told, SEED)], drift, live)
    missing = [*found["missing"], *([] if _same(bundle, read) else [SEEN_BEFORE])]
    return found | {"missing": missing, "data_end": None, "same_data": _same(bundle, read), "shadow": None}


def _same(bundle: Bundle, read: Dataset) -> bool:
    return read.digest == bundle.about.get("data_digest")


def _data_end(read: Dataset, live: Funnel) -> int:
    return read.data_end if live.data_end is None else parse_instant(live.data_end)


def document_of(bundle: Bundle, hops: list[HopVerdict], drift: list[StageDrift], live: Funnel) -> dict[str, Any]:
    """The verdict as plain JSON."""
    found = reasons_to_retrain(hops, drift, bundle, live.drift)
    missing = what_is_missing(hops)
    return {
        "trained_until": bundle.about["data_end"],
        "retrain": bool(found),
        "reasons": found or ["nothing that was measured speaks for a retraining."],
        "missing": missing,
        "transitions": {one.name: one.document(SEED) for one in hops if not one.ahead},
        "ahead": {one.name: one.document(SEED) for one in hops if one.ahead},
        "drift": {
            "limits": live.drift.model_dump(),
            "inputs": [line for stage in drift for line in _inputs(stage, bundle)],
            "scores": [_line(stage, shift) for stage in drift for shift in stage.scores],
        },
    }


def _inputs(stage: StageDrift, bundle: Bundle) -> list[dict[str, Any]]:
    weights = weights_of(bundle.hops_from(stage.stage))
    return [_line(stage, shift) | {"weight": weights.get(shift.name, 0.0)} for shift in stage.inputs]


def _line(stage: StageDrift, shift: Shift) -> dict[str, Any]:
    return {"stage": stage.stage, "leads": stage.leads, "name": shift.name, "psi": shift.psi, "p": shift.p, "state": shift.state}


_COLUMNS = ("transition", "landmarks", "AUC (90 %)", "log loss", "said", "came")


def show(console: Console, told: dict[str, Any]) -> None:
    """A table of what was measured; then what drifted, what can't be told, and the verdict."""
    measured = {name: hop for name, hop in told["transitions"].items() if hop["test"]}
    if measured:
        console.print(_table(told, measured))
    lines = [] if measured else [_nothing_after(told)]
    lines += [f"{name}: {_calibration(hop)}" for name, hop in measured.items() if hop["calibration"]]
    lines += [*_shifts("scores", told["drift"]["scores"]), *_shifts("inputs", told["drift"]["inputs"]), *told["missing"]]
    if told["shadow"] is not None:
        lines.append(along.told(told["shadow"]))
    verdict = "Retrain" if told["retrain"] else "No need to retrain"
    lines.append(f"\n{verdict}: {' '.join(told['reasons'])}")
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)


def _table(told: dict[str, Any], measured: dict[str, Any]) -> Table:
    until = told["trained_until"]
    after = "on the leads of this file" if until is None else f"on what came after {until[:10]}, the end of its data"
    title = f"Version {told['version']} {after}"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in _COLUMNS:
        table.add_column(name, justify="left" if name == "transition" else "right")
    for name, hop in measured.items():
        test, (low, high) = hop["test"], hop["intervals"]["auc"]
        told_auc = f"{test['auc']:.3f} ({low:.2f}-{high:.2f})" if np.isfinite(test["auc"]) else "one outcome only"
        rows = (f"{hop['landmarks']['ripe']:,}", told_auc, f"{test['log_loss']:.4f}", f"{test['mean_probability']:.1%}", f"{test['base_rate']:.1%}")
        table.add_row(name, *rows)
    return table


def _calibration(hop: dict[str, Any]) -> str:
    line = hop["calibration"]
    (a, b), perfect = line["noise"], line["ece_of_perfect"]
    return (
        f"calibration: intercept {line['intercept']:+.2f} +- {a:.2f}, slope {line['slope']:.2f} +- {b:.2f}; "
        f"error {line['ece']:.3f}, a perfect model: up to {perfect:.3f}"
    )


def _nothing_after(told: dict[str, Any]) -> str:
    same = "This is the very data that it was trained on. " if told["same_data"] else ""
    if told["trained_until"] is None:
        return f"{same}How good version {told['version']} is on other leads can't be told from it. Give it a file with leads that ended since."
    return (
        f"{same}Nothing in this dataset, which ends {told['data_end'][:10]}, has an outcome that version {told['version']} could not know "
        f"(its own data ended {told['trained_until'][:10]}): how good it is now can't be told from it. Give it a later export."
    )


def _shifts(what: str, found: list[dict[str, Any]]) -> list[str]:
    moved = [shift for shift in found if shift["state"] in ("drifted", "watch")]
    if moved:
        named = ", ".join(f"{one['name']} from {one['stage']} {one['psi']:.2f} ({one['state']})" for one in moved[:SHOWN])
        more = f", and {len(moved) - SHOWN} more" if len(moved) > SHOWN else ""
        return [f"drift of {what}, PSI: {named}{more}"]
    if found and all(shift["state"] == "unknown" for shift in found):
        return [f"drift of {what}: too few leads to tell"]
    return [f"drift of {what}: none beyond chance"] if found else []


def _check_writable(target: str | None) -> None:
    """Before the work, not after it."""
    if target not in (None, "-") and (Path(str(target)).is_dir() or not Path(str(target)).parent.is_dir()):
        raise DataError(f"--json must name a file that can be written; {target} can't be. Name another.")


def _write(target: str | None, document: dict[str, Any]) -> None:
    if target is None:
        return
    text = orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    if target == "-":
        sys.stdout.write(text.decode())
        return
    try:
        Path(target).write_bytes(text)
    except OSError as error:
        raise DataError(f"--json must name a file that can be written; {target} can't be: {error.strerror}. Name another.") from None
