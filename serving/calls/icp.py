"""`GET /v1/icp`: the champion's ideal customer profile, as the team corrects it."""

import asyncio
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from serving.answers_icp import ProfileAnswer
from serving.openapi import KEYED, called
from serving.reports.icp import icp_report
from serving.routes import Route, Service, answered
from serving.words import Words, words_for


async def _icp(request: Request, service: Service) -> Response:
    return answered(await icp_document(service, words_for(request.headers.get("accept-language"))))


async def icp_document(service: Service, words: Words) -> dict[str, Any]:
    """As `ProfileAnswer` says, its sentences in `words`. Raises NoChampion or NotReady."""
    scorer = service.champion.take().scorer
    return await asyncio.to_thread(icp_report, scorer.bundle, scorer.corrections, scorer.version, words)


ROUTES = (
    Route("/v1/icp", "GET", "read", _icp,
          called("icp", "Who becomes a customer: the ideal customer profile", ProfileAnswer, KEYED | {503: "No model serves yet"})),
)  # fmt: skip
