"""Around every page: who is let in, that a form is one of ours, what the browser is told to forbid, and refusals as pages."""

import re
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from fastapi.responses import Response
from starlette.testclient import TestClient

from bundles import store_at
from data import audit
from data.home import clock
from data.ingest import put_leads
from data.store import SCOPES, Store
from pages import HTML, send, sign_in, token_in, visit
from service import refusal, running
from serving import security
from serving.app import PAGES, ROUTES
from serving.pages import files, frame
from serving.pages.frame import LONGEST_FORM, Page, Visit
from serving.pages.guarding import HEADERS, guarded
from serving.pages.session import COOKIE, LASTING, Session, signing_secret

PUBLIC = "http://crm.example"
LOGGED_OUT = {"/", "/sign-in", "/sign-out", "/language"}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A service without keys, as on one's own machine."""
    folder = tmp_path_factory.mktemp("here")
    with running(folder, until=lambda _: True) as client:
        yield client


@pytest.fixture
def visitor(here: TestClient) -> TestClient:
    """Somebody who comes for the first time."""
    here.cookies.clear()
    return here


@pytest.fixture(scope="module")
def guarded_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, Store, dict[str, str]]]:
    """A service for the world, its store, and a key of each scope."""
    folder = tmp_path_factory.mktemp("guarded")
    with store_at(folder) as store:
        keys = {scope: store.create_key([scope], f"{scope}@crm.example")[0] for scope in SCOPES}
        with running(folder, until=lambda _: True, host="0.0.0.0", called=PUBLIC) as client:
            yield client, store, keys


@pytest.fixture
def world(guarded_service: tuple[TestClient, Store, dict[str, str]]) -> tuple[TestClient, Store, dict[str, str]]:
    guarded_service[0].cookies.clear()
    return guarded_service


def addressed(page: Page) -> str:
    return re.sub(r"{\w+}", "nobody", page.path)


def test_every_page_has_a_scope_but_those_that_let_one_in() -> None:
    assert {page.path for page in PAGES if page.scope is None} == LOGGED_OUT
    assert all(page.scope in SCOPES for page in PAGES if page.scope is not None)
    assert all(set(page.methods) <= {"GET", "POST"} for page in PAGES)
    served = [(method, page.path) for page in PAGES for method in page.methods] + [(route.method, route.path) for route in ROUTES]
    assert len(set(served)) == len(served)


def test_without_a_session_every_page_leads_to_signing_in_and_back(world: tuple[TestClient, Store, dict[str, str]]) -> None:
    client = world[0]
    for page in PAGES:
        if page.scope is None:
            continue
        for method in page.methods:
            answer = client.request(method, addressed(page) + "?a=1&b=%2F", headers=HTML, follow_redirects=False)
            assert answer.status_code == 303, page
            back = "" if method == "POST" else f"?next={addressed(page)}%3Fa%3D1%26b%3D%252F"
            assert answer.headers["location"] == f"/sign-in{back}"


def test_each_page_opens_to_its_scope_and_no_other(world: tuple[TestClient, Store, dict[str, str]]) -> None:
    client, _, keys = world
    for scope in SCOPES:
        client.cookies.clear()
        sign_in(client, keys[scope])
        for page in PAGES:
            if page.scope is None or "GET" not in page.methods:
                continue
            status = visit(client, addressed(page)).status_code
            assert (status == 403) is (scope not in (page.scope, "admin")), (scope, page)
            assert status not in (401, 500), (scope, page)


