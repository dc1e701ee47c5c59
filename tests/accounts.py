"""Leads that share accounts, for tests: a funnel whose model minds channels, late records and colleagues, and what the store knows of them."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import sqlalchemy as sa

from bundles import SCHEMA as PLAIN
from bundles import bundle
from data.contract import DAY
from data.ingest import put_leads
from data.pending import claim, done
from data.schema import PENDING
from data.store import Store
from registry.bundle import Bundle
from registry.models import Linear, Rows
from serving.colleagues import around

T = 1_700_000_000_000_000
NOW = T + 200 * DAY
SCHEMA = replace(PLAIN, attributes=(), channels=("mail", "web"), late=True, colleagues=True)


def linear(intercept: float, effects: Mapping[str, float]) -> Linear:
    names = [column.name for column in SCHEMA.columns]
    zero, one = np.zeros(len(names)), np.ones(len(names))
    coefficient = np.array([effects.get(name, 0.0) for name in names])
    return Linear(intercept, coefficient, zero, np.full(len(names), -1e30), np.full(len(names), 1e30), np.zeros(len(names), bool), zero, one)


def minding(effects: Mapping[str, float]) -> Bundle:
    """The usual funnel, of which a lead's first step depends on these columns."""
    made = bundle()
    hops = tuple(replace(hop, model=linear(-1.0, effects if hop.stage == "lead" else {})) for hop in made.hops)
    return replace(made, schema=SCHEMA, hops=hops)


MINDING = minding({"colleagues_inbound_count_30d": 0.5})
"""Its leads go on the likelier, the more colleagues did of late."""


def known(store: Store, *ids: str, until: int | None = None) -> Rows:
    """What is known of the colleagues of each."""
    others = around(store, ids, SCHEMA)
    assert others is not None
    others = others if until is None else others.until(until)
    return others.rows(SCHEMA, ids, [NOW] * len(ids))


def waiting(store: Store) -> dict[str, int]:
    with store.engine.connect() as connection:
        return {row.lead_id: row.priority for row in connection.execute(sa.select(PENDING))}


def settle(store: Store) -> None:
    done(store, claim(store, NOW, 10_000))
    assert waiting(store) == {}


def at_account(store: Store, account: str, count: int) -> list[str]:
    ids = [f"{account}-{n}" for n in range(count)]
    put_leads(store, [{"lead_id": id, "created_at": T, "account_id": account} for id in ids], T)
    settle(store)
    return ids
