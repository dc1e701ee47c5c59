"""Whether the store holds what was acknowledged, exactly once."""

import orjson
import sqlalchemy as sa

from benchmarks.reliability.databases import Database
from benchmarks.reliability.traffic import Acknowledged
from data.schema import CHANGES, EVENTS, LEADS, SCORES
from data.store import open_store


def missing(database: Database, kept: Acknowledged) -> dict[str, int]:
    """How many acknowledged leads, values, events and scores the store lacks, and how many events and scores stand there twice; all 0 is good."""
    with open_store(database.url) as store, store.engine.connect() as connection:
        leads = {row.lead_id: orjson.loads(row.fields) for row in connection.execute(sa.select(LEADS.c.lead_id, LEADS.c.fields))}
        events = list(connection.execute(sa.select(EVENTS.c.event_id, EVENTS.c.lead_id)))
        scores = list(connection.execute(sa.select(SCORES.c.score_id, SCORES.c.lead_id)))
        changed = {row.id for row in connection.execute(sa.select(CHANGES.c.id).distinct())}
    wrong = [lead for lead, value in kept.leads.items() if lead in leads and leads[lead].get("budget") not in value.split("|")]
    lost_history = [lead for lead, value in kept.leads.items() if "|" not in value and lead not in changed]
    return {
        "leads": len(kept.leads.keys() - leads.keys()),
        "values": len(wrong),
        "changes": len(lost_history),
        "events": len(kept.events.items() - {(row.event_id, row.lead_id) for row in events}),
        "scores": len(kept.scores.items() - {(row.score_id, row.lead_id) for row in scores}),
        "twice": len(events) - len({row.event_id for row in events}) + len(scores) - len({row.score_id for row in scores}),
    }
