"""The page of the funnel: how many got how far, how likely and how fast, for all or apart by what one attribute says."""

from fastapi.responses import Response

from serving.calls.reports import funnel_document
from serving.pages.figures import Figures
from serving.pages.frame import Page, Visit
from serving.pages.funnel_view import view


async def _shown(visit: Visit) -> Response:
    """The same as `GET /v1/funnel`. Raises MalformedBody for what leads can't be parted by."""
    report = await funnel_document(visit.service, visit.query.get("by") or None)
    f = Figures(visit.words)
    return visit.page("funnel.html", f=f, funnel=report, v=view(report, f))


PAGES = (Page("/funnel", ("GET",), "read", _shown),)
