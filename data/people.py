"""Who leads are, in the few words that a list has room for."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import orjson
import sqlalchemy as sa

from data.schema import ACCOUNTS, LEADS
from data.sql import among
from data.store import Store

_WHOLE_NAMES = ("name", "full_name", "contact_name")
_NAME_PARTS = (("first_name", "last_name"), ("firstname", "lastname"), ("given_name", "family_name"))


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of who a lead is; None where the store was told nothing. For eyes alone: never for a log, a model or a report."""

    name: str | None = None
    company: str | None = None
    job_title: str | None = None
    country: str | None = None


NOBODY = Person()


def people(store: Store, lead_ids: Collection[str]) -> dict[str, Person]:
    """{lead_id: Person} of those that are held, in one query."""
    with store.engine.connect() as connection:
        joined = LEADS.outerjoin(ACCOUNTS, LEADS.c.account_id == ACCOUNTS.c.account_id)
        rows = sa.select(LEADS.c.lead_id, LEADS.c.fields, ACCOUNTS.c.fields.label("account")).select_from(joined)
        found = connection.execute(rows.where(among(connection, LEADS.c.lead_id, lead_ids))).all()
    return {row.lead_id: person_of(orjson.loads(row.fields), orjson.loads(row.account or "{}")) for row in found}


def person_of(lead: Mapping[str, str], account: Mapping[str, str]) -> Person:
    """From the attributes of a lead and its account: a name in one field or in two, the company from either."""
    return Person(
        _first(lead, _WHOLE_NAMES) or _joined(lead),
        account.get("name") or _first(lead, ("company", "company_name")) or account.get("domain"),
        lead.get("job_title"),
        lead.get("country") or account.get("country"),
    )


def _first(values: Mapping[str, str], names: Collection[str]) -> str | None:
    return next((values[name] for name in names if values.get(name)), None)


def _joined(lead: Mapping[str, str]) -> str | None:
    found = (" ".join(filter(None, (lead.get(first), lead.get(last)))) for first, last in _NAME_PARTS)
    return next(filter(None, found), None)
