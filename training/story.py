"""What `leadscore train` tells at its end: what was learned, how good it is, and what was decided."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from training.run import Trained


def tell_result(console: Console, version: str, decision: Sequence[str], promoted: bool, trained: Trained) -> None:
    """One table of the test, beside the baselines; then leaks, what is absent, and the decision."""
    console.print(_table(trained.report["transitions"]))
    for transition, told in trained.report["transitions"].items():
        for line in _notes(transition, told):
            console.print(f"  {line}", highlight=False, markup=False)
    for leak in trained.bundle.about["leaks"]:
        console.print(f"  leak: {leak['column']} {'kept' if leak['kept'] else 'left out'}: {leak['why']}", highlight=False, markup=False)
    verdict = "is the champion now" if promoted else "is a challenger; it does not serve"
    console.print(f"Version {version} {verdict}: {' '.join(decision)}", markup=False)


def _table(transitions: Mapping[str, Any]) -> Table:
    table = Table(title="On the last fifth of the history, which nothing had seen (90 % intervals over leads)", title_justify="left", box=None, pad_edge=False)
    columns = ("transition", "horizon", "model", "landmarks", "converted", "AUC", "log loss", "base rate's", "logistic's", "ECE", "by chance", "top tenth")
    for name in columns:
        table.add_column(name, justify="left" if name in ("transition", "model") else "right")
    for transition, told in transitions.items():
        if "absent" not in told:
            table.add_row(transition, *_cells(told))
    return table


def _cells(told: Mapping[str, Any]) -> tuple[str, ...]:
    test, low_high, baselines = told["test"], told["intervals"], told["baselines"]
    return (
        f"{told['horizon_days']} d",
        told["candidate"] + (f" ({told['trees']} trees)" if told["trees"] else ""),
        f"{told['landmarks']['test']:,}",
        f"{test['base_rate']:.1%}",
        f"{test['auc']:.3f} [{low_high['auc'][0]:.3f}, {low_high['auc'][1]:.3f}]",
        f"{test['log_loss']:.4f}",
        f"{baselines['base_rate']['log_loss']:.4f}",
        f"{baselines['logistic']['log_loss']:.4f}",
        f"{test['ece']:.3f}",
        f"{told['ece_of_perfect']['mean']:.3f}",
        f"{test['lift_top_decile']:.1f}x",
    )


def _notes(transition: str, told: Mapping[str, Any]) -> list[str]:
    if "absent" in told:
        return [f"{transition}: {told['absent']}"]
    marks, random = told["landmarks"], told["random_split"]
    return [
        f"{transition}: horizon {told['horizon_days']} days. {told['horizon_reason']}",
        f"{transition}: {marks['refit']:,} landmarks in the bundle; {marks['censored']:,} left out as censored; at stage entry AUC {told['auc_at_entry']:.3f}",
        f"{transition}: a random split would have claimed AUC {random['auc']:.3f}, log loss {random['log_loss']:.4f}: not to be believed",
    ]
