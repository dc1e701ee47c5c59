"""`leadscore models`, `promote` and `rollback`."""

from rich.console import Console
from rich.table import Table

from data.contract import format_instant
from data.store import open_store
from registry import promotion, tracking


def models() -> int:
    """Every version, newest first, with what it is and how good its forward twin was."""
    with open_store() as store:
        champion = store.champion()
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("version", "is", "trained", "AUC", "log loss"):
        table.add_column(column)
    found = tracking.versions()
    for v in found:
        serving = champion is not None and champion[0] == v.version
        roles = [*(["champion"] if serving else []), *(a for a in v.aliases if a != tracking.CHAMPION)]
        table.add_row(v.version, ", ".join(roles), format_instant(v.created_at)[:19], _told(v, "auc"), _told(v, "log_loss"))
    console = Console()
    console.print(table if found else "No version yet: `leadscore train DATASET` makes the first.")
    return 0


def _told(version: tracking.Version, metric: str) -> str:
    named = {name.rsplit("/", 1)[0].replace("_to_", "->"): value for name, value in sorted(version.headline.items()) if name.endswith(f"/{metric}")}
    return "  ".join(f"{transition} {value:.3f}" for transition, value in named.items())


def promote(version: str) -> int:
    with open_store() as store:
        promotion.promote(store, version, "promoted by hand")
    Console().print(f"Version {version} is the champion now. `leadscore rollback` takes it back.")
    return 0


def rollback() -> int:
    with open_store() as store:
        version = promotion.rollback(store)
    Console().print(f"Version {version} is the champion again.")
    return 0
