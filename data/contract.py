"""The data contract: the tables of a dataset, instants as micros, and one attribute value as text."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType

import numpy as np

TICK = 1
HOUR = 3_600_000_000
DAY = 24 * HOUR
STAGES = ("lead", "prospect", "opportunity", "customer")
EXITS = ("disqualified", "lost")
MOST_COLLEAGUES = 1_000
"""An account at which more leads ever stood is none whose people know each other, such as `unknown` or a provider of mail boxes: nobody there is a
colleague."""

WHITESPACE = " \t\r\n\v\f\u00a0\ufeff\u200b"
MISSING = frozenset({"", "null", "none", "nan", "n/a", "-", "#n/a"})
PLACEHOLDERS = frozenset(
    {
        "select", "please select", "- select -", "--select--", "--", "---", "?", "unknown", "unk", "(unknown)", "(not set)", "not set", "(none)",
        "(blank)", "(empty)", "not available", "not provided", "not specified", "unspecified", "undefined", "#na", "#null!", "okänd", "unbekannt",
        "desconhecido", "ukjent", "未知",
    }
)  # fmt: skip
"""What forms and CRMs put where nobody chose anything: as a value of an attribute it says nothing, and counts as missing."""
LONGEST_PLACEHOLDER = max(map(len, PLACEHOLDERS))
WHOLE_NUMBER = r"^(-?[0-9]+)\.0+$"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - the zone is written by hand
_WHOLE = re.compile(WHOLE_NUMBER)
_ZONE = re.compile(r"\s*(?:UTC|GMT)$|\s+(?=[+-]\d{2}:?\d{0,2}$)", re.IGNORECASE)


class DataError(Exception):
    """What the user gave can't be used; `str(error)` is the message for people."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the contract: its columns and what they hold. `key` is unique, columns in neither list are attributes."""

    name: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    key: tuple[str, ...] = ()

    @property
    def known(self) -> tuple[str, ...]:
        """Every column that the contract names, required ones first."""
        return self.required + self.optional


_TABLES = (
    Table(
        "leads",
        required=("lead_id", "created_at"),
        optional=("account_id", "owner", "email", "phone", "job_title", "country", "source", "recorded_at"),
        times=("created_at", "recorded_at"),
        ids=("lead_id", "account_id"),
        key=("lead_id",),
    ),
    Table(
        "accounts",
        required=("account_id",),
        optional=("name", "domain", "industry", "employees", "revenue", "country"),
        ids=("account_id",),
        key=("account_id",),
    ),
    Table(
        "events",
        required=("lead_id", "occurred_at", "type"),
        optional=("event_id", "recorded_at", "value", "channel", "detail"),
        times=("occurred_at", "recorded_at"),
        numbers=("value",),
        ids=("lead_id", "event_id"),
    ),
    Table(
        "stages",
        required=("lead_id", "entered_at", "stage"),
        optional=("reason",),
        times=("entered_at",),
        ids=("lead_id",),
    ),
    Table(
        "deals",
        required=("deal_id", "lead_id", "opened_at"),
        optional=("closed_at", "outcome", "amount", "currency", "reason", "competitor", "stage"),
        times=("opened_at", "closed_at"),
        numbers=("amount",),
        ids=("deal_id", "lead_id"),
        key=("deal_id", "lead_id"),
    ),
    Table(
        "changes",
        required=("object", "id", "field", "value", "changed_at"),
        times=("changed_at",),
        ids=("id",),
    ),
    Table("aliases", required=("lead_id", "object", "external_id"), ids=("lead_id", "external_id")),
)
RESERVED: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "lead": frozenset({"lead_id", "created_at", "recorded_at", "account_id", "owner"}),
        "account": frozenset({"account_id", "domain"}),
    }
)
"""Columns of leads and accounts that are never an attribute of their own."""
TABLES: Mapping[str, Table] = MappingProxyType({table.name: table for table in _TABLES})


def parse_instant(text: str) -> int:
    """ISO-8601 text -> micros UTC. Without a zone it counts as UTC; a date alone is the last microsecond of that day.

    Raises DataError for anything else: other notations (`02/03/2026`) don't say which number is the month.
    """
    stripped = text.strip(WHITESPACE)
    try:
        if len(stripped) <= 10 and ":" not in stripped:
            return _micros(datetime.combine(date.fromisoformat(stripped), datetime.max.time()))
        zone = _ZONE.search(stripped)
        if zone is not None:
            stripped = stripped[: zone.start()] + (stripped[zone.end() :] or "+00:00")
        return _micros(datetime.fromisoformat(stripped))
    except (ValueError, OverflowError):
        raise DataError(f"a time must be ISO-8601, such as 2026-11-21T10:00:00Z or 2026-11-21; got {text[:60]!r}. Write it that way.") from None


def _micros(instant: datetime) -> int:
    zoned = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return (zoned - _EPOCH) // timedelta(microseconds=1)


def end_of_day(micros: int) -> int:
    """The last microsecond of that instant's day, UTC: what a date alone stands for."""
    return micros // DAY * DAY + DAY - TICK


def format_instant(micros: int) -> str:
    """Micros UTC -> `2026-11-21T10:00:00Z`; microseconds are written only where they are not zero."""
    return (_NAIVE_EPOCH + timedelta(microseconds=int(micros))).isoformat() + "Z"


def canonical(value: object) -> str | None:
    """One attribute value as text, the same from CSV, Parquet and JSON; None where it stands for "nothing known".

    `True` and `"TRUE"` are `"true"`; `5`, `5.0` and `"5.0"` are `"5"`; `""`, `"-"`, `"N/A"`, `"null"`, NaN are None.
    """
    if value is None or isinstance(value, str):
        return None if value is None else _canonical_text(value)
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float | np.floating):
        number = float(value)
        return _canonical_text(str(int(number)) if number.is_integer() else repr(number))
    if isinstance(value, Decimal):
        return _canonical_text(format(value, "f"))
    if isinstance(value, datetime):
        return format_instant(_micros(value))
    return _canonical_text(str(value))


def is_placeholder(text: str) -> bool:
    """Whether an attribute's canonical text stands for "nothing was chosen": `Select`, `unknown`, `(not set)`; case doesn't matter."""
    return len(text) <= LONGEST_PLACEHOLDER and text.lower() in PLACEHOLDERS


def _canonical_text(text: str) -> str | None:
    stripped = text.strip(WHITESPACE)
    lower = stripped.lower()
    if lower in MISSING:
        return None
    if lower in ("true", "false"):
        return lower
    return _WHOLE.sub(r"\1", stripped) if stripped[-1] == "0" else stripped
