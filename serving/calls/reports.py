"""`GET /v1/funnel` and `GET /v1/losses`: where leads go and where they are lost, over all that the store holds."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from data.documents import suggestion
from features.journeys import Journeys, journeys_of_store
from serving.answers_reports import FunnelAnswer, LossesAnswer
from serving.contract import MAX_NAME
from serving.errors import MalformedBody
from serving.openapi import KEYED, called
from serving.reports.funnel import UnknownGrouping, funnel_report
from serving.reports.losses import loss_report
from serving.routes import Route, Service, answered


async def funnel_document(service: Service, by: str | None = None) -> dict[str, Any]:
    """As `FunnelAnswer` says; at most a minute old. Raises MalformedBody for a `by` that is not among its options."""
    journeys = await _journeys(service)
    try:
        found: dict[str, Any] = await service.reports.get(f"funnel by {by}, {id(journeys)}", partial(funnel_report, journeys, by))
    except UnknownGrouping as refused:
        raise MalformedBody(f"the parameter by must be month or an attribute that leads differ in. {suggestion(by or '', refused.options)}") from None
    return found


async def losses_document(service: Service) -> dict[str, Any]:
    """As `LossesAnswer` says; at most a minute old."""
    journeys, version = await _journeys(service), service.champion.version
    found: dict[str, Any] = await service.reports.get(f"losses, {version}, {id(journeys)}", partial(loss_report, journeys, leaking(service)))
    return found


def leaking(service: Service) -> frozenset[str]:
    """Attributes that the champion's leak report suspects: what is filled in because a deal ended says nothing of why it did."""
    if not service.champion.ready:
        return frozenset()
    return leaks_of(leak["column"] for leak in service.champion.take().scorer.bundle.about.get("leaks", ()))


def leaks_of(columns: Iterable[str]) -> frozenset[str]:
    """Journeys' names of columns as leak reports write them: `lead.tags` is `tags`, `account.size` is `account_size`."""
    return frozenset(column.removeprefix("lead.").replace("account.", "account_", 1) for column in columns)


async def _journeys(service: Service) -> Journeys:
    found: Journeys = await service.reports.get("journeys", lambda: journeys_of_store(service.store, service.champion.funnel, service.now()))
    return found


async def _funnel(request: Request, service: Service) -> Response:
    return answered(await funnel_document(service, _by(request)))


async def _losses(request: Request, service: Service) -> Response:
    if request.query_params:
        raise MalformedBody("this call has no parameters.")
    return answered(await losses_document(service))


def _by(request: Request) -> str | None:
    given = request.query_params.multi_items()
    if any(name != "by" for name, _ in given):
        raise MalformedBody("this call has no such parameter; it has by.")
    if len(given) > 1:
        raise MalformedBody("the parameter by must be given once.")
    by = given[0][1] if given else None
    if by is not None and not 0 < len(by) <= MAX_NAME:
        raise MalformedBody(f"the parameter by must have 1 to {MAX_NAME:,} characters.")
    return by


_BY = {
    "name": "by",
    "in": "query",
    "required": False,
    "description": "What to group leads by: `month`, or an attribute out of the answer's `options`, such as `source` or `account_industry`.",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_NAME},
    "example": "month",
}

ROUTES = (
    Route("/v1/funnel", "GET", "read", _funnel,
          called("funnel", "How likely and how fast leads go from stage to stage", FunnelAnswer, KEYED | {422: "Leads can't be grouped by that"},
                 parameters=[_BY])),
    Route("/v1/losses", "GET", "read", _losses,
          called("losses", "What is lost, where, why and to whom", LossesAnswer, KEYED | {422: "A parameter was given"})),
)  # fmt: skip
