"""`POST /v1/score` and `POST /v1/score/batch`: the score of what is sent. It is in the ledger's spool before it is told."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from pydantic import ValidationError

from serving.answers import BatchAnswer, ScoreAnswer
from serving.contract import BatchRequest, ScoreRequest
from serving.errors import InternalError, MalformedBody, ServiceError, malformed
from serving.openapi import LANGUAGE, REASONS, SCORE_EXAMPLE, posted
from serving.retelling import answer_in, words_of
from serving.routes import Route, Service, answered, body_of
from serving.scorer import Scored, Scorer

_LOG = logging.getLogger("leadscore.http")
_ITEMS_IN_ONE_GO, _ROWS_IN_ONE_GO = 32, 2_000
"""Of a batch, between two looks at other calls: some ten milliseconds."""


async def _score(request: Request, service: Service) -> Response:
    everything = _wants_all(request)
    body = await body_of(request, service)
    scorer = service.champion.take().scorer
    try:
        asked = ScoreRequest.model_validate_json(body)
    except ValidationError as error:
        raise malformed(error) from None
    answer, record = scorer.score(asked, service.now(), everything)
    await service.spool.keep((record,))
    return answered(answer_in(answer, scorer.bundle.schema, words_of(request)))


async def _score_batch(request: Request, service: Service) -> Response:
    everything = _wants_all(request)
    body = await body_of(request, service)
    scorer = service.champion.take().scorer
    try:
        items = BatchRequest.model_validate_json(body).items
    except ValidationError as error:
        raise malformed(error) from None
    now, found = service.now(), list[Scored | ServiceError]()
    for portion in _portions(items):
        await asyncio.sleep(0)
        found += _scored(scorer, portion, now, everything)
    records = [one[1] for one in found if not isinstance(one, ServiceError)]
    await service.spool.keep(records)
    schema, words = scorer.bundle.schema, words_of(request)
    return answered({"results": [one.document if isinstance(one, ServiceError) else answer_in(one[0], schema, words) for one in found]})


def _portions(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """The items in order, so many at once that other calls are not held up."""
    first, rows = 0, 0
    for n, item in enumerate(items):
        rows += _rows(item)
        if n + 1 - first == _ITEMS_IN_ONE_GO or rows >= _ROWS_IN_ONE_GO:
            yield items[first : n + 1]
            first, rows = n + 1, 0
    if first < len(items):
        yield items[first:]


def _rows(item: Any) -> int:
    tables = item.values() if isinstance(item, dict) else ()
    return sum(len(table) for table in tables if isinstance(table, list))


def _scored(scorer: Scorer, items: Sequence[Any], now: int, everything: bool) -> list[Scored | ServiceError]:
    """One result per item, in order; what is wrong with one item costs no other its answer."""
    asked = [_checked(item) for item in items]
    good = [one for one in asked if isinstance(one, ScoreRequest)]
    try:
        scored = iter(scorer.score_many(good, now, everything))
    except Exception:  # noqa: BLE001 - told with the item that it comes from
        scored = iter([_alone(scorer, one, now, everything) for one in good])
    return [next(scored) if isinstance(one, ScoreRequest) else one for one in asked]


def _checked(item: Any) -> ScoreRequest | ServiceError:
    try:
        return ScoreRequest.model_validate(item)
    except ValidationError as error:
        return malformed(error)


def _alone(scorer: Scorer, asked: ScoreRequest, now: int, everything: bool) -> Scored | ServiceError:
    try:
        return scorer.score_many([asked], now, everything)[0]
    except Exception as error:  # noqa: BLE001 - the other items still get their answers
        _LOG.error("failed", exc_info=error)
        return InternalError("something went wrong here with this item; the log has it.")


def _wants_all(request: Request) -> bool:
    asked = request.query_params.get("reasons", "top") if request.scope["query_string"] else "top"
    if asked not in ("top", "all"):
        raise MalformedBody("the parameter reasons must be top or all.")
    return asked == "all"


ROUTES = (
    Route("/v1/score", "POST", "score", _score,
          posted("score", "Score one lead", ScoreRequest, ScoreAnswer, SCORE_EXAMPLE, tag="scoring", parameters=[REASONS, LANGUAGE])),
    Route("/v1/score/batch", "POST", "score", _score_batch,
          posted("score_batch", "Score up to 1,000 leads", BatchRequest, BatchAnswer, {"items": [SCORE_EXAMPLE]}, tag="scoring",
                 parameters=[REASONS, LANGUAGE])),
)  # fmt: skip
