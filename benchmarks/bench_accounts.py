"""What colleagues cost where the store rescores leads: 200 leads of accounts of three, of one account of 1,000 leads, and of one of 100,000.

    .venv/bin/python benchmarks/bench_accounts.py [--leads 100000]

Beside it what is read of the same leads anyway (`facts_of`). An account of more than 1,000 leads is a collective one, where nobody has colleagues.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from data.colleagues import together
from data.contract import DAY, MOST_COLLEAGUES
from data.facts import facts_of
from data.schema import EVENTS, LEADS
from data.sql import insert
from data.store import Store, open_store
from features.declarations import EventType
from features.schema import Schema
from serving.colleagues import Around

BATCH, ROUNDS, EVENTS_OF_A_LEAD, T = 200, 7, 20, 1_700_000_000_000_000
TYPES = (EventType("email_open", "Opened an e-mail", "interest", "inbound", False), EventType("call", "Was called", "interest", "outbound", False))
SCHEMA = Schema(("lead", "prospect"), ("lost",), TYPES, (), colleagues=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leads", type=int, default=100_000, help="of the collective account")
    leads = parser.parse_args().leads
    with tempfile.TemporaryDirectory() as folder, open_store(f"sqlite:///{Path(folder) / 'leadscore.db'}") as store:
        groups = {
            "accounts of 3": _filled(store, "small", [f"small-{n // 3}" for n in range(3 * BATCH)]),
            f"an account of {MOST_COLLEAGUES:,}": _filled(store, "large", ["large"] * MOST_COLLEAGUES),
            f"an account of {leads:,}": _filled(store, "unknown", ["unknown"] * leads),
        }
        _scored(store, groups["accounts of 3"])
        print(f"| 200 leads of | their own facts, ms | their colleagues', ms | ratio |\n|{'---|' * 4}")
        for name, ids in groups.items():
            own, others = _fastest(partial(facts_of, store, ids)), _fastest(partial(_scored, store, ids))
            print(f"| {name} | {1e3 * own:.1f} | {1e3 * others:.1f} | {others / own:.2f} |")


def _filled(store: Store, name: str, accounts: Sequence[str]) -> list[str]:
    """Leads with events in the store; the ids of those that are rescored."""
    rng, ids = np.random.default_rng(7), [f"{name}-{n:07}" for n in range(len(accounts))]
    kinds, days = rng.integers(0, 2, (len(ids), EVENTS_OF_A_LEAD)), rng.integers(0, 200, (len(ids), EVENTS_OF_A_LEAD))
    rows = [
        (f"{name[:3]}{n * EVENTS_OF_A_LEAD + k:013}".encode(), id, T + int(days[n, k]) * DAY, None, TYPES[kinds[n, k]].name, *(None,) * 5, T)
        for n, id in enumerate(ids)
        for k in range(EVENTS_OF_A_LEAD)
    ]
    rng.shuffle(rows)
    store.write(
        lambda connection: insert(connection, LEADS, [(id, T, None, account, None, "{}", T, T) for id, account in zip(ids, accounts, strict=True)])
    )
    store.write(lambda connection: insert(connection, EVENTS, rows))
    return ids[:BATCH]


def _scored(store: Store, ids: Sequence[str]) -> Any:
    return Around(together(store, ids)).rows(SCHEMA, ids, [T + 150 * DAY] * len(ids))


def _fastest(call: Callable[[], Any]) -> float:
    seconds = []
    for _ in range(ROUNDS):
        began = perf_counter()
        call()
        seconds.append(perf_counter() - began)
    return min(seconds)


if __name__ == "__main__":
    main()
