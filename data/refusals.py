"""Why nothing can be done with a lead."""

import sqlalchemy as sa

from data.contract import DataError
from data.ids import resolved
from data.items import is_text, show
from data.tombstones import erased_among


class UnknownLead(DataError):
    """No lead and no alias has that id."""


class ErasedLead(DataError):
    """The lead was erased."""


class SameLead(DataError):
    """A lead can't be merged into itself."""


def living(connection: sa.Connection, id: str) -> str:
    """The lead_id that an id or alias means; raises UnknownLead or ErasedLead."""
    found = resolved(connection, {id}).get(id)
    if found is not None:
        return found
    if is_text(id) and erased_among(connection, {id}):
        raise ErasedLead("the lead was erased. Nothing is held on it, and nothing more of it is taken in.")
    raise UnknownLead(f"there is no lead {show(id)}, and no alias of that name. Put the lead first.")
