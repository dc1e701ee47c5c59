"""How soon a page is there with 100,000 leads on the embedded default, and what it weighs: the first visit, the next ones, and in a real Chromium.

    .venv/bin/python benchmarks/bench_pages.py [--leads 100000] [--home FOLDER]

A sample world of 1,000 leads is trained on and scored as the demo does it; its leads, stages, deals and queue are then written again under other ids
until there are `--leads` of them (the events are not, which no list reads). `leadscore serve` runs as it does for everybody, in a process of its own.
The first answer is that of a service that has just become ready and has made none of its reports. `--home`: where the state is kept and, by another
run, found again.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from data.contract import DAY
from data.home import clock
from data.schema import DEALS, LEADS, QUEUE, STAGES
from data.store import Store, open_store

if TYPE_CHECKING:
    from playwright.sync_api import Response

SMALL = 1_000
RUNS = 9
PATHS = ("/queue", "/queue?stage=prospect&sort=expected_value", "/leads/{lead}", "/funnel", "/losses", "/profile", "/model")
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
PROGRAM = [sys.executable, "-m", "leadscore"]
_IDS = {"leads": ("lead_id",), "stages": ("lead_id",), "deals": ("deal_id", "lead_id"), "queue": ("lead_id",)}


def main(leads: int, home: Path | None) -> None:
    with tempfile.TemporaryDirectory(prefix="leadscore-bench-") as folder:
        state = home or Path(folder) / "home"
        os.environ["LEADSCORE_HOME"] = str(state)
        if not (state / "leadscore.db").exists():
            _fill(Path(folder) / "world", leads)
        lead = _tell_size(state)
        with _served() as origin:
            _tell(origin, [path.format(lead=lead) for path in PATHS])


def _fill(world: Path, leads: int) -> None:
    from data.sample import write_sample
    from serving.demo import play

    now = clock()
    write_sample(world, SMALL, 0, end=now - now % DAY)
    subprocess.run([*PROGRAM, "train", str(world), "--promote", "always"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    play(world, now)
    with open_store() as store:
        for table in (LEADS, STAGES, DEALS, QUEUE):
            _multiply(store, table, leads // SMALL)


def _multiply(store: Store, table: sa.Table, times: int) -> None:
    """Every row of the table `times - 1` times more, under ids that end in the number of the copy."""
    names = [column.name for column in table.columns if column.name != "id"]
    copy = sa.literal("-").concat(sa.cast(sa.column("n"), sa.Text))
    chosen = [table.c[name].concat(copy) if name in _IDS[table.name] else table.c[name] for name in names]
    numbers = sa.text("WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < :last) SELECT n FROM c").columns(sa.column("n"))
    rows = sa.select(*chosen).select_from(table).join(numbers.bindparams(last=times - 1).subquery("numbered"), sa.true())
    with store.writing.begin() as connection:
        connection.execute(table.insert().from_select(names, rows))


def _tell_size(home: Path) -> str:
    """Prints what the store holds; the id of the likeliest lead, one of the world's own."""
    with open_store() as store, store.engine.connect() as connection:
        held, rows = (connection.scalar(sa.select(sa.func.count()).select_from(table)) for table in (LEADS, STAGES))
        queued = connection.scalar(sa.select(sa.func.count()).select_from(QUEUE).where(QUEUE.c.until.is_(None)))
        own = sa.select(QUEUE.c.lead_id).where(QUEUE.c.until.is_(None), sa.func.length(QUEUE.c.lead_id) == len("L-000000"))
        lead = connection.scalar(own.order_by(QUEUE.c.by_likelihood).limit(1))
    print(f"{held:,} leads with {rows:,} entries into stages, {queued:,} in the queue; {(home / 'leadscore.db').stat().st_size / 1e6:,.0f} MB\n")
    return str(lead)


@contextmanager
def _served() -> Iterator[str]:
    with subprocess.Popen([*PROGRAM, "serve", "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        origin = process.stdout.readline().split(" on ")[1].split()[0]
        try:
            while _answer(f"{origin}/readyz")[1] != 200:
                time.sleep(0.05)
            yield origin
        finally:
            process.terminate()


def _answer(url: str) -> tuple[float, int, int]:
    """Seconds, status, bytes on the wire of the page alone."""
    began = time.perf_counter()
    try:
        with closing(urllib.request.urlopen(urllib.request.Request(url, headers={"Accept-Encoding": "gzip"}), timeout=120)) as answer:
            content = answer.read()
            return time.perf_counter() - began, answer.status, len(content)
    except urllib.error.HTTPError as refusal:
        return time.perf_counter() - began, refusal.code, 0


def _tell(origin: str, paths: list[str]) -> None:
    print("| page | first answer, ms | next ones, median (worst) | in Chromium, until loaded, ms | all files, kB |\n|---|---:|---:|---:|---:|")
    first = {path: _answer(origin + path) for path in paths}
    for path, (seconds, status, _) in first.items():
        if status != 200:
            print(f"| `{path}` | answered {status} | | | |")
            continue
        later = [_answer(origin + path)[0] * 1e3 for _ in range(RUNS)]
        loaded, weight = _seen(origin + path)
        told = f"{statistics.median(later):.0f} ({max(later):.0f})"
        print(f"| `{path}` | {seconds * 1e3:.0f} | {told} | {loaded:.0f} | {weight / 1e3:.0f} |", flush=True)


def _seen(url: str) -> tuple[float, int]:
    """(median ms until a browser that comes for the first time has loaded the page, bytes of the page and its files on the wire)."""
    from playwright.sync_api import sync_playwright

    times, weight = [], 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"])
        for _ in range(3):
            page = browser.new_page(viewport={"width": 1366, "height": 768})
            answers: list[Response] = []
            page.on("response", lambda response, answers=answers: answers.append(response))
            page.goto(url, wait_until="networkidle")
            times.append(float(page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")))
            sizes = [response.request.sizes() for response in answers]
            weight = sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes)
            page.context.close()
        browser.close()
    return statistics.median(times), weight


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--leads", type=int, default=100_000)
    parser.add_argument("--home", type=Path)
    asked = parser.parse_args()
    main(asked.leads, asked.home)
