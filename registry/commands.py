"""`leadscore models`, `promote` and `rollback`."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from data.contract import format_instant
from data.shadow import scoring_along
from data.store import open_store
from registry import promotion, tracking

COLUMNS = ("version", "is", "trained", "transition", "AUC", "log loss")


def models() -> int:
    """Every version, newest first, with what it is and how good its forward twin was: one line for each transition."""
    with open_store() as store:
        champion, beside = store.champion(), scoring_along(store)
        promotion.follow(store)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in COLUMNS:
        table.add_column(column, no_wrap=True)
    found = tracking.versions()
    for version in found:
        serves, along = (who is not None and who[0] == version.version for who in (champion, beside))
        for cells in _lines(version, serves=serves, along=along):
            table.add_row(*cells)
    Console().print(table if found else "No version yet: `leadscore train DATASET` makes the first.")
    return 0


def _lines(version: tracking.Version, *, serves: bool, along: bool) -> Iterator[tuple[str, ...]]:
    """What is true of the whole version stands on its first line only."""
    asks = [alias for alias in version.aliases if alias != tracking.CHAMPION]
    role = "champion" if serves else ", ".join([*asks, *(["scores along"] if along else [])])
    first = (version.version, role, format_instant(version.created_at)[:16].replace("T", " "))
    headline = version.headline
    for name in sorted({metric.rsplit("/", 1)[0] for metric in headline}) or [""]:
        measured = (f"{headline[key]:.3f}" if key in headline else "" for key in (f"{name}/auc", f"{name}/log_loss"))
        yield (*first, name.replace("_to_", "->"), *measured)
        first = ("", "", "")


def promote(version: str) -> int:
    """Makes a version the champion by hand."""
    with open_store() as store:
        promotion.promote(store, version, "promoted by hand")
    Console().print(f"Version {version} is the champion now. `leadscore rollback` takes it back.")
    return 0


def rollback() -> int:
    """Makes the champion before the champion again."""
    with open_store() as store:
        version = promotion.rollback(store)
    Console().print(f"Version {version} is the champion again.")
    return 0
