"""A visitor of the pages, for tests: what a browser does with forms, without one."""

import re
from typing import Any

from httpx2 import Response
from starlette.testclient import TestClient

HTML = {"accept": "text/html"}
_TOKEN = re.compile(r'name="csrf_token" value="([\w-]+)"')


def token_in(page: str) -> str:
    """The token of the first form."""
    found = _TOKEN.search(page)
    assert found is not None, "the page has no form"
    return found[1]


def visit(client: TestClient, path: str, **headers: str) -> Response:
    """The page as a browser asks for it; redirects are not followed."""
    return client.get(path, headers=HTML | headers, follow_redirects=False)


def send(client: TestClient, path: str, form: dict[str, Any], *, of: str = "/sign-in", **headers: str) -> Response:
    """The form sent with the token of the page `of`; redirects are not followed."""
    token = token_in(client.get(of, headers=HTML).text)
    return client.post(path, data=form | {"csrf_token": token}, headers=HTML | headers, follow_redirects=False)


def sign_in(client: TestClient, key: str) -> None:
    """From here on the client is whoever has this key."""
    answer = send(client, "/sign-in", {"key": key, "next": "/jobs"})
    assert (answer.status_code, answer.headers.get("location")) == (303, "/jobs"), answer.text
