"""The page of the model: how good it is, what asks to take its place, and the buttons that let it, or take that back."""

import asyncio
from typing import Any

from fastapi.responses import Response

from serving.calls.model import model_document
from serving.calls.operations import promoted, requested_by, rolled_back
from serving.errors import Conflict, MalformedBody, NoChampion, UnknownVersion
from serving.pages.charts import width_of
from serving.pages.figures import Figures
from serving.pages.frame import Page, Visit
from serving.pages.model_view import ahead, rules, sections
from serving.reports.model import standing_of

LOADED_WITHIN_SECONDS, LOOK_EVERY_SECONDS = 3.0, 0.05
"""A promotion is shown once this process serves it, which follows within a second; but nobody is kept longer than this."""
LONGEST_REASON = 500


async def _shown(visit: Visit) -> Response:
    """Also before the first promotion: then there may be a version to promote."""
    f = Figures(visit.words)
    try:
        document: dict[str, Any] | None = await model_document(visit.service)
    except NoChampion:
        document = None
    standing = document["standing"] if document else await asyncio.to_thread(standing_of, visit.service.store)
    found = sections(document, f) if document else []
    told = {"model": document, "sections": found, "ahead": ahead(document) if document else [], "standing": standing}
    return visit.page("model.html", 200, f=f, rules=rules(visit.words), width=width_of, **told)


async def _standing(visit: Visit) -> dict[str, Any]:
    standing = await asyncio.to_thread(standing_of, visit.service.store)
    return standing | {"champion": next((one for one in standing["versions"] if one["role"] == "champion"), None)}


async def _ask_to_promote(visit: Visit) -> Response:
    standing, wanted = await _standing(visit), visit.parameters["version"]
    chosen = next((one for one in standing["versions"] if one["version"] == wanted), None)
    if chosen is None:
        raise UnknownVersion("there is no such version among the latest ones; the page of the model lists them.")
    if chosen["role"] == "champion":
        raise Conflict(f"version {wanted} is the champion already; there is nothing to promote.")
    return visit.page("model_promote.html", f=Figures(visit.words), chosen=chosen, standing=standing, longest=LONGEST_REASON)


async def _promote(visit: Visit) -> Response:
    """In place of the champion that was shown; where the champion has changed since, it is asked again."""
    reason = visit.form.get("reason", "").strip()
    if len(reason) > LONGEST_REASON:
        raise MalformedBody(f"reason must have at most {LONGEST_REASON} characters. Say it shorter.")
    champion = (await _standing(visit))["champion"]
    if visit.form.get("instead_of") != (champion["version"] if champion else ""):
        raise Conflict("another model serves since this page was loaded. Look at the page of the model again before you promote.")
    moved = await promoted(visit.service, visit.parameters["version"], reason or f"promoted by {requested_by(visit.caller)}")
    return await _back(visit, moved["version"])


async def _ask_to_roll_back(visit: Visit) -> Response:
    standing = await _standing(visit)
    if standing["rollback_to"] is None:
        raise Conflict("no model served before this one; there is nothing to go back to.")
    return visit.page("model_rollback.html", f=Figures(visit.words), standing=standing)


async def _roll_back(visit: Visit) -> Response:
    """To the version that was asked about; where the champion has changed since, it is asked again."""
    leads_to = (await asyncio.to_thread(standing_of, visit.service.store))["rollback_to"]
    if leads_to is None or visit.form.get("to") != leads_to:
        raise Conflict("another model serves since this page was loaded. Look at the page of the model again before you roll back.")
    moved = await rolled_back(visit.service, f"rolled back by {requested_by(visit.caller)}")
    return await _back(visit, moved["version"])


async def _back(visit: Visit, version: str) -> Response:
    for _ in range(int(LOADED_WITHIN_SECONDS / LOOK_EVERY_SECONDS)):
        if visit.service.champion.version == version:
            break
        await asyncio.sleep(LOOK_EVERY_SECONDS)
    return visit.redirect("/model#versions")


PAGES = (
    Page("/model", ("GET",), "read", _shown),
    Page("/model/promote/{version}", ("GET",), "operate", _ask_to_promote),
    Page("/model/promote/{version}", ("POST",), "operate", _promote),
    Page("/model/rollback", ("GET",), "operate", _ask_to_roll_back),
    Page("/model/rollback", ("POST",), "operate", _roll_back),
)
