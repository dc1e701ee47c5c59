"""The demo's days before today: the sample world goes into the store week by week, and each week every open lead is scored, so that the pages have a
past to show."""

import json
import os
import sys
import threading
import time
import urllib.request
import webbrowser
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from data.contract import DAY
from data.funnel import load_funnel
from data.home import leadscore_home
from data.schema import LEADS
from data.store import Store, open_store
from data.telling import telling
from serving.champion import Champion
from serving.drainer import Drainer
from serving.rescoring import Rescorer
from serving.spool import Spool

if TYPE_CHECKING:
    import pyarrow as pa

    from data.dataset import Dataset

WEEK = 7 * DAY
WEEKS = 6
"""So many weeks before now, and now: what a lead's page draws a line through."""

_READY_SECONDS = 60
_ASKED = (
    '{"lead": {"lead_id": "L-1", "job_title": "Head of Purchasing", "country": "SE", "email": "eva@example.com"}, '
    '"account": {"industry": "manufacturing", "employees": "500-999"}, '
    '"events": [{"occurred_at": "2026-06-28T09:00:00Z", "type": "pricing_page_view"}, '
    '{"occurred_at": "2026-06-29T10:30:00Z", "type": "email_reply"}], '
    '"as_of": "2026-06-30T00:00:00Z"}'
)
_CLOSING = ("closed_at", "outcome", "reason", "competitor")
_Tell = Callable[[str], None]


def play(folder: Path, now: int) -> dict[str, Counter[str]]:
    """The dataset in `folder` into this instance's store as it became known, up to `now` (micros UTC): {table: rows created, updated, ...}.

    A store that holds leads already is brought up to date in one step. The champion scores, the one of today: a made-up company's past is not what
    its models were like back then.
    """
    from data.dataset import read_dataset

    funnel = load_funnel(None)
    with open_store() as store, telling() as tell:
        dataset, _ = read_dataset(folder, funnel=funnel, on_progress=tell, now=now)
        weeks = 0 if _holds_leads(store) else WEEKS
        return _played(store, dataset, [now - back * WEEK for back in range(weeks, -1, -1)], tell)


def _holds_leads(store: Store) -> bool:
    with store.engine.connect() as connection:
        return connection.execute(sa.select(LEADS.c.lead_id).limit(1)).first() is not None


def _played(store: Store, dataset: "Dataset", instants: list[int], tell: _Tell) -> dict[str, Counter[str]]:
    from data.ingesting import load

    funnel, counts, champion = load_funnel(None), dict[str, Counter[str]](), Champion(store)
    champion.refresh()
    spool = Spool(leadscore_home() / "spool")
    for (after, until), step in zip(_spans(instants), range(1, len(instants) + 1), strict=True):
        tell(f"putting the world into the store and scoring its open leads, week by week: {step} of {len(instants)}")
        known = became_known(dataset, after, until, until == instants[-1])
        for name, count in load(store, known, funnel, until, _nobody).items():
            counts[name] = counts.get(name, Counter()) + count
        _score(Rescorer(store, champion, spool, now=partial(int, until)))
    spool.close()
    tell("putting the scores into the ledger")
    Drainer(spool.folder, store).drain()
    return counts


def _spans(instants: list[int]) -> Iterator[tuple[int | None, int]]:
    return zip([None, *instants[:-1]], instants, strict=True)


def _nobody(_: str) -> None:
    return None


def _score(rescorer: Rescorer) -> None:
    while rescorer.step():
        pass


def became_known(dataset: "Dataset", after: int | None, until: int, last: bool = False) -> "Dataset":
    """The rows of the dataset that became known in (after, until], from the beginning where `after` is None; accounts and the dated values of
    attributes come with the first of them. An event of before its lead was created comes with the lead. A deal comes when it is opened, and once
    more, with how it ended, when it is closed. Its stage is the one of today, which nothing dates: it comes with how it ended, or, of a deal that is
    still open, with the `last` rows."""
    from data.arrow import pc

    first = after is None
    events, leads = dataset.events, dataset.leads
    created = leads["created_at"].take(pc.index_in(events["lead_id"], value_set=leads["lead_id"]))
    return replace(
        dataset,
        leads=_within(leads, leads["created_at"], after, until),
        accounts=dataset.accounts if first else dataset.accounts.slice(0, 0),
        changes=dataset.changes if first else dataset.changes.slice(0, 0),
        aliases=dataset.aliases.slice(0, 0),
        events=_within(events, pc.max_element_wise(pc.coalesce(events["recorded_at"], events["occurred_at"]), created), after, until),
        stages=_within(dataset.stages, dataset.stages["entered_at"], after, until),
        deals=_deals(dataset.deals, after, until, last),
    )


def _within(table: "pa.Table", at: Any, after: int | None, until: int) -> "pa.Table":
    return table.filter(_in(at, after, until))


def _in(at: Any, after: int | None, until: int) -> Any:
    from data.arrow import pc

    early = pc.less_equal(at, until)
    return early if after is None else pc.and_(early, pc.greater(at, after))


def _deals(deals: "pa.Table", after: int | None, until: int, last: bool) -> "pa.Table":
    import pyarrow as pa

    from data.arrow import pc

    closed, open_still = pc.fill_null(_in(deals["closed_at"], None, until), False), pc.is_null(deals["closed_at"])
    news = pc.or_(_in(deals["opened_at"], after, until), pc.fill_null(_in(deals["closed_at"], after, until), False))
    if last:
        news = pc.or_(news, pc.and_(pc.and_(_in(deals["opened_at"], None, until), open_still), pc.is_valid(deals["stage"])))
    for name, told in (*((name, closed) for name in _CLOSING), ("stage", pc.or_(closed, open_still) if last else closed)):
        column = deals[name]
        deals = deals.set_column(deals.column_names.index(name), name, pc.if_else(told, column, pa.scalar(None, column.type)))
    return deals.filter(news)


def tell_what_to_try(port: int) -> None:
    """The pages first, then two calls, on standard error."""
    sys.stderr.write("\nThe scores of the last weeks were given just now, by today's model: the company is made up, and so is its past.\n")
    sys.stderr.write(f"Open http://localhost:{port} once it is ready: the queue, each lead, the funnel, the model. Or ask from another terminal:\n")
    sys.stderr.write(f"  curl -s localhost:{port}/v1/score -H 'content-type: application/json' -d '{_ASKED}'\n")
    sys.stderr.write(f"  the sales reps' queue: curl -s 'localhost:{port}/v1/queue?limit=5'\n")
    sys.stderr.write(f"  the API's pages: http://localhost:{port}/docs\n\n")


def tell_counts(counts: dict[str, Counter[str]]) -> None:
    """What went into the store, on standard error."""
    for name, count in counts.items():
        sys.stderr.write(f"{name}: {', '.join(f'{count[status]:,} {status}' for status in ('created', 'updated', 'unchanged', 'refused'))}\n")


def open_when_ready(port: int) -> None:
    """Opens the pages in the user's browser once the service answers, where somebody sits at a screen. Returns at once."""
    if sys.stdout.isatty() and _has_screen():
        threading.Thread(target=_open, args=(f"http://127.0.0.1:{port}",), daemon=True).start()


def _has_screen() -> bool:
    """Without one, `webbrowser` would start a browser in the terminal, over what is told there."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _open(url: str) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        with suppress(OSError), urllib.request.urlopen(f"{url}/readyz", timeout=5) as answer:
            if json.load(answer)["ready"]:
                webbrowser.open(url)
                return
        time.sleep(0.2)
