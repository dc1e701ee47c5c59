"""Refusals: an exception class is an HTTP answer, `{"error": <class name>, "detail": <what to do>}`."""

from collections.abc import Mapping
from math import ceil
from typing import Any, ClassVar

from pydantic import ValidationError
from sqlalchemy import exc as sa_errors
from sqlalchemy.exc import SQLAlchemyError

_SHOWN = 5


class ServiceError(Exception):
    """Base of every refusal; `str(error)` is the detail for people and never repeats what was sent about a lead.

    `example` is a detail as the contract shows it.
    """

    status: ClassVar[int] = 500
    example: ClassVar[str] = ""

    @property
    def headers(self) -> dict[str, str]:
        return {}

    @property
    def document(self) -> dict[str, str]:
        return {"error": type(self).__name__, "detail": str(self)}


class RetryLater(ServiceError):
    """Base of the refusals that say when to try again: `Retry-After` in whole seconds, at least 1."""

    def __init__(self, detail: str, seconds: float = 1) -> None:
        super().__init__(detail)
        self.seconds = seconds

    @property
    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(max(1, ceil(self.seconds)))}


class MalformedBody(ServiceError):
    """The body, or a parameter, is not of the documented shape."""

    status = 422
    example = "events[0].occurred_at must be a time in ISO-8601, such as 2026-11-21T10:00:00Z."


class FutureAsOf(ServiceError):
    """`as_of` lies after now: what will be known then can't be used."""

    status = 422
    example = "as_of must not be after now (2026-11-21T10:00:00Z); it is 2027-01-01T00:00:00Z. Leave it out to score as of now."


class UnknownStage(ServiceError):
    """The funnel knows no stage of that name."""

    status = 422
    example = "stages[0].stage is not a stage of the funnel. Use lead, prospect, opportunity or customer, or name it in funnel.toml."


class NotYetCreated(ServiceError):
    """`lead.created_at` lies after `as_of`: there was no lead to score."""

    status = 422
    example = "lead.created_at (2026-11-22T10:00:00Z) must not be after as_of (2026-11-21T10:00:00Z). Correct one of them."


class Unauthorized(ServiceError):
    """No key, or not a living one."""

    status = 401
    example = "this key is not known or was revoked. `leadscore keys list` shows the living ones."

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": "Bearer"}


class Forbidden(ServiceError):
    """The key lacks the scope, or an open service was called from elsewhere than this machine."""

    status = 403
    example = "this call needs the scope operate; the key has read, score. Use or create another key."


class NotFound(ServiceError):
    """There is nothing under this path."""

    status = 404
    example = "nothing is served under this path. GET /docs lists every call."


class UnknownLead(ServiceError):
    """No lead of this id, and no alias of one."""

    status = 404
    example = "there is no lead of this id, nor an alias of one. Send it with PUT /v1/leads/{id} first."


class UnknownScore(ServiceError):
    """No score of this id, or one that was given longer ago than scores are kept."""

    status = 404
    example = "there is no score of this id; scores are kept for 400 days."


class NotScored(ServiceError):
    """The lead is known, and the store holds no score of it."""

    status = 404
    example = "the queue holds no score of this lead yet. Ask again shortly, or score it with POST /v1/score."


class UnknownJob(ServiceError):
    """No job of this id."""

    status = 404
    example = "there is no job of this id. GET /v1/jobs lists them."


class UnknownVersion(ServiceError):
    """No model of this version is in the store."""

    status = 404
    example = "version 9 is not in the store; versions there: 7, 8. Train, or name one of these."


class UnknownWebhook(ServiceError):
    """No webhook, or no delivery, of this id."""

    status = 404
    example = "there is no webhook of this id. GET /v1/webhooks lists them."


class Erased(ServiceError):
    """What was asked for belonged to a lead that has been erased."""

    status = 410
    example = "this lead was erased at 2026-11-20T09:00:00Z; nothing is held of it and nothing is taken in again."


class CursorExpired(ServiceError):
    """The snapshot that the cursor walks is no longer kept."""

    status = 410
    example = "the queue as it was at this cursor's first page is no longer kept: an hour is. Leave the cursor out to start again."


