"""`POST /v1/score` and `POST /v1/score/batch`: the score of what is sent."""

import asyncio
import logging
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from pydantic import ValidationError

from data.home import clock
from serving.answers import BatchAnswer, ScoreAnswer
from serving.champion import Serving
from serving.contract import BatchRequest, ScoreRequest
from serving.errors import InternalError, MalformedBody, ServiceError, malformed
from serving.openapi import REASONS, SCORE_EXAMPLE, posted
from serving.routes import Route, Service, answered, body_of

_LOG = logging.getLogger("leadscore.http")
_IN_ONE_GO = 8
"""Items of a batch between two looks at other calls."""


async def _score(request: Request, service: Service) -> Response:
    everything = _wants_all(request)
    body = await body_of(request, service)
    serving = service.champion.take()
    try:
        asked = ScoreRequest.model_validate_json(body)
    except ValidationError as error:
        raise malformed(error) from None
    return answered(serving.scorer.answer(asked, clock(), everything))


async def _score_batch(request: Request, service: Service) -> Response:
    everything = _wants_all(request)
    body = await body_of(request, service)
    serving = service.champion.take()
    try:
        items = BatchRequest.model_validate_json(body).items
    except ValidationError as error:
        raise malformed(error) from None
    now, results = clock(), []
    for n, item in enumerate(items):
        if n % _IN_ONE_GO == 0:
            await asyncio.sleep(0)
        results.append(_one_of_many(serving, item, now, everything))
    return answered({"results": results})


def _one_of_many(serving: Serving, item: Any, now: int, everything: bool) -> dict[str, Any]:
    try:
        return serving.scorer.answer(ScoreRequest.model_validate(item), now, everything)
    except ValidationError as error:
        return malformed(error).document
    except ServiceError as error:
        return error.document
    except Exception as error:  # noqa: BLE001 - the other items still get their answers
        _LOG.error("failed", exc_info=error)
        return InternalError("something went wrong here with this item; the log has it.").document


def _wants_all(request: Request) -> bool:
    asked = request.query_params.get("reasons", "top") if request.scope["query_string"] else "top"
    if asked not in ("top", "all"):
        raise MalformedBody("the parameter reasons must be top or all.")
    return asked == "all"


ROUTES = (
    Route("/v1/score", "POST", "score", _score,
          posted("score", "Score one lead", ScoreRequest, ScoreAnswer, SCORE_EXAMPLE, parameters=[REASONS])),
    Route("/v1/score/batch", "POST", "score", _score_batch,
          posted("score_batch", "Score up to 1,000 leads", BatchRequest, BatchAnswer, {"items": [SCORE_EXAMPLE]}, parameters=[REASONS])),
)  # fmt: skip
