"""What others tell the store: each call one transaction, one outcome for each item, and the leads it touches marked for rescoring."""

from data.ingest_objects import put_accounts, put_leads
from data.ingest_rows import add_events, add_stages, put_deals
from data.items import Outcome

__all__ = ["Outcome", "add_events", "add_stages", "put_accounts", "put_deals", "put_leads"]