class MethodNotAllowed(ServiceError):
    """The path is there, but not for this method."""

    status = 405
    example = "PATCH is not served here; GET, PUT is. GET /docs lists every call."

    def __init__(self, detail: str, allowed: str) -> None:
        super().__init__(detail)
        self.allowed = allowed

    @property
    def headers(self) -> dict[str, str]:
        return {"Allow": self.allowed}


class Conflict(ServiceError):
    """What is asked for contradicts what stands."""

    status = 409
    example = "a lead can't be merged into itself. Name two leads."


class IdempotencyConflict(ServiceError):
    """The same `Idempotency-Key` was sent before with another body or to another path."""

    status = 409
    example = "this Idempotency-Key came before with another call or another body. Use a new key for each call, the same only to repeat it."


class InProgress(RetryLater):
    """The first call with this `Idempotency-Key` is still under way."""

    status = 409
    example = "the first call with this Idempotency-Key is still under way. Try again in a second."


class TooLarge(ServiceError):
    """The body is larger than the limit."""

    status = 413
    example = "the body must have at most 10,485,760 bytes; it has more. Send fewer events or items at once."


class TooManyRequests(RetryLater):
    """More calls than one key may make, or too many wrong keys from one address."""

    status = 429
    example = "this key may make 2,000 calls a second and made more. Try again after the seconds that Retry-After tells."


class InternalError(ServiceError):
    """The program itself is at fault; the log has the rest."""

    status = 500
    example = "something went wrong here, not in what was sent. The log has it under the request id 3f9c1b7d20a4e655."


class NoChampion(ServiceError):
    """No bundle has been promoted yet."""

    status = 503
    example = "no model has been promoted yet. `leadscore train DATASET` makes one, `leadscore promote VERSION` lets it serve."


class NotReady(ServiceError):
    """The process has just started, or its champion can't be loaded."""

    status = 503
    example = "no model is loaded: the champion is being loaded."


class LedgerDown(ServiceError):
    """The score could not be written down, so it is not given."""

    status = 503
    example = "the ledger can't be written (No space left on device), so no score is given. Make room under LEADSCORE_HOME."


class StoreDown(RetryLater):
    """The operational store does not answer, and the question can't be settled without it."""

    status = 503
    example = "the operational store (the database) does not answer. Scores are still given; try this again shortly."


class StoreBusy(RetryLater):
    """The operational store answers, but others were writing for too long."""

    status = 503
    example = "the operational store (the database) was busy with other writers for too long; nothing was changed. Try again."


def refusal_of(error: SQLAlchemyError) -> RetryLater | None:
    """StoreDown or StoreBusy where the database is at fault, None where the program is."""
    down = isinstance(error, sa_errors.OperationalError | sa_errors.InterfaceError | sa_errors.InternalError | sa_errors.TimeoutError)
    if not down and type(error) is not sa_errors.DatabaseError:
        return None
    cause = getattr(error, "orig", None)
    if isinstance(error, sa_errors.TimeoutError) or type(cause).__name__ in _BUSY or "locked" in str(cause):
        return StoreBusy(StoreBusy.example)
    return StoreDown(StoreDown.example)


# Psycopg's names, which is not imported where SQLite serves.
_BUSY = frozenset({"LockNotAvailable", "DeadlockDetected", "SerializationFailure", "QueryCanceled"})


def malformed(error: ValidationError) -> MalformedBody:
    """Plain words for pydantic's findings: each field's path and what is wrong with it, at most five, no values."""
    found = error.errors(include_url=False, include_input=False)
    told = [_told(problem) for problem in found[:_SHOWN]]
    more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return MalformedBody("; ".join([*told, *more]) + ".")


def _told(problem: Mapping[str, Any]) -> str:
    kind, context = str(problem["type"]), problem.get("ctx", {})
    if kind == "json_invalid":
        return f"the body must be JSON; it is not: {context['error']}"
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"]).lstrip(".")
    return f"{path or 'the body'} {_WORDS[kind].format(**context) if kind in _WORDS else problem['msg']}"


_OBJECT = "must be an object"
_TEXT = "must be text"
_NUMBER = "must be a number"
_WORDS = {
    "missing": "must be given",
    "extra_forbidden": "is not a field of this call",
    "model_type": _OBJECT,
    "dict_type": _OBJECT,
    "list_type": "must be a list",
    "too_long": "must have at most {max_length} rows; it has {actual_length}",
    "string_type": _TEXT,
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "must not be empty",
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": "must be a finite number",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
}
