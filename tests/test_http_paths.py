"""Ids in paths: any text comes through whole, and what no id can be leads nowhere."""

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import refusal, running, with_champion
from serving.paths import keep_slashes, plain

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00\ufffd"), min_size=1)


def matched(raw: str, path: str) -> str | None:
    """The id that `/v1/leads/{lead_id}/score` has in this path, matched as the router does."""
    scope = {"raw_path": raw.encode(), "path": path}
    keep_slashes(scope)
    parts = str(scope["path"]).split("/")
    return plain({"lead_id": parts[3]})["lead_id"] if len(parts) == 5 and parts[4] == "score" else None


@given(TEXT)
def test_any_text_comes_through(id: str) -> None:
    assert matched(f"/v1/leads/{quote(id, safe='')}/score", f"/v1/leads/{id}/score") == id


@pytest.mark.parametrize(("raw", "path"), [("/v1/leads/a%00b/score", "/v1/leads/a\x00b/score"), ("/v1/leads/%FF/score", "/v1/leads/\ufffd/score")])
def test_what_is_no_text_leads_nowhere(raw: str, path: str) -> None:
    assert matched(raw, path) is None


@pytest.mark.parametrize("id", ["a/b", "a%2Fb", "..", "a b", "ä/ö", "50%", "?x=1#y", "//", "a\nb", "score"])
def test_a_lead_of_any_id_is_kept_and_found(tmp_path: Path, id: str) -> None:
    with running(with_champion(tmp_path)) as client:
        path = f"/v1/leads/{quote(id, safe='')}"
        path = path.replace("..", "%2E%2E")
        put = client.put(path, json={"created_at": "2026-05-01T08:00:00Z"})
        assert put.json()["results"][0]["id"] == id
        assert client.get(path).json()["lead"]["lead_id"] == id


@pytest.mark.parametrize("raw", ["a%00b", "%FF", "a%2F%00"])
def test_no_lead_has_such_an_id(tmp_path: Path, raw: str) -> None:
    with running(with_champion(tmp_path)) as client:
        response = client.put(f"/v1/leads/{raw}", json={"created_at": "2026-05-01T08:00:00Z"})
        assert refusal(response)[:2] == (404, "NotFound")


def test_a_method_that_is_not_served_is_told_all_that_are(tmp_path: Path) -> None:
    with running(with_champion(tmp_path)) as client:
        response = client.patch("/v1/leads/L-1")
        assert refusal(response)[:2] == (405, "MethodNotAllowed")
        assert response.headers["allow"] == "DELETE, GET, PUT"


PAGES = ["/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/sign-in", "/jobs", "/queue?stage=lead", "/model", "/leads/nobody"]


def test_a_page_or_a_probe_may_be_asked_for_its_head_alone(tmp_path: Path) -> None:
    """As monitors and link checkers do; a call, or what only takes forms, may not."""
    with running(with_champion(tmp_path)) as client:
        for path in PAGES:
            whole, head = (client.request(method, path, headers={"accept": "text/html"}, follow_redirects=False) for method in ("GET", "HEAD"))
            assert head.status_code == whole.status_code != 405, path
            assert head.headers.get("content-type") == whole.headers.get("content-type"), path
        assert [client.head(path).status_code for path in ("/v1/score", "/v1/queue", "/sign-out")] == [405, 405, 405]
