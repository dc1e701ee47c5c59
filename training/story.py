"""What `leadscore train` tells at its end: what was learned, how good it is, and what was decided."""

from collections.abc import Mapping, Sequence
from math import isnan
from typing import Any

from rich.console import Console
from rich.table import Table

from training.leaks import tell_leaks
from training.report_files import report_path
from training.run import Trained

_TITLE = "Measured on the test, which nothing had seen"
_COLUMNS = ("transition", "AUC (90 %)", "log loss", "base rate's", "logistic's")
"""What fits into 80 columns; the rest follows in words."""


def tell_result(console: Console, version: str, decision: Sequence[str], promoted: bool, trained: Trained) -> None:
    """One table of the test, beside the baselines; then each transition in words, leaks, and the decision. No line is cut or broken."""
    console.print(_table(trained.report["transitions"]))
    lines = [line for transition, told in trained.report["transitions"].items() for line in _notes(transition, told)]
    lines += ["", *tell_leaks(trained.bundle.about["leaks"])]
    if trained.bundle.about.get("limits"):
        lines += ["\nWhat a file without times can't prove:", *(f"  {limit}" for limit in trained.bundle.about["limits"])]
    verdict = "is the champion now" if promoted else "is a challenger and does not serve"
    lines.append(f"\nVersion {version} {verdict}: {' '.join(decision)}")
    lines.append(f"How good it is, in pictures and numbers: {report_path(version)}")
    console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)


def _table(transitions: Mapping[str, Any]) -> Table:
    table = Table(title=_TITLE, title_justify="left", box=None, pad_edge=False)
    for name in _COLUMNS:
        table.add_column(name, justify="left" if name == "transition" else "right", no_wrap=True)
    for transition, told in transitions.items():
        if "absent" not in told:
            table.add_row(transition, *_cells(told))
    return table


def _cells(told: Mapping[str, Any]) -> tuple[str, ...]:
    test, baselines = told["test"], told["baselines"]
    low, high = told["intervals"]["auc"]
    return (
        "one outcome only" if isnan(test["auc"]) else f"{test['auc']:.3f} ({low:.2f}-{high:.2f})",
        f"{test['log_loss']:.4f}",
        f"{baselines['base_rate']['log_loss']:.4f}",
        f"{baselines['logistic']['log_loss']:.4f}",
    )


def _notes(transition: str, told: Mapping[str, Any]) -> list[str]:
    if "absent" in told:
        return [f"\n{transition}: {told['absent']}"]
    test, marks, random = told["test"], told["landmarks"], told["random_split"]
    trees = f" of {told['trees']} trees" if told["trees"] else ""
    within = f" within {told['horizon_days']} days" if told["horizon_days"] else ""
    censored = "their horizon is not over" if told["horizon_days"] else "they say no outcome"
    top = f", the top tenth {test['lift_top_decile']:.1f} times as often" if test["base_rate"] else ""
    claimed = f"a random split would have claimed {random['auc']:.3f}: not to be believed"
    return [
        f"\n{transition}{within}. {told['horizon_reason']}",
        f"  model: {told['candidate']}{trees}, on {marks['refit']:,} landmarks; {marks['censored']:,} left out, {censored}",
        f"  test: {marks['test']:,} landmarks, {test['base_rate']:.1%} converted{top}",
        f"  calibration error {test['ece']:.3f}; a perfect model would show {told['ece_of_perfect']['mean']:.3f} by chance",
        *([f"  at stage entry AUC {told['auc_at_entry']:.3f}; {claimed}"] if told["horizon_days"] else []),
        *_calls(told["capacity"]),
        *(f"  {note}" for note in told.get("notes", ())),
    ]


def _calls(capacity: Sequence[Mapping[str, Any]]) -> list[str]:
    """The middle row: neither a few calls nor nearly everyone."""
    if not capacity:
        return []
    row = capacity[len(capacity) // 2]
    called = f"calling {row['share']:.0%} of them" if "share" in row else f"calling {row['calls_per_day']} a day"
    found = f"{row['converted']:.2f} ({row['low']:.2f}-{row['high']:.2f})"
    each = "" if "share" in row else " a day"
    return [f"  {called} finds {found}{each} who convert; a points rule {row['points']['converted']:.2f}, chance {row['random']['converted']:.2f}"]