def test_a_session_ends_with_its_key(world: tuple[TestClient, Store, dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    client, store, _ = world
    monkeypatch.setattr(security, "FRESH_SECONDS", 0.0)
    secret, key = store.create_key(["operate"])
    sign_in(client, secret)
    assert visit(client, "/jobs").status_code == 200
    store.revoke_key(key.id)
    assert visit(client, "/jobs").headers["location"] == "/sign-in?next=/jobs"
    assert send(client, "/sign-in", {"key": secret}).status_code == 401


def test_a_session_outlasts_a_store_that_is_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(security, "FRESH_SECONDS", 0.0)
    with store_at(tmp_path) as store:
        operator, _ = store.create_key(["operate"])
        with running(tmp_path, until=lambda _: True, host="0.0.0.0", called=PUBLIC) as client:
            late, _ = store.create_key(["operate"])
            sign_in(client, operator)
            with store.writing.begin() as connection:
                connection.exec_driver_sql("ALTER TABLE api_keys RENAME TO elsewhere")
            assert visit(client, "/jobs").status_code == 200, "what was known of the key at the start still holds"
            assert send(client, "/sign-in", {"key": late}).status_code == 503, "nothing is known of this one yet"


def test_a_session_of_another_store_is_none_here(world: tuple[TestClient, Store, dict[str, str]]) -> None:
    """The store was made anew in the same home, and its first key has the number that the old store's had."""
    client, store, _ = world
    key = next(key for key in store.list_keys() if "operate" in key.scopes)
    service = client.app.state.service  # type: ignore[attr-defined]
    for made_at, status in ((key.created_at, 200), (key.created_at - 1, 303)):
        client.cookies.clear()
        session = Session("any", key.id, made_at, service.now())
        client.cookies.set(COOKIE, session.signed(signing_secret(service.settings.home)))
        assert visit(client, "/jobs").status_code == status


def test_a_session_ends_by_itself(world: tuple[TestClient, Store, dict[str, str]]) -> None:
    client, _, keys = world
    sign_in(client, keys["operate"])
    assert visit(client, "/jobs").status_code == 200
    service = client.app.state.service  # type: ignore[attr-defined]
    later = replace(service, now=lambda: service.now() + LASTING)
    client.app.state.service = later  # type: ignore[attr-defined]
    try:
        assert visit(client, "/jobs").headers["location"].startswith("/sign-in")
    finally:
        client.app.state.service = service  # type: ignore[attr-defined]


def test_signing_out_ends_it(world: tuple[TestClient, Store, dict[str, str]]) -> None:
    client, _, keys = world
    sign_in(client, keys["admin"])
    before = client.cookies[COOKIE]
    assert send(client, "/sign-out", {}, of="/jobs").headers["location"] == "/sign-in"
    assert client.cookies[COOKIE] != before
    assert visit(client, "/jobs").status_code == 303


def test_signing_in_begins_another_session(world: tuple[TestClient, Store, dict[str, str]]) -> None:
    """Whoever planted a session in this browser before doesn't share the one that the key opens."""
    client, _, keys = world
    visit(client, "/sign-in")
    before = client.cookies[COOKIE]
    sign_in(client, keys["operate"])
    after = client.cookies[COOKIE]
    assert before.split(".")[0] != after.split(".")[0]
    assert keys["operate"] not in after


def test_a_wrong_key_is_told_in_the_page_and_not_repeated(world: tuple[TestClient, Store, dict[str, str]]) -> None:
    client = world[0]
    answer = send(client, "/sign-in", {"key": "ls_wrong<script>", "next": "/funnel?by=source"})
    assert answer.status_code == 401
    assert "ls_wrong" not in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert 'value="/funnel?by=source"' in answer.text


def test_nobody_is_sent_elsewhere_after_signing_in(world: tuple[TestClient, Store, dict[str, str]]) -> None:
    client, _, keys = world
    assert send(client, "/sign-in", {"key": keys["read"], "next": "https://evil.example/"}).headers["location"] == "/"


def test_the_cookie_is_kept_from_scripts_and_other_sites(world: tuple[TestClient, Store, dict[str, str]]) -> None:
    client, _, keys = world
    sign_in_cookie = send(client, "/sign-in", {"key": keys["read"]}).headers["set-cookie"]
    assert {"HttpOnly", "SameSite=lax", "Path=/", f"Max-Age={LASTING // 1_000_000}"} <= {part.strip() for part in sign_in_cookie.split(";")}
    assert "Secure" not in sign_in_cookie, "plain http would lose it"
    secure = client.get("https://crm.example/sign-in", headers=HTML | {"cookie": ""}).headers["set-cookie"]
    assert "Secure" in secure


@pytest.mark.parametrize("form", [{}, {"csrf_token": ""}, {"csrf_token": "A" * 43}, {"csrf_token": "ä"}])
def test_a_form_without_its_token_does_nothing(visitor: TestClient, form: dict[str, str]) -> None:
    visit(visitor, "/jobs")
    answer = visitor.post("/jobs", data=form | {"promote": "never"}, headers=HTML, follow_redirects=False)
    assert answer.status_code == 403
    assert "hx-get" not in visit(visitor, "/jobs").text


def test_the_token_of_another_session_does_nothing(visitor: TestClient) -> None:
    token = token_in(visit(visitor, "/jobs").text)
    visitor.cookies.clear()
    visit(visitor, "/jobs")
    assert visitor.post("/jobs", data={"csrf_token": token}, follow_redirects=False).status_code == 403


def test_a_form_of_another_site_does_nothing(visitor: TestClient) -> None:
    for site in ("cross-site", "same-site"):
        assert send(visitor, "/language", {"language": "sv"}, of="/jobs", **{"sec-fetch-site": site}).status_code == 403
    assert send(visitor, "/language", {"language": "sv"}, of="/jobs", **{"sec-fetch-site": "same-origin"}).status_code == 303
    assert send(visitor, "/jobs", {}, of="/jobs", host="evil.example").status_code == 403
    assert visit(visitor, "/jobs", host="evil.example").status_code == 403


def test_the_token_may_come_in_a_header_as_htmx_sends_it(visitor: TestClient) -> None:
    token = token_in(visit(visitor, "/jobs").text)
    answer = visitor.post("/jobs", headers={"x-csrf-token": token, "hx-request": "true"}, data={"promote": "x"})
    assert (answer.status_code, "<html" in answer.text) == (422, False)


def test_htmx_is_sent_to_sign_in_with_the_whole_page(world: tuple[TestClient, Store, dict[str, str]]) -> None:
    answer = visit(world[0], "/jobs/rows", **{"hx-request": "true", "hx-current-url": f"{PUBLIC}/jobs?x=1"})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (204, "/sign-in?next=/jobs%3Fx%3D1")


def test_where_no_key_exists_nobody_has_to_sign_in(visitor: TestClient) -> None:
    assert visit(visitor, "/sign-in?next=/jobs").headers["location"] == "/jobs"
    page = visit(visitor, "/jobs")
    assert page.status_code == 200
    assert "/sign-out" not in page.text


def test_what_a_form_of_the_operators_does_is_recorded(world: tuple[TestClient, Store, dict[str, str]]) -> None:
    client, store, keys = world
    sign_in(client, keys["read"])
    assert send(client, "/jobs", {}, of="/sign-in").status_code == 403
    sign_in(client, keys["operate"])
    location = send(client, "/jobs", {"promote": "never"}, of="/jobs").headers["location"]
    send(client, f"{location}/cancel", {}, of=location)
    found = [(entry.action, entry.status, entry.target) for entry in reversed(audit.entries(store, 3))]
    job = location.rpartition("/")[2]
    assert found == [("POST /jobs", 403, None), ("POST /jobs", 303, None), ("POST /jobs/{id}/cancel", 303, job)]


def test_a_forged_form_of_the_operators_is_recorded_too(world: tuple[TestClient, Store, dict[str, str]]) -> None:
    client, store, keys = world
    sign_in(client, keys["operate"])
    assert client.post("/jobs", data={"csrf_token": "forged"}, headers=HTML, follow_redirects=False).status_code == 403
    assert [(entry.action, entry.status) for entry in audit.entries(store, 1)] == [("POST /jobs", 403)]


def test_a_key_that_may_only_write_is_shown_no_lead(world: tuple[TestClient, Store, dict[str, str]]) -> None:
    client, store, keys = world
    put_leads(store, [{"lead_id": "L-1", "name": "Eva Berg"}], clock())
    sign_in(client, keys["ingest"])
    answer = send(client, "/queue/L-1", {"useful": "yes"}, of="/sign-in", **{"hx-request": "true"})
    assert (answer.status_code, answer.text, answer.headers["hx-redirect"]) == (204, "", "/queue")


def test_a_proxy_that_asks_who_comes_in_its_own_way_does_not_end_the_session(world: tuple[TestClient, Store, dict[str, str]]) -> None:
    client, _, keys = world
    sign_in(client, keys["read"])
    assert visit(client, "/profile", authorization="Basic ZXZhOnNlY3JldA==").status_code != 303
    assert visit(client, "/sign-in", authorization="Basic ZXZhOnNlY3JldA==").status_code == 200


def test_a_language_that_is_none_is_not_kept(visitor: TestClient) -> None:
    answer = send(visitor, "/language", {"language": "李", "next": "/李"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "lang" not in answer.headers.get("set-cookie", "")
    assert visit(visitor, "/sign-in?next=/%E6%9D%8E").headers["location"] == "/"


def test_every_page_forbids_the_same(visitor: TestClient) -> None:
    for path in ("/jobs", "/sign-in", "/jobs/none", "/nowhere", "/"):
        headers = visit(visitor, path).headers
        assert {name: headers[name] for name in HEADERS} == HEADERS, path


def test_no_template_needs_what_the_policy_forbids() -> None:
    assert "unsafe" not in HEADERS["Content-Security-Policy"]
    templates = Path(frame.__file__).parent / "templates"
    for path in {*templates.glob("*.html")} - {templates / "report.html"}:  # that one opens without a server, with all inside
        text = path.read_text("utf-8")
        assert not re.search(r"\sstyle=|\son\w+=|javascript:|<style|hx-on|hx-vals=.js|https?://(?!www\.w3\.org)|\|\s*safe", text), path.name
        assert all("src=" in tag or "application/json" in tag for tag in re.findall(r"<script[^>]*>", text)), path.name


@pytest.mark.parametrize(
    ("accepted", "chosen", "language"), [("sv-SE,en;q=0.5", None, "sv-SE"), ("sv", "de", "de"), ("fr", None, "en"), ("de", "xx", "de")]
)
def test_the_language_is_the_chosen_one_else_the_browser_s(visitor: TestClient, accepted: str, chosen: str | None, language: str) -> None:
    if chosen is not None:
        assert send(visitor, "/language", {"language": chosen, "next": "/jobs?x=1"}, of="/jobs").headers["location"] == "/jobs?x=1"
    assert f'<html lang="{language}">' in visit(visitor, "/jobs", **{"accept-language": accepted}).text


def test_an_id_with_a_slash_is_come_back_to(world: tuple[TestClient, Store, dict[str, str]]) -> None:
    client, _, keys = world
    assert visit(client, "/jobs/a%2Fb?x=%20").headers["location"] == "/sign-in?next=/jobs/a%252Fb%3Fx%3D%2520"
    sign_in(client, keys["operate"])
    assert 'name="next" value="/jobs/a%2Fb?x=%20"' in visit(client, "/jobs/a%2Fb?x=%20").text


def test_a_person_is_told_in_a_page_a_program_in_json(visitor: TestClient) -> None:
    assert "<h1>" in visit(visitor, "/jobs").text
    page, told = visit(visitor, "/nowhere"), visitor.get("/nowhere")
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert refusal(told)[:2] == (404, "NotFound")
    assert refusal(visit(visitor, "/v1/nowhere"))[0] == 404
    wrong = visit(visitor, "/sign-out")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert "<html" in wrong.text
    assert visitor.put("/jobs").headers["allow"] == "GET, POST"


async def _broken(_: Visit) -> Response:
    raise RuntimeError("L-1 said <b>this</b>")


async def _undrawable(visit: Visit) -> Response:
    return visit.page("_job.html")


@pytest.mark.parametrize("call", [_broken, _undrawable])
def test_a_fault_of_ours_is_a_page_that_tells_nothing_but_where_to_look(visitor: TestClient, call: frame.Call) -> None:
    path = f"/{call.__name__}"
    visitor.app.add_api_route(path, guarded(Page(path, ("GET",), "read", call)))  # type: ignore[attr-defined]
    answer = visit(visitor, path)
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] in answer.text
    assert "L-1" not in answer.text
    part = visit(visitor, path, **{"hx-request": "true"})
    assert (part.status_code, "<html" in part.text) == (500, False)


def test_a_store_that_is_down_is_a_page(tmp_path: Path) -> None:
    with running(tmp_path, until=lambda _: True) as client:
        assert visit(client, "/jobs").status_code == 200
        with client.app.state.service.store.writing.begin() as connection:  # type: ignore[attr-defined]
            connection.exec_driver_sql("ALTER TABLE jobs RENAME TO elsewhere")
        answer = visit(client, "/jobs")
        assert (answer.status_code, answer.headers.get("retry-after")) == (503, "1")
        assert "<html" in answer.text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"a=" + b"x" * LONGEST_FORM, 413),
        (b"a=%FF", 422),
        (b"a=%00", 422),
        (b"\xff", 422),
        (b"&".join(b"a=1" for _ in range(frame.MOST_FIELDS + 1)), 422),
        (b"a=" + b"x" * (LONGEST_FORM - 2), 403),
        (b"&".join(b"a=1" for _ in range(frame.MOST_FIELDS)), 403),
    ],
)
def test_what_a_form_may_hold(visitor: TestClient, body: bytes, status: int) -> None:
    """Within the bounds it is the token that is missing."""
    assert visitor.post("/jobs", content=body, headers={"content-type": frame.FORM}).status_code == status


