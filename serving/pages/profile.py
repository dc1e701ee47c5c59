"""The page of the ideal customer profile: who buys, as it was learned and as the team corrects it."""

from fastapi.responses import Response

from serving.calls.icp import icp_document
from serving.pages.figures import Figures
from serving.pages.frame import Page, Visit
from serving.pages.profile_view import example, view


async def _shown(visit: Visit) -> Response:
    """The same as `GET /v1/icp`. Raises NoChampion or NotReady."""
    report = await icp_document(visit.service, visit.words)
    f = Figures(visit.words)
    return visit.page("profile.html", f=f, icp=report, v=view(report, f), example=example(report))


PAGES = (Page("/profile", ("GET",), "read", _shown),)
