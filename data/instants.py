"""When the store learned something of a lead: between two such instants `data.facts.facts_of` tells the same, whatever its `until`."""

import sqlalchemy as sa

from data.schema import ACCOUNTS, CHANGES, DEALS, EVENTS, LEADS, STAGES
from data.store import Store


def instants_of(store: Store, lead_id: str) -> list[int]:
    """In micros, sorted, each once; of the accounts that the lead ever belonged to as well. Empty for a lead that is not held."""
    moved = sa.and_(CHANGES.c.object == "lead", CHANGES.c.id == lead_id)
    accounts = sa.union(
        sa.select(LEADS.c.account_id).where(LEADS.c.lead_id == lead_id), sa.select(CHANGES.c.value).where(moved, CHANGES.c.field == "account_id")
    )
    learned = [sa.select(table.c.ingested_at).where(table.c.lead_id == lead_id) for table in (LEADS, EVENTS, STAGES, DEALS)]
    learned.append(sa.select(ACCOUNTS.c.ingested_at).where(ACCOUNTS.c.account_id.in_(accounts)))
    for known in (CHANGES.c.ingested_at, CHANGES.c.changed_at):
        learned += [sa.select(known).where(moved), sa.select(known).where(CHANGES.c.object == "account", CHANGES.c.id.in_(accounts))]
    with store.engine.connect() as connection:
        return sorted(connection.scalars(sa.union(*learned)))
