"""Refusals: an exception class is an HTTP answer, `{"error": <class name>, "detail": <what to do>}`."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import ValidationError

_SHOWN = 5


class ServiceError(Exception):
    """Base of every refusal; `str(error)` is the detail for people and never repeats what was sent about a lead."""

    status: ClassVar[int] = 500

    @property
    def headers(self) -> dict[str, str]:
        return {}

    @property
    def document(self) -> dict[str, str]:
        return {"error": type(self).__name__, "detail": str(self)}


class MalformedBody(ServiceError):
    """The body is not JSON, or not of the documented shape."""

    status = 422


class FutureAsOf(ServiceError):
    """`as_of` lies after now: what will be known then can't be used."""

    status = 422


class UnknownStage(ServiceError):
    """The funnel knows no stage of that name."""

    status = 422


class NotYetCreated(ServiceError):
    """`lead.created_at` lies after `as_of`: there was no lead to score."""

    status = 422


class Unauthorized(ServiceError):
    """No key, or not a living one."""

    status = 401

    @property
    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": "Bearer"}


class Forbidden(ServiceError):
    """The key lacks the scope, or an open service was called from elsewhere than this machine."""

    status = 403


class NotFound(ServiceError):
    """There is nothing under this path."""

    status = 404


class MethodNotAllowed(ServiceError):
    """The path is there, but not for this method."""

    status = 405

    def __init__(self, detail: str, allowed: str) -> None:
        super().__init__(detail)
        self.allowed = allowed

    @property
    def headers(self) -> dict[str, str]:
        return {"Allow": self.allowed}


class TooLarge(ServiceError):
    """The body is larger than the limit."""

    status = 413


class InternalError(ServiceError):
    """The program itself is at fault; the log has the rest."""

    status = 500


class NoChampion(ServiceError):
    """No bundle has been promoted yet."""

    status = 503


class NotReady(ServiceError):
    """The process has just started, or its champion can't be loaded."""

    status = 503


class StoreDown(ServiceError):
    """The operational store does not answer, and the question can't be settled without it."""

    status = 503


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
