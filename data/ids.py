"""Which lead an id means: its own, or an alias that a CRM or a merge gave it."""

from collections.abc import Collection

import sqlalchemy as sa

from data.items import is_text
from data.schema import ALIASES, LEADS
from data.sql import among


def resolved(connection: sa.Connection, ids: Collection[str]) -> dict[str, str]:
    """{given id or alias: lead_id}; unknown ones are absent, and so are aliases of several leads. A lead's own id goes before an alias."""
    wanted = {id for id in ids if is_text(id)}
    found = {str(id): str(id) for id in connection.scalars(sa.select(LEADS.c.lead_id).where(among(connection, LEADS.c.lead_id, wanted)))}
    others = wanted - found.keys()
    if others:
        one = sa.func.min(ALIASES.c.lead_id)
        pairs = sa.select(ALIASES.c.external_id, one).where(among(connection, ALIASES.c.external_id, others))
        several = sa.func.count(ALIASES.c.lead_id.distinct()) == 1
        found |= {str(row[0]): str(row[1]) for row in connection.execute(pairs.group_by(ALIASES.c.external_id).having(several))}
    return found


def names_of(connection: sa.Connection, lead_id: str) -> set[str]:
    """The lead's id and its aliases, under which a score of it may stand; not an alias that is another lead's own id, which means that lead."""
    aliases = set(connection.scalars(sa.select(ALIASES.c.external_id).where(ALIASES.c.lead_id == lead_id)))
    others = connection.scalars(sa.select(LEADS.c.lead_id).where(among(connection, LEADS.c.lead_id, aliases - {lead_id}))) if aliases else ()
    return {lead_id, *aliases} - set(others)
