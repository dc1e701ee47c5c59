"""What a score is asked with: the body of `POST /v1/score` and of `POST /v1/score/batch`, checked once, as fast as it arrives."""

from datetime import UTC, datetime
from typing import Annotated, Any, Required

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema, with_config
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from data.contract import DAY, DataError, canonical, parse_instant

Scalar = str | int | float | bool | None

MAX_ROWS = 10_000
MAX_ITEMS = 1_000
MAX_TEXT = 10_000
MAX_ATTRIBUTES = 2_000
MAX_NAME = 1_000
MAX_NUMBER = 1e12
"""Above this, micro-units of a value would no longer be exact in 64 bits."""

_LARGEST = 10**300

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = 1_000_000
_NO_INSTANT = "must be a time in ISO-8601, such as 2026-11-21T10:00:00Z"
_FLAT = "text, a number, true, false or null"


def instant_of(text: str) -> int:
    """Micros UTC, equal to `parse_instant` for every text; the notation that programs send takes a short way."""
    try:
        if text[10] == "T" and text[-1] == "Z":
            since = datetime.fromisoformat(text) - _EPOCH
            return since.days * DAY + since.seconds * _SECOND + since.microseconds
    except (ValueError, IndexError):
        pass
    return parse_instant(text)


def _instant(value: object) -> int:
    if isinstance(value, str):
        try:
            return instant_of(value)
        except DataError:
            pass
    raise PydanticCustomError("instant", _NO_INSTANT)


def _instant_or_none(value: object) -> int | None:
    if value is None or (isinstance(value, str) and canonical(value) is None):
        return None
    return _instant(value)


def _flat(values: dict[str, Any]) -> dict[str, Any]:
    if len(values) > MAX_ATTRIBUTES:
        raise PydanticCustomError("attributes", f"must have at most {MAX_ATTRIBUTES:,} attributes; it has {len(values):,}")
    wrong = [f"{name[:80]} {why}" for name, value in values.items() if (why := _not_scalar(value)) or (why := _not_a_name(name))]
    if wrong:
        more = f"; and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise PydanticCustomError("flat", "must be a flat object: {wrong}", {"wrong": "; ".join(wrong[:5]) + more})
    return values


def _not_scalar(value: object) -> str | None:
    kind = type(value)
    if kind is str:
        return None if len(value) <= MAX_TEXT else f"must have at most {MAX_TEXT:,} characters"  # type: ignore[arg-type]
    if kind is float:
        return None if abs(value) < float("inf") else "must be a finite number"  # type: ignore[arg-type]
    if kind is int:
        return None if abs(value) <= _LARGEST else "must be a finite number"  # type: ignore[arg-type]
    return None if value is None or kind is bool else f"must be {_FLAT}"


def _not_a_name(name: str) -> str | None:
    return None if len(name) <= MAX_NAME else f"is a name of more than {MAX_NAME:,} characters"


def _dated(lead: dict[str, Any]) -> dict[str, Any]:
    for name in ("created_at", "recorded_at"):
        try:
            _instant_or_none(lead.get(name))
        except PydanticCustomError as error:
            raise PydanticCustomError("instant", "{name} {why}", {"name": name, "why": error.message_template}) from None
    return lead


_TIME_SCHEMA = {"type": "string", "format": "date-time"}
_FLAT_SCHEMA = {
    "type": "object",
    "additionalProperties": {"anyOf": [{"type": t} for t in ("string", "number", "boolean", "null")]},
    "maxProperties": MAX_ATTRIBUTES,
}

Instant = Annotated[int, PlainValidator(_instant), WithJsonSchema(_TIME_SCHEMA)]
InstantOrNone = Annotated[int | None, PlainValidator(_instant_or_none), WithJsonSchema({"anyOf": [_TIME_SCHEMA, {"type": "null"}]})]
Text = Annotated[str, Field(max_length=MAX_TEXT)]
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME, pattern=r"\S")]
Number = Annotated[float, Field(ge=-MAX_NUMBER, le=MAX_NUMBER, allow_inf_nan=False)]
Attributes = Annotated[dict[str, Any], AfterValidator(_flat), WithJsonSchema(_FLAT_SCHEMA)]


_ROW = ConfigDict(extra="ignore", coerce_numbers_to_str=True)
"""Columns that the data contract does not name are let pass and not used."""


@with_config(_ROW)
class EventRow(TypedDict, total=False):
    """Something the lead did or that was done with it. It counts from `recorded_at` where given, else from `occurred_at`."""

    occurred_at: Required[Instant]
    type: Required[Name]
    value: Number | None
    channel: Text | None
    detail: Text | None
    event_id: Text | None
    recorded_at: InstantOrNone


@with_config(_ROW)
class StageRow(TypedDict, total=False):
    """A stage or exit entered, under the funnel's name or the CRM's own."""

    entered_at: Required[Instant]
    stage: Required[Name]
    reason: Text | None


@with_config(_ROW)
class DealRow(TypedDict, total=False):
    """A deal, as it is known now."""

    deal_id: Required[Name]
    opened_at: Required[Instant]
    closed_at: InstantOrNone
    outcome: Text | None
    amount: Number | None
    currency: Text | None
    reason: Text | None
    competitor: Text | None
    stage: Text | None


class ScoreRequest(BaseModel):
    """One lead and all that is known of it; nothing later than `as_of` (default: now) is used.

    `lead` may hold `lead_id` and `created_at`; its other keys, and those of `account`, are attributes. `account_events` are those of
    colleagues at the account. `stage` serves where there is no stage history. Once validated a row is a plain dict that holds the keys
    that were sent, and its times are micros UTC.
    """

    model_config = ConfigDict(extra="forbid")

    lead: Annotated[Attributes, AfterValidator(_dated)]
    account: Attributes = {}
    events: list[EventRow] = Field([], max_length=MAX_ROWS)
    stages: list[StageRow] = Field([], max_length=MAX_ROWS)
    deals: list[DealRow] = Field([], max_length=MAX_ROWS)
    account_events: list[EventRow] = Field([], max_length=MAX_ROWS)
    stage: Annotated[str, Field(max_length=MAX_NAME)] | None = None
    as_of: InstantOrNone = None

    @property
    def lead_id(self) -> str | None:
        return canonical(self.lead.get("lead_id"))

    @property
    def created_at(self) -> int | None:
        """When the lead came, micros UTC; None where it is not told."""
        text = canonical(self.lead.get("created_at"))
        return None if text is None else instant_of(text)


class BatchRequest(BaseModel):
    """Up to 1,000 bodies of `POST /v1/score`; each is checked on its own, so that one bad item fails alone."""

    model_config = ConfigDict(extra="forbid")

    items: list[Any] = Field(max_length=MAX_ITEMS)
