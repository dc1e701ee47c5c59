"""The page of the jobs: what runs, how far it is and what it says, a retraining to begin, and one to end."""

import asyncio
from datetime import date
from typing import Any

from fastapi.responses import Response

from data import jobs
from serving.calls.operations import JOBS_SHOWN, requested_by
from serving.errors import Conflict, MalformedBody, UnknownJob
from serving.pages.frame import Page, Visit
from serving.words import msgid

PROMOTIONS = ("auto", "never", "always")
UNKNOWN = msgid("there is no job of this id; those that ended long ago are forgotten.")
_UNDER_WAY = ("queued", "running")
PATIENCE = 15_000_000
"""Micros after which a job that nobody has taken is said to wait for a worker."""


async def _list(visit: Visit) -> Response:
    return visit.page("jobs.html", **await _listed(visit))


async def _rows(visit: Visit) -> Response:
    return visit.fragment("_jobs.html", **await _listed(visit))


async def _listed(visit: Visit) -> dict[str, Any]:
    found = await asyncio.to_thread(jobs.latest, visit.service.store, JOBS_SHOWN)
    return {"jobs": found, "under_way": any(job.state in _UNDER_WAY for job in found), "now": visit.service.now()}


async def _begin(visit: Visit) -> Response:
    """As `POST /v1/retrain`: the one that waits already with the same wishes is not asked for twice."""
    promote = visit.form.get("promote", "auto")
    if promote not in PROMOTIONS:
        raise MalformedBody(msgid("when the new model serves must be one of the choices in the form."))
    arguments = {"since": _since(visit.form.get("since", "")), "promote": promote}
    now, store = visit.service.now(), visit.service.store
    job = await asyncio.to_thread(jobs.create, store, jobs.RETRAIN, arguments, now, requested_by(visit.caller))
    return visit.redirect(f"/jobs/{job.id}")


def _since(text: str) -> str | None:
    """The beginning of the day that was chosen, UTC."""
    try:
        return f"{date.fromisoformat(text.strip()).isoformat()}T00:00:00Z" if text.strip() else None
    except ValueError:
        raise MalformedBody(msgid("the day must be written like 2026-05-01, or left empty.")) from None


async def _one(visit: Visit) -> Response:
    return visit.page("job.html", **await _found(visit))


async def _progress(visit: Visit) -> Response:
    return visit.fragment("_job.html", **await _found(visit))


async def _found(visit: Visit) -> dict[str, Any]:
    job = await asyncio.to_thread(jobs.get, visit.service.store, visit.parameters["id"])
    if job is None:
        raise UnknownJob(UNKNOWN)
    now = visit.service.now()
    return {"job": job, "under_way": job.state in _UNDER_WAY, "now": now, "unattended": job.state == "queued" and now - job.created_at > PATIENCE}


async def _cancel(visit: Visit) -> Response:
    job = await asyncio.to_thread(jobs.cancel, visit.service.store, visit.parameters["id"], visit.service.now())
    if job is None:
        raise UnknownJob(UNKNOWN)
    if job.state in ("done", "failed"):
        raise Conflict(msgid("the job has ended already; there is nothing to cancel."))
    return visit.redirect(f"/jobs/{job.id}")


PAGES = (
    Page("/jobs", ("GET",), "operate", _list),
    Page("/jobs", ("POST",), "operate", _begin),
    Page("/jobs/rows", ("GET",), "operate", _rows),
    Page("/jobs/{id}", ("GET",), "operate", _one),
    Page("/jobs/{id}/progress", ("GET",), "operate", _progress),
    Page("/jobs/{id}/cancel", ("POST",), "operate", _cancel),
)
