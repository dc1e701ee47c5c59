"""The contract's examples: one answer of each call, and the refusals that a call may get."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from serving import errors
from serving.errors import ServiceError

if TYPE_CHECKING:
    from serving.routes import Route

Refusals = tuple[type[ServiceError], ...]

_ALWAYS: dict[int, Refusals] = {
    401: (errors.Unauthorized,),
    403: (errors.Forbidden,),
    413: (errors.TooLarge,),
    422: (errors.MalformedBody,),
    429: (errors.TooManyRequests,),
    503: (errors.StoreDown, errors.StoreBusy),
}
_OF_PATH: dict[tuple[int, str], Refusals] = {
    (404, "{"): (errors.NotFound,),
    (404, "{lead_id}"): (errors.UnknownLead,),
    (404, "{lead_id}/score"): (errors.NotScored,),
    (404, "{score_id}"): (errors.UnknownScore, errors.UnknownVersion),
    (404, "{version}"): (errors.UnknownVersion,),
    (404, "/jobs/"): (errors.UnknownJob,),
    (404, "/webhooks/"): (errors.UnknownWebhook,),
    (404, "/feedback"): (errors.UnknownLead,),
    (410, "/queue"): (errors.CursorExpired,),
    (410, "{lead_id}"): (errors.Erased,),
    (410, "{score_id}"): (errors.Erased,),
    (410, "/feedback"): (errors.Erased,),
    (422, "/v1/score"): (errors.FutureAsOf, errors.NotYetCreated, errors.UnknownStage),
    (422, "/feedback"): (errors.UnknownStage,),
    (503, "/v1/score"): (errors.NoChampion, errors.NotReady),
    (503, "/model"): (errors.NoChampion, errors.NotReady),
    (503, "/icp"): (errors.NoChampion, errors.NotReady),
    (503, "/history"): (errors.NoChampion, errors.NotReady),
    (503, "/queue"): (errors.NoChampion, errors.NotReady),
}


def refusals_of(status: int, route: "Route") -> Iterator[type[ServiceError]]:
    """Those of this status that the call may answer."""
    yield from _ALWAYS.get(status, ())
    if status == 409:
        yield from (errors.Conflict,) if 409 in route.told.get("responses", {}) else ()
        yield from (errors.IdempotencyConflict, errors.InProgress) if route.method == "POST" else ()
    for (of, part), found in _OF_PATH.items():
        if of == status and part in route.path:
            yield from found
    if status == 503 and route.scope == "score":
        yield errors.LedgerDown


@lru_cache(maxsize=1)
def answers() -> dict[str, Any]:
    """By operation id, or by operation id and status: an answer of this service over a small store, shortened where it is long."""
    found: dict[str, Any] = orjson.loads(Path(__file__).with_name("examples.json").read_bytes())
    return found
