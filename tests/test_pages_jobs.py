"""The page of the jobs: what is asked for there is what the calls make, and a page that shows work under way keeps asking how far it is."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from data import jobs
from data.store import Store
from pages import send, visit
from service import running
from serving.pages.jobs import PATIENCE

RESULT = {"version": "8", "promoted": True, "decision": ["better by 0.01 <beyond chance>"], "churn": None}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with running(tmp_path_factory.mktemp("jobs"), until=lambda _: True) as client:
        yield client


@pytest.fixture
def store(service: TestClient) -> Store:
    """The service's own, without a job."""
    held: Store = service.app.state.service.store  # type: ignore[attr-defined]
    for job in jobs.latest(held, 1_000):
        jobs.cancel(held, job.id, 1)
        jobs.stop(held, job.id, job.started_at or 0, 1)
    jobs.forget(held, 2)
    return held


def begun(service: TestClient, **form: str) -> str:
    """The id of the job that the form begins."""
    answer = send(service, "/jobs", form, of="/jobs")
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"].removeprefix("/jobs/"))


def test_there_may_be_none(service: TestClient, store: Store) -> None:
    page = visit(service, "/jobs").text
    assert "No job yet." in page
    assert "hx-get" not in page


@pytest.mark.parametrize(
    ("form", "arguments"),
    [
        ({}, {"since": None, "promote": "auto"}),
        ({"promote": "never", "since": ""}, {"since": None, "promote": "never"}),
        ({"promote": "always", "since": "2026-05-01"}, {"since": "2026-05-01T00:00:00Z", "promote": "always"}),
    ],
)
def test_a_retraining_is_the_same_job_as_that_of_the_call(service: TestClient, store: Store, form: dict[str, str], arguments: dict[str, str]) -> None:
    id = begun(service, **form)
    made = jobs.get(store, id)
    assert made is not None
    assert (made.kind, made.arguments, made.requested_by) == (jobs.RETRAIN, arguments, "this machine")
    assert service.post("/v1/retrain", json=arguments).json()["id"] == id, "asked for twice is asked for once"
    assert begun(service, **form) == id


@pytest.mark.parametrize("form", [{"promote": "perhaps"}, {"since": "yesterday"}])
def test_what_can_not_be_meant_is_refused_and_nothing_is_begun(service: TestClient, store: Store, form: dict[str, str]) -> None:
    assert send(service, "/jobs", form, of="/jobs").status_code == 422
    assert jobs.latest(store, 1) == []


def test_a_job_from_its_beginning_to_its_end(service: TestClient, store: Store) -> None:
    id = begun(service)
    polled = f'hx-get="/jobs/{id}/progress" hx-trigger="every 2s"'
    assert polled in visit(service, f"/jobs/{id}").text
    assert 'hx-get="/jobs/rows"' in visit(service, "/jobs").text
    token = jobs.begin(store, id, service.app.state.service.now())  # type: ignore[attr-defined]
    assert token is not None
    jobs.tell(store, id, token, "fitting <trees>", 0.375, token + 1)
    jobs.add_line(store, id, "3 of 8 </pre><script>alert(1)</script>", token + 1)
    part = visit(service, f"/jobs/{id}/progress", **{"hx-request": "true"}).text
    assert polled in part
    assert "<html" not in part
    assert "38%" in part
    assert "fitting &lt;trees&gt;" in part
    assert "<script>" not in part
    assert "3 of 8 &lt;/pre&gt;" in part
    jobs.finish(store, id, token, RESULT, token + 90_000_000)
    ended = visit(service, f"/jobs/{id}/progress", **{"hx-request": "true"}).text
    assert "hx-get" not in ended, "nothing more is asked"
    assert "Version 8 is the champion now." in ended
    assert "better by 0.01 &lt;beyond chance&gt;" in ended
    assert f"/jobs/{id}/cancel" not in ended
    rows = visit(service, "/jobs/rows", **{"hx-request": "true"}).text
    assert "version 8" in rows
    assert "2 minutes" in rows
    assert "hx-get" not in rows


def test_one_that_failed_says_why(service: TestClient, store: Store) -> None:
    id = begun(service)
    token = jobs.begin(store, id, service.app.state.service.now())  # type: ignore[attr-defined]
    assert token is not None
    jobs.fail(store, id, token, "out of <memory>", token + 1)
    page = visit(service, f"/jobs/{id}").text
    assert 'role="alert"><p lang="en">out of &lt;memory&gt;' in page
    assert "failed" in page


@pytest.mark.parametrize("started", [False, True])
def test_one_can_be_cancelled(service: TestClient, store: Store, started: bool) -> None:
    id = begun(service)
    if started:
        jobs.begin(store, id, service.app.state.service.now())  # type: ignore[attr-defined]
    assert send(service, f"/jobs/{id}/cancel", {}, of=f"/jobs/{id}").headers["location"] == f"/jobs/{id}"
    after = jobs.get(store, id)
    assert after is not None
    assert after.cancelling
    page = visit(service, f"/jobs/{id}").text
    assert ("being cancelled" in page) is started
    assert f"/jobs/{id}/cancel" not in page


def test_what_has_ended_can_not_be_cancelled(service: TestClient, store: Store) -> None:
    id = begun(service)
    token = jobs.begin(store, id, service.app.state.service.now())  # type: ignore[attr-defined]
    assert token is not None
    jobs.finish(store, id, token, RESULT, token + 1)
    assert send(service, f"/jobs/{id}/cancel", {}, of="/jobs").status_code == 409


@pytest.mark.parametrize("path", ["/jobs/none", "/jobs/none/progress"])
def test_there_is_none_of_this_id(service: TestClient, store: Store, path: str) -> None:
    assert visit(service, path).status_code == 404
    assert send(service, "/jobs/none/cancel", {}, of="/jobs").status_code == 404


@pytest.mark.parametrize(("waited", "told"), [(PATIENCE, False), (PATIENCE + 1, True)])
def test_a_job_that_nobody_takes_says_what_is_missing(service: TestClient, store: Store, waited: int, told: bool) -> None:
    """A worker is a process of its own, and easily forgotten."""
    real = service.app.state.service  # type: ignore[attr-defined]
    job = jobs.create(store, jobs.RETRAIN, {"since": None, "promote": "auto"}, 1_000)
    service.app.state.service = replace(real, now=lambda: 1_000 + waited)  # type: ignore[attr-defined]
    try:
        assert ("leadscore worker" in visit(service, f"/jobs/{job.id}").text) is told
    finally:
        service.app.state.service = real  # type: ignore[attr-defined]
