"""What is ingested: the rows of the data contract, each checked on its own, and how a body becomes rows."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Required

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, RootModel, TypeAdapter, ValidationError, WithJsonSchema, with_config
from pydantic_core import PydanticCustomError, from_json
from typing_extensions import TypedDict

from serving.answers import Action
from serving.contract import MAX_ROWS, Attributes, DealRow, EventRow, InstantOrNone, Name, StageRow, Text
from serving.errors import MalformedBody, ServiceError, malformed

MAX_ALIASES = 100
MAX_FEEDBACK = 100
_IN_ONE_GO = 500
"""Rows checked at once: other threads get their turn between two goes, and one bad row costs the others of its go a second look."""

Row = dict[str, Any]
_SCALAR: dict[str, JsonValue] = {"anyOf": [{"type": t} for t in ("string", "number", "boolean", "null")]}
Value = Annotated[Any, WithJsonSchema(_SCALAR)]
_ATTRIBUTES: TypeAdapter[Row] = TypeAdapter(Attributes)
_OPEN = ConfigDict(extra="allow", coerce_numbers_to_str=True, json_schema_extra={"additionalProperties": _SCALAR})
_CLOSED = ConfigDict(extra="forbid", coerce_numbers_to_str=True)


@with_config(_CLOSED)
class Alias(TypedDict):
    """Another id of the same lead: the kind of record in the CRM, such as `contact`, and its id there."""

    object: Name
    external_id: Name


@with_config(_OPEN)
class LeadItem(TypedDict, total=False):
    """What is known of a lead. Any other key is an attribute; a key that is absent stays as it is, null clears it. `changed_at`: since when
    the values are so (default: now)."""

    lead_id: Name
    created_at: InstantOrNone
    recorded_at: InstantOrNone
    changed_at: InstantOrNone
    account_id: Text | None
    owner: Text | None
    email: Value
    phone: Value
    job_title: Value
    country: Value
    source: Value
    aliases: Annotated[list[Alias], Field(max_length=MAX_ALIASES)]


@with_config(_OPEN)
class AccountItem(TypedDict, total=False):
    """What is known of an account. Any other key is an attribute; a key that is absent stays as it is, null clears it."""

    account_id: Name
    changed_at: InstantOrNone
    name: Value
    domain: Value
    industry: Value
    employees: Value
    revenue: Value
    country: Value


@with_config(_OPEN)
class EventItem(EventRow):
    """An event of a lead. With an `event_id` it is stored once, however often it is sent. Other columns are kept."""

    lead_id: Required[Name]


@with_config(_OPEN)
class StageItem(StageRow):
    """A stage or exit that a lead entered. Other columns are kept."""

    lead_id: Required[Name]


@with_config(_OPEN)
class DealItem(DealRow):
    """A deal of a lead. Sent again, the last one stands. Other columns are kept."""

    lead_id: Required[Name]


@with_config(_CLOSED)
class FeedbackItem(TypedDict, total=False):
    """What a person says of a lead: another action or stage than was recommended, whether a score was useful, and why. At least one of these."""

    lead_id: Required[Name]
    action: Action | None
    stage: Text | None
    score_id: Text | None
    useful: bool | None
    reason: Text | None
    by: Text | None


class LeadItems(BaseModel):
    """Several states of one lead, such as its history: each with its own `changed_at`."""

    items: list[LeadItem] = Field(max_length=MAX_ROWS)


class AccountItems(BaseModel):
    """Several states of one account, such as its history: each with its own `changed_at`."""

    items: list[AccountItem] = Field(max_length=MAX_ROWS)


class EventItems(BaseModel):
    """Up to 10,000 events; each is checked on its own, so that a bad one fails alone."""

    items: list[EventItem] = Field(max_length=MAX_ROWS)


class StageItems(BaseModel):
    """Up to 10,000 stage entries; each is checked on its own."""

    items: list[StageItem] = Field(max_length=MAX_ROWS)


class DealItems(BaseModel):
    """Up to 10,000 deals; each is checked on its own."""

    items: list[DealItem] = Field(max_length=MAX_ROWS)


class FeedbackItems(BaseModel):
    """Up to 100 pieces of feedback; each is checked on its own."""

    items: list[FeedbackItem] = Field(max_length=MAX_FEEDBACK)


class LeadBody(RootModel[LeadItem | LeadItems]):
    """One lead as a flat object, or items."""


class AccountBody(RootModel[AccountItem | AccountItems]):
    """One account as a flat object, or items."""


class FeedbackBody(RootModel[FeedbackItem | FeedbackItems]):
    """One piece of feedback, or items."""


class MergeRequest(BaseModel):
    """The duplicate: its history comes over, and its id becomes an alias."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    other: Name