def test_a_form_must_say_that_it_is_one(visitor: TestClient) -> None:
    assert visitor.post("/jobs", json={}).status_code == 422


def test_files_are_kept_for_ever_under_a_name_of_their_content(visitor: TestClient) -> None:
    page = visit(visitor, "/jobs").text
    addresses = set(re.findall(r'"(/assets/[^"]+)"', page))
    assert len(addresses) >= 4
    for address in addresses:
        packed = visitor.get(address)
        assert packed.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert packed.headers["content-encoding"] == "gzip"
        plain = visitor.get(address, headers={"accept-encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.content == packed.content
    assert visitor.get(next(iter(addresses)).replace(".", ".0", 1)).status_code == 404
    assert visitor.get("/assets/..%2Fframe.py").status_code == 404


def test_every_file_is_served_and_every_library_has_its_licence() -> None:
    names = {path.relative_to(files.FOLDER).as_posix() for path in files.FOLDER.rglob("*") if path.is_file()}
    for name in names:
        if not name.startswith("vendor/") or name.endswith((".js", ".css")):
            assert files.content(name)
            assert re.fullmatch(r"/assets/[\w.-]+\.[0-9a-f]{12}\.(css|js|svg)", files.address(name))
    assert {f"vendor/{library}.LICENSE" for library in ("htmx", "uplot")} <= names


def test_what_others_made_is_what_they_published() -> None:
    listed = dict(re.findall(r"^\| (\S+) \|.*\| ([0-9a-f]{64}) \|$", (files.FOLDER / "vendor" / "README.md").read_text("utf-8"), re.MULTILINE))
    assert listed == {path.name: sha256(path.read_bytes()).hexdigest() for path in (files.FOLDER / "vendor").iterdir() if path.suffix in files.KINDS}


def test_pages_are_compressed_where_that_is_asked_for(visitor: TestClient) -> None:
    assert visit(visitor, "/jobs").headers["content-encoding"] == "gzip"
    assert "content-encoding" not in visit(visitor, "/jobs", **{"accept-encoding": "identity"}).headers
