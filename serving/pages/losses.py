"""The page of losses: why deals are lost, to whom, where, and what those had in common."""

from fastapi.responses import Response

from serving.calls.reports import losses_document
from serving.pages.figures import Figures
from serving.pages.frame import Page, Visit
from serving.pages.losses_view import view


async def _shown(visit: Visit) -> Response:
    """The same as `GET /v1/losses`."""
    report = await losses_document(visit.service)
    f = Figures(visit.words)
    return visit.page("losses.html", f=f, losses=report, v=view(report, f))


PAGES = (Page("/losses", ("GET",), "read", _shown),)