class Kind:
    """One kind of row. What is not among its `columns` must be flat, so that it can be kept."""

    def __init__(self, item: Any, columns: Iterable[str]) -> None:
        self._columns = frozenset(columns)
        checked = Annotated[item, AfterValidator(self._flat)]
        self._one: TypeAdapter[Row] = TypeAdapter(checked)
        self._many: TypeAdapter[list[Row]] = TypeAdapter(list[checked])

    def _flat(self, row: Row) -> Row:
        others = {name: row[name] for name in row if name not in self._columns}
        if others:
            _check_flat(others)
        return row

    def check(self, items: Sequence[Any]) -> list[Row | ServiceError]:
        """Each item as a row with its times in micros UTC, or why it is refused; in order. What is refused already stays so."""
        goes = (items[first : first + _IN_ONE_GO] for first in range(0, len(items), _IN_ONE_GO))
        return [checked for go in goes for checked in self._check_go(go)]

    def _check_go(self, items: Sequence[Any]) -> Sequence[Row | ServiceError]:
        try:
            return self._many.validate_python(items)
        except ValidationError:
            return [self._check_one(item) for item in items]

    def _check_one(self, item: Any) -> Row | ServiceError:
        if isinstance(item, ServiceError):
            return item
        try:
            return self._one.validate_python(item)
        except ValidationError as error:
            return malformed(error)


def _check_flat(values: Row) -> None:
    try:
        _ATTRIBUTES.validate_python(values)
    except ValidationError as error:
        why = error.errors(include_url=False, include_input=False)[0]["msg"]
        raise PydanticCustomError("flat", "{why}", {"why": why}) from None


LEADS = Kind(LeadItem, ("lead_id", "created_at", "recorded_at", "changed_at", "account_id", "owner", "aliases"))
ACCOUNTS = Kind(AccountItem, ("account_id", "changed_at"))
EVENTS = Kind(EventItem, EventItem.__annotations__)
STAGES = Kind(StageItem, StageItem.__annotations__)
DEALS = Kind(DealItem, DealItem.__annotations__)
FEEDBACK = Kind(FeedbackItem, FeedbackItem.__annotations__)


def parsed(body: bytes) -> Any:
    """The JSON document, its numbers read as those of `POST /v1/score`. MalformedBody for anything else."""
    try:
        return from_json(body)
    except ValueError as error:
        raise MalformedBody(f"the body must be JSON; it is not: {error}.") from None


def listed(body: bytes) -> list[Any]:
    """The items of `{"items": [...]}`. MalformedBody where it is not that, or holds more than `MAX_ROWS`."""
    items, alone = listed_or_one(body)
    if alone:
        raise MalformedBody('the body must be {"items": [...]} with nothing beside items, or NDJSON.')
    return items


def listed_or_one(body: bytes) -> tuple[list[Any], bool]:
    """The items of `{"items": [...]}`, or the body itself as the only item: then True. No attribute holds a list, so it can't be both."""
    document = parsed(body)
    if not (isinstance(document, dict) and document.keys() == {"items"} and isinstance(document["items"], list)):
        return [document], True
    if len(document["items"]) > MAX_ROWS:
        raise _too_many(f"{len(document['items']):,}")
    return document["items"], False


def lines(body: bytes) -> list[Any]:
    """The items of NDJSON, one a line; blank lines are passed over. A line that is no JSON is a refusal in its place.

    MalformedBody where there are more than `MAX_ROWS`.
    """
    found = body.split(b"\n", MAX_ROWS)
    if len(found) > MAX_ROWS and found[-1].strip():
        raise _too_many("more")
    return [_line(line, n) for n, line in enumerate(found[:MAX_ROWS], 1) if line.strip()]


def _line(line: bytes, n: int) -> Any:
    try:
        return from_json(line)
    except ValueError as error:
        return MalformedBody(f"line {n} must be JSON; it is not: {error}.")


def _too_many(found: str) -> MalformedBody:
    return MalformedBody(f"items must have at most {MAX_ROWS:,} rows; it has {found}. Send them in several calls.")
