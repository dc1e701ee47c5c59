"""`GET /v1/model`: what serves, how good it is, and what could serve instead."""

import asyncio
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from sqlalchemy.exc import SQLAlchemyError

from serving.answers_model import ModelAnswer
from serving.openapi import KEYED, called
from serving.reports.model import standing_of
from serving.routes import Route, Service, answered


async def _model(_: Request, service: Service) -> Response:
    return answered(await model_document(service))


async def model_document(service: Service) -> dict[str, Any]:
    """As `ModelAnswer` says. Raises NoChampion or NotReady."""
    serving = service.champion.take()
    policy = service.champion.funnel.policy
    return serving.model | {"calls_per_day": policy.capacity_per_day, "standing": await _standing(service)}


async def _standing(service: Service) -> dict[str, Any] | None:
    """None where the store does not answer: what serves is known without it."""
    try:
        return await asyncio.to_thread(standing_of, service.store)
    except SQLAlchemyError:
        return None


ROUTES = (
    Route("/v1/model", "GET", "read", _model, called("model", "What serves, and how good it is", ModelAnswer, KEYED | {503: "No model serves yet"})),
)  # fmt: skip
