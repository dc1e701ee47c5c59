"""Webhook endpoints and their deliveries: `/v1/webhooks`, `/v1/webhooks/deliveries`."""

import asyncio
from typing import Any, cast, get_args

import orjson
from fastapi import Request
from fastapi.responses import Response
from pydantic import ValidationError

from data import deliveries, webhooks
from data.contract import format_instant
from serving.answers_operations import (
    DeliveriesAnswer,
    DeliveryAnswer,
    DeliveryState,
    WebhookCreated,
    WebhookRemoved,
    WebhookRequest,
    WebhooksAnswer,
)
from serving.cursors import CURSOR, cursor_of, place_of
from serving.errors import Conflict, MalformedBody, UnknownWebhook, malformed
from serving.openapi import KEYED, called, posted
from serving.pinned import Refused, target_of
from serving.routes import Route, Service, answered, body_of
from serving.webhooks import private_allowed

DELIVERIES_SHOWN = 100
MAX_ENDPOINTS = 100
_STATES: tuple[str, ...] = get_args(DeliveryState)


async def _create(request: Request, service: Service) -> Response:
    try:
        asked = WebhookRequest.model_validate_json(await body_of(request, service))
        target_of(asked.url, private_allowed())
    except ValidationError as error:
        raise malformed(error) from None
    except Refused as error:
        raise MalformedBody(f"url: {error}.") from None
    if len(await asyncio.to_thread(webhooks.endpoints, service.store)) >= MAX_ENDPOINTS:
        raise Conflict(f"there are {MAX_ENDPOINTS} webhooks already, the most there may be. DELETE one of them first.")
    made = await asyncio.to_thread(webhooks.add_endpoint, service.store, asked.url, asked.types, asked.description, service.now())
    return answered(_created(*made))


async def _list(_: Request, service: Service) -> Response:
    found = await asyncio.to_thread(webhooks.endpoints, service.store)
    return answered({"items": [_endpoint(endpoint) for endpoint in found]})


async def _remove(request: Request, service: Service) -> Response:
    id = request.path_params["id"]
    if not await asyncio.to_thread(webhooks.remove_endpoint, service.store, id):
        raise UnknownWebhook(UnknownWebhook.example)
    return answered({"id": id, "removed": True})


async def _rotate(request: Request, service: Service) -> Response:
    made = await asyncio.to_thread(webhooks.rotate, service.store, request.path_params["id"], service.now())
    if made is None:
        raise UnknownWebhook(UnknownWebhook.example)
    return answered(_created(*made))


async def _deliveries(request: Request, service: Service) -> Response:
    state = request.query_params.get("state")
    if state is not None and state not in _STATES:
        raise MalformedBody(f"the parameter state must be one of {', '.join(_STATES)}.")
    after = place_of(request.query_params.get("cursor"))
    found = await asyncio.to_thread(deliveries.deliveries, service.store, cast("deliveries.State | None", state), DELIVERIES_SHOWN + 1, after)
    shown = found[:DELIVERIES_SHOWN]
    cursor = cursor_of((shown[-1].created_at, shown[-1].id)) if len(found) > len(shown) else None
    return answered({"items": [_delivery(delivery) for delivery in shown], "next_cursor": cursor})


async def _replay(request: Request, service: Service) -> Response:
    id = request.path_params["id"]
    outcome = await asyncio.to_thread(deliveries.replay, service.store, id, service.now())
    found = await asyncio.to_thread(deliveries.delivery, service.store, id)
    if outcome == "unknown" or found is None:
        raise UnknownWebhook("there is no delivery of this id. GET /v1/webhooks/deliveries lists them.")
    if outcome in _NOT_AGAIN:
        raise Conflict(_NOT_AGAIN[outcome])
    return answered(_delivery(found))


_NOT_AGAIN: dict[str, str] = {
    "waiting": "the delivery has not ended: it is sent, or tried again, by itself.",
    "disabled": "the delivery's webhook is disabled, because it answered 410 Gone. POST /v1/webhooks/{id}/rotate enables it again.",
}


def _endpoint(endpoint: webhooks.Endpoint) -> dict[str, Any]:
    told = {name: getattr(endpoint, name) for name in ("id", "url", "description")}
    times = {name: _instant(getattr(endpoint, name)) for name in ("created_at", "disabled_at")}
    return told | {"types": list(endpoint.types)} | times


def _created(secret: str, endpoint: webhooks.Endpoint) -> dict[str, Any]:
    return _endpoint(endpoint) | {"secret": secret}


def _delivery(delivery: deliveries.Delivery) -> dict[str, Any]:
    told = {name: getattr(delivery, name) for name in ("id", "webhook_id", "type", "state", "attempts", "last_status", "last_error")}
    times = {name: _instant(getattr(delivery, name)) for name in ("created_at", "next_at", "delivered_at")}
    return told | times | {"body": orjson.loads(delivery.body)}


def _instant(micros: int | None) -> str | None:
    return None if micros is None else format_instant(micros)


_STATE = {
    "name": "state",
    "in": "query",
    "required": False,
    "description": "Only those in this state; `dead` ones have been given up and can be replayed.",
    "schema": {"type": "string", "enum": list(_STATES)},
}
_EXAMPLE = {"url": "https://crm.example.com/hooks/leadscore", "types": ["score.changed", "model.promoted"], "description": "the CRM"}
_UNKNOWN = KEYED | {404: "No webhook of this id"}

ROUTES = (
    Route("/v1/webhooks", "POST", "operate", _create,
          posted("create_webhook", "Have changes sent to a URL", WebhookRequest, WebhookCreated, _EXAMPLE,
                 refusals={409: "There are as many as there may be"})),
    Route("/v1/webhooks", "GET", "operate", _list, called("webhooks", "Where changes are sent", WebhooksAnswer, KEYED)),
    Route("/v1/webhooks/deliveries", "GET", "operate", _deliveries,
          called("deliveries", "What was sent, what waits, and what was given up", DeliveriesAnswer, KEYED | {422: "No such state or cursor"},
                 parameters=[_STATE, CURSOR])),
    Route("/v1/webhooks/deliveries/{id}/replay", "POST", "operate", _replay,
          called("replay_delivery", "Send a dead or delivered one again", DeliveryAnswer,
                 KEYED | {404: "No delivery of this id", 409: "It has not ended, or its webhook is disabled"})),
    Route("/v1/webhooks/{id}", "DELETE", "operate", _remove,
          called("remove_webhook", "Forget a webhook and its deliveries", WebhookRemoved, _UNKNOWN)),
    Route("/v1/webhooks/{id}/rotate", "POST", "operate", _rotate,
          called("rotate_webhook", "A new secret; the old one signs too for a day", WebhookCreated, _UNKNOWN)),
)  # fmt: skip
