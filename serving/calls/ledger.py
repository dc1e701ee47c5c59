"""Scores that were given: the latest one of a lead, all of them and why they changed, and any of them given again."""

import asyncio
import time
from functools import cache, partial
from typing import Any

import sqlalchemy as sa
from fastapi import Request
from fastapi.responses import Response

from data import leads, ledger, queue
from data.contract import DataError, canonical
from data.ledger import Place, ScoreRecord
from data.schema import PENDING
from data.store import Store
from serving.answers_ledger import HistoryAnswer, ReplayAnswer, StoredScore
from serving.cursors import CURSOR, cursor_of, place_of
from serving.errors import Erased, MalformedBody, NotScored, UnknownLead, UnknownScore, UnknownVersion
from serving.explained import Explainer
from serving.openapi import KEYED, LANGUAGE, REASONS, called
from serving.replay import SETTLING_SECONDS, replayed, scorer_of
from serving.retelling import history_in, schema_of, stored, words_of
from serving.routes import Route, Service, answered
from serving.scorer import Scorer
from serving.spool import waiting
from serving.words import Words

SHOWN, MOST_SHOWN = 50, 500
_LOOK_SECONDS = 0.02
_LEAD_GONE = {404: "No such lead", 410: "The lead was erased"}


async def _latest(request: Request, service: Service) -> Response:
    return answered(await asyncio.to_thread(stored_score, service, request.path_params["lead_id"], words_of(request)))


def stored_score(service: Service, given: str, words: Words) -> dict[str, Any]:
    """The latest score of the lead of this id or alias, as StoredScore; blocking. Raises UnknownLead, Erased, NotScored."""
    store, lead_id = service.store, lead_id_of(service.store, given)
    row = queue.current(store, lead_id)
    if row is None:
        raise NotScored(
            "the queue holds no score of this lead: it was sent a moment ago, no model serves yet, or it stands in an exit or in the last stage. "
            "Ask again shortly, or score it with POST /v1/score."
        )
    before = row["previous_score"]
    trend = None if before is None else row["score"] - before
    answer = stored(row["answer"], schema_of(service.champion), words)
    return answer | {"trend": trend, "stale": _is_stale(store, lead_id)}


def _is_stale(store: Store, lead_id: str) -> bool:
    with store.engine.connect() as connection:
        return connection.scalar(sa.select(PENDING.c.lead_id).where(PENDING.c.lead_id == lead_id)) is not None


def lead_id_of(store: Store, given: str) -> str:
    """The lead_id that an id or alias means. Raises UnknownLead, Erased."""
    id = canonical(given) or given
    found = leads.resolve(store, [id]).get(id)
    if found is not None:
        return found
    if leads.is_erased(store, id):
        raise Erased("this lead was erased: nothing is held of it.")
    raise UnknownLead("there is no lead of this id, nor an alias of one. Send it with PUT /v1/leads/{id} first.")


def _scored_as(store: Store, given: str) -> str:
    """The same, also of a lead that the ledger alone knows: it was scored as it was sent, and never put into the store."""
    try:
        return lead_id_of(store, given)
    except UnknownLead:
        id = canonical(given) or given
        if ledger.of_lead(store, id, 1):
            return id
        raise


async def _history(request: Request, service: Service) -> Response:
    limit, after = _limit(request.query_params.get("limit")), place_of(request.query_params.get("cursor"))
    words = words_of(request)
    return answered(await asyncio.to_thread(explained_history, service, request.path_params["lead_id"], limit, words, after))


def explained_history(service: Service, given: str, limit: int, words: Words, after: Place | None = None) -> dict[str, Any]:
    """The lead's scores from the ledger and why each changed, as HistoryAnswer, told in `words`; blocking. Raises UnknownLead, Erased."""
    lead_id = _scored_as(service.store, given)
    found = ledger.of_lead(service.store, lead_id, limit + 1, after)
    page = found[:limit]
    explainer = Explainer(service.store, lead_id, cache(partial(_scorer, service)), service.now())
    cursor = cursor_of((page[-1].at, page[-1].score_id)) if len(found) > limit else None
    return {"lead_id": lead_id, "items": history_in(explainer.history(page), schema_of(service.champion), words), "next_cursor": cursor}


def _limit(text: str | None) -> int:
    if text is None:
        return SHOWN
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MOST_SHOWN)) and 1 <= int(text) <= MOST_SHOWN):
        raise MalformedBody(f"the parameter limit must be a whole number from 1 to {MOST_SHOWN}.")
    return int(text)


async def _given_again(request: Request, service: Service) -> Response:
    everything = _wants_all(request)
    record = await _kept(service, request.path_params["score_id"])
    try:
        scorer = await asyncio.to_thread(_scorer, service, record.version)
        return answered((await asyncio.to_thread(replayed, record, scorer, everything)).document)
    except DataError as error:
        raise UnknownVersion(f"the score can't be given again: {error}") from None


def _scorer(service: Service, version: str) -> Scorer:
    """What serves, where it is that version; else the version as the store holds it."""
    serving = service.champion.take().scorer if service.champion.ready else None
    if serving is not None and serving.version == version:
        return serving
    return scorer_of(service.store, version, service.champion.funnel.policy)


async def _kept(service: Service, score_id: str) -> ScoreRecord:
    """Out of the ledger, where a score that was just given arrives a moment later."""
    record = await asyncio.to_thread(ledger.get, service.store, score_id)
    if record is None:
        await _settled(service)
        record = await asyncio.to_thread(ledger.get, service.store, score_id)
    if record is not None:
        return record
    if await asyncio.to_thread(ledger.was_erased, service.store, score_id):
        raise Erased("this score belonged to a lead that has been erased: nothing of it is kept.")
    raise UnknownScore("there is no score of this id. Check it; scores are kept as long as retention.scores_days of funnel.toml says.")


async def _settled(service: Service) -> None:
    """Until all that was acknowledged before is in the ledger, or `SETTLING_SECONDS` are over."""
    older, deadline = waiting(service.spool.folder), time.monotonic() + SETTLING_SECONDS
    while any(path.exists() for path in older) and time.monotonic() < deadline:
        await asyncio.sleep(_LOOK_SECONDS)


def _wants_all(request: Request) -> bool:
    asked = request.query_params.get("reasons", "top")
    if asked not in ("top", "all"):
        raise MalformedBody("the parameter reasons must be top or all.")
    return asked == "all"


_LIMIT = {
    "name": "limit",
    "in": "query",
    "required": False,
    "description": "Scores on a page.",
    "schema": {"type": "integer", "minimum": 1, "maximum": MOST_SHOWN, "default": SHOWN},
}
_PAGED = KEYED | _LEAD_GONE | {422: "limit or cursor is malformed"}
_REPLAYED = KEYED | {404: "No such score, or its model is no longer held", 410: "The score's lead was erased", 422: "reasons is malformed"}
ROUTES = (
    Route("/v1/leads/{lead_id}/score", "GET", "read", _latest,
          called("lead_score", "The latest score of a lead", StoredScore, KEYED | _LEAD_GONE, tag="leads", parameters=[LANGUAGE])),
    Route("/v1/leads/{lead_id}/history", "GET", "read", _history,
          called("lead_history", "The scores of a lead, and why each changed", HistoryAnswer, _PAGED, tag="leads",
                 parameters=[_LIMIT, CURSOR, LANGUAGE])),
    Route("/v1/scores/{score_id}", "GET", "read", _given_again,
          called("score_replay", "A score given again", ReplayAnswer, _REPLAYED, tag="scoring", parameters=[REASONS])),
)  # fmt: skip
