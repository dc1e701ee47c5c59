"""What is known of a lead's account counts from when the account was the lead's: nothing of a later one is seen before."""

from pathlib import Path

import numpy as np

from bundles import SCHEMA
from data.contract import DAY
from data.facts import facts_of
from data.funnel import Funnel
from data.ingest import put_accounts, put_leads
from data.store import open_store
from data.stored import read_store
from features.rows import compute
from features.tables import cohort_of

T = 1_700_000_000_000_000


def test_training_knows_of_an_account_what_the_store_knew_then(store_url: str, home: Path) -> None:
    days = range(12)
    with open_store(store_url) as store:
        put_leads(store, [{"lead_id": id, "created_at": T} for id in ("A", "B", "C")], T)
        put_accounts(store, [{"account_id": "X", "industry": "retail"}, {"account_id": "Y"}], T + 1 * DAY)
        put_leads(store, [{"lead_id": "A", "account_id": "X"}, {"lead_id": "B", "account_id": "Y"}], T + 3 * DAY)
        put_accounts(store, [{"account_id": "X", "industry": "it"}, {"account_id": "Y", "industry": "it"}], T + 5 * DAY)
        put_leads(store, [{"lead_id": "A", "account_id": "Y"}, {"lead_id": "C", "account_id": "gone"}], T + 7 * DAY)
        put_leads(store, [{"lead_id": "A", "account_id": None}], T + 9 * DAY)
        known = [[facts_of(store, [id], until=T + day * DAY)[id].account.get("industry") for day in days] for id in ("A", "B", "C")]
        dataset, _ = read_store(store, funnel=Funnel(), now=T + 12 * DAY)
    assert known[0] == [None] * 3 + ["retail"] * 2 + ["it"] * 4 + [None] * 3
    cohort = cohort_of(dataset, SCHEMA)
    lead, as_of = np.repeat(np.arange(3), len(days)), np.tile([T + day * DAY for day in days], 3)
    rows = compute(SCHEMA, cohort, lead, as_of)
    names = [column.name for column in SCHEMA.columns]
    told = {name: rows[:, names.index(f"industry={name}")].astype(bool) for name in ("it", "retail", "(missing)")}
    for row, value in enumerate(value for of_lead in known for value in of_lead):
        assert [name for name, where in told.items() if where[row]] == [value or "(missing)"], (row, value)
