"""Jobs, and which model serves: `/v1/retrain`, `/v1/jobs`, `/v1/models/{version}/promote`, `/v1/models/rollback`."""

import asyncio
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from pydantic import ValidationError

from data import jobs, pending
from data.contract import DataError, format_instant, parse_instant
from data.store import ApiKey, Store
from serving.answers_operations import JobAnswer, JobsAnswer, JobStarted, PromotedAnswer, PromoteRequest, RetrainRequest
from serving.errors import Conflict, MalformedBody, UnknownJob, UnknownVersion, malformed
from serving.openapi import KEYED, called, posted
from serving.routes import Route, Service, answered, body_of

JOBS_SHOWN = 50
_STARTED = ("id", "state", "progress", "error")


async def _retrain(request: Request, service: Service) -> Response:
    try:
        asked = RetrainRequest.model_validate_json(await body_of(request, service) or b"{}")
        since = None if asked.since is None else format_instant(parse_instant(asked.since))
    except ValidationError as error:
        raise malformed(error) from None
    except DataError as error:
        raise MalformedBody(f"since: {error}") from None
    arguments = {"since": since, "promote": asked.promote}
    job = await asyncio.to_thread(jobs.create, service.store, jobs.RETRAIN, arguments, service.now(), _caller(request))
    told = _told(job)
    return answered({name: told[name] for name in _STARTED}, 202)


def requested_by(caller: ApiKey | None) -> str:
    """Who asks, as the histories of jobs and champions name them: never a person."""
    return "this machine" if caller is None else f"key {caller.id}"


def _caller(request: Request) -> str:
    return requested_by(getattr(request.state, "caller", None))


async def _job(request: Request, service: Service) -> Response:
    job = await asyncio.to_thread(jobs.get, service.store, request.path_params["id"])
    if job is None:
        raise UnknownJob(UnknownJob.example)
    return answered(_told(job))


async def _jobs(_: Request, service: Service) -> Response:
    found = await asyncio.to_thread(jobs.latest, service.store, JOBS_SHOWN)
    return answered({"items": [_told(job) for job in found]})


async def _cancel(request: Request, service: Service) -> Response:
    job = await asyncio.to_thread(jobs.cancel, service.store, request.path_params["id"], service.now())
    if job is None:
        raise UnknownJob(UnknownJob.example)
    if job.state in ("done", "failed"):
        raise Conflict(f"the job has ended already: it is {job.state}. There is nothing to cancel.")
    return answered(_told(job))


def _told(job: jobs.Job) -> dict[str, Any]:
    """As `JobAnswer` says."""
    times = {name: _instant(getattr(job, name)) for name in ("created_at", "started_at", "finished_at")}
    told = {name: getattr(job, name) for name in ("id", "state", "progress", "error", "kind", "step", "result")}
    return told | {"log": list(job.log)} | times


def _instant(micros: int | None) -> str | None:
    return None if micros is None else format_instant(micros)


async def _promote(request: Request, service: Service) -> Response:
    try:
        asked = PromoteRequest.model_validate_json(await body_of(request, service) or b"{}")
    except ValidationError as error:
        raise malformed(error) from None
    return answered(await promoted(service, request.path_params["version"], asked.reason or f"promoted by {_caller(request)}"))


async def promoted(service: Service, version: str, reason: str) -> dict[str, Any]:
    """Makes the version the champion; as `PromotedAnswer` says. Raises UnknownVersion."""
    try:
        await asyncio.to_thread(service.store.promote, version, reason)
    except DataError as error:
        raise UnknownVersion(str(error)) from None
    return await asyncio.to_thread(_moved, service.store, service.now())


async def _rollback(request: Request, service: Service) -> Response:
    return answered(await rolled_back(service, f"rolled back by {_caller(request)}"))


async def rolled_back(service: Service, reason: str) -> dict[str, Any]:
    """Lets what served before serve again; as `PromotedAnswer` says. Raises Conflict where nothing did."""
    try:
        await asyncio.to_thread(service.store.rollback, reason)
    except DataError as error:
        raise Conflict(str(error)) from None
    return await asyncio.to_thread(_moved, service.store, service.now())


def _moved(store: Store, now: int) -> dict[str, Any]:
    """What serves now; all open leads are to be scored by it."""
    history = store.champions()
    last = history[-1]
    pending.after_promotion(store, now)
    previous = history[-2].version if len(history) > 1 else None
    return {"version": last.version, "promoted_at": format_instant(last.promoted_at), "previous": previous}


_UNKNOWN_JOB = KEYED | {404: "No job of this id"}

ROUTES = (
    Route("/v1/retrain", "POST", "operate", _retrain,
          posted("retrain", "Train on what the store holds, and promote if better", RetrainRequest, JobStarted, {"promote": "auto"}, status=202)),
    Route("/v1/jobs", "GET", "operate", _jobs, called("jobs", "The latest jobs", JobsAnswer, KEYED)),
    Route("/v1/jobs/{id}", "GET", "operate", _job, called("job", "How far a job is", JobAnswer, _UNKNOWN_JOB)),
    Route("/v1/jobs/{id}/cancel", "POST", "operate", _cancel,
          called("cancel_job", "End a job that waits or runs", JobAnswer, _UNKNOWN_JOB | {409: "The job has ended"})),
    Route("/v1/models/rollback", "POST", "operate", _rollback,
          called("rollback", "Go back to the model that served before", PromotedAnswer, KEYED | {409: "None served before"})),
    Route("/v1/models/{version}/promote", "POST", "operate", _promote,
          posted("promote", "Make a model the champion, for the whole funnel", PromoteRequest, PromotedAnswer, {"reason": "wins on new deals"},
                 refusals={404: "No model of this version in the store"})),
)  # fmt: skip
