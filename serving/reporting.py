"""`leadscore report`: the funnel, the ideal customer profile, the losses and the model of a dataset as one page that opens without a server."""

import sys
from pathlib import Path
from typing import Any

from data.contract import DataError, format_instant
from data.dataset import Dataset, read_dataset
from data.funnel import Funnel, load_funnel
from data.home import clock
from data.mapping import load_mapping
from data.store import open_store
from data.telling import telling
from features.journeys import Journeys, journeys_of_dataset
from registry.bundle import Bundle
from serving.calls.reports import leaks_of
from serving.commands import bundle_of
from serving.pages.charts import width_of
from serving.pages.drawing import environment
from serving.pages.figures import Figures
from serving.pages.files import content
from serving.pages.funnel_view import MONTH
from serving.pages.funnel_view import view as funnel_view
from serving.pages.losses_view import view as losses_view
from serving.pages.model_view import ahead, rules, sections
from serving.pages.profile_view import view as profile_view
from serving.reports.funnel import funnel_report
from serving.reports.icp import icp_report
from serving.reports.losses import loss_report
from serving.reports.model import served
from serving.words import Words

FILE = "leadscore-report.html"
STYLES = ("leadscore.css", "reports.css")
GROUPED_BY = (MONTH, "source", "account_industry")
"""What the leads are parted by, where the data have it."""


def report(dataset: str, config: str | None, mapping: str | None, out: str, version: str | None, language: str) -> int:
    """Writes FILE into the folder `out` and says where it is. The model and the profile are those of `version`, by default of the champion; without
    one the page says so."""
    target = _target(out)
    funnel = load_funnel(Path(config) if config else None)
    with telling() as tell:
        read = _read(dataset, funnel, mapping, tell)
        tell("loading the model")
        found = bundle_of(version)
        tell("counting the funnel and the losses")
        page = report_html(journeys_of_dataset(read, funnel), found, funnel, Words(language), clock(), _promoted_at(found))
        _write(target, page)
    sys.stdout.write(f"{target}\n")
    return 0


def report_html(journeys: Journeys, found: tuple[Bundle, str] | None, funnel: Funnel, words: Words, now: int, promoted_at: str | None = None) -> str:
    """The whole page: style and pictures within, no script, nothing asked of any network. `found`: (bundle, version); `now` in micros."""
    f = Figures(words)
    model = None if found is None else served(*found, promoted_at) | {"calls_per_day": funnel.policy.capacity_per_day}
    icp = None if found is None else icp_report(found[0], funnel.icp, found[1], words)
    leaks = () if found is None else found[0].about.get("leaks", ())
    losses = loss_report(journeys, leaks_of(leak["column"] for leak in leaks))
    told = {
        **_funnel(journeys, f),
        "losses": losses,
        "losses_view": losses_view(losses, f),
        "icp": icp,
        "profile_view": None if icp is None else profile_view(icp, f),
        "model": model,
        "sections": [] if model is None else sections(model, f),
        "ahead": [] if model is None else ahead(model),
    }
    style = "\n".join(content(name) for name in STYLES)
    return environment(words).get_template("report.html").render(f=f, rules=rules(words), width=width_of, style=style, now=now, **told)


def _funnel(journeys: Journeys, f: Figures) -> dict[str, Any]:
    whole = funnel_report(journeys)
    by = [name for name in GROUPED_BY if name in whole["options"]]
    return {"funnel": whole, "funnel_view": funnel_view(whole, f), "grouped": [funnel_view(funnel_report(journeys, name), f) for name in by]}


def _read(dataset: str, funnel: Funnel, mapping: str | None, tell: Any) -> Dataset:
    if Path(dataset).is_file():
        raise DataError(
            f"a report is about a funnel, and needs a folder of tables with what leads did, and when; {dataset} is one flat file. Its model's own "
            "report is told at the end of `leadscore train`."
        )
    read, _ = read_dataset(dataset, funnel=funnel, mapping=load_mapping(mapping) if mapping else None, on_progress=tell)
    if not read.leads.num_rows:
        raise DataError(f"{dataset} holds no lead, so there is nothing to report on: leads has a header and no row. Export it again.")
    return read


def _promoted_at(found: tuple[Bundle, str] | None) -> str | None:
    """Since when the version serves; None for one that does not."""
    with open_store() as store:
        history = store.champions()
    serves = found is not None and bool(history) and history[-1].version == found[1]
    return format_instant(history[-1].promoted_at) if serves else None


def _target(out: str) -> Path:
    """Before the work, not after it."""
    folder = Path(out)
    above = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not above.is_dir():
        raise DataError(f"--out must name a folder; {out} can't be one: {above} is a file. Name another.")
    return folder / FILE


def _write(target: Path, page: str) -> None:
    """Whole or not at all: the file has its name only once it is complete."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{FILE}.part")
    part.write_text(page, encoding="utf-8")
    part.replace(target)
