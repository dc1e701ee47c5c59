"""Pages as people in other countries see them: nothing that is said stays English."""

import re
import time
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from starlette.testclient import TestClient

from service import running, stamp, with_champion
from serving.language import catalogue
from serving.words import LANGUAGES

PAGES = ("/queue", "/leads/1", "/funnel", "/profile", "/losses", "/model", "/jobs")
OURS = {*LANGUAGES.values(), "leadscore", "test"}
"""Names that are the same everywhere; `test` is the candidate that the bundle of these tests names."""
_READ_OUT = ("alt", "title", "aria-label", "placeholder")
_NOT_SAID = ("script", "style", "code", "pre", "kbd")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with running(with_champion(tmp_path_factory.mktemp("service"))) as client:
        now = int(time.time())
        client.put("/v1/leads/1", json={"created_at": stamp(now - 90_000), "budget": 20_000}).raise_for_status()
        client.post("/v1/events", json={"items": [{"event_id": "2", "lead_id": "1", "occurred_at": stamp(now - 3_600), "type": KIND}]})
        client.post("/v1/stages", json={"items": [{"lead_id": "1", "entered_at": stamp(now - 80_000), "stage": "prospect"}]})
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and client.get("/v1/leads/1/score").status_code != 200:
            time.sleep(0.05)
        yield client


KIND = "pricing_page_view"


class Reader(HTMLParser):
    """Every text of a page, and what is read out beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.texts = set[str]()
        self._silent: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += [tag] if tag in _NOT_SAID else []
        for name, value in attrs:
            self._say(value if name in _READ_OUT and value else "")

    def handle_endtag(self, tag: str) -> None:
        if self._silent and self._silent[-1] == tag:
            self._silent.pop()

    def handle_data(self, data: str) -> None:
        self._say("" if self._silent else data)

    def _say(self, text: str) -> None:
        for part in re.split(r"\s[·|]\s|\n", f" {text} "):
            if re.search(r"[^\W\d_]{2,}", part):
                self.texts.add(" ".join(part.split()).removeprefix("· "))


def texts_of(client: TestClient, page: str, language: str) -> set[str]:
    response = client.get(page, headers={"Accept-Language": language})
    assert response.status_code == 200, response.text
    assert f'<html lang="{language}"' in response.text
    reader = Reader()
    reader.feed(response.text)
    return reader.texts


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("language", ["sv", "zh"])
def test_nothing_stays_english(client: TestClient, page: str, language: str) -> None:
    same = {text for text, told in catalogue(language).items() if text == told}
    english = texts_of(client, page, "en")
    assert len(english) > 10
    assert texts_of(client, page, language) & english - OURS - same == set()
