"""A rep's morning in a real browser: sign in, filter, open, override, next; by mouse and by keyboard, on a phone and on a wide screen, in two
languages. Then every page for everybody: axe, width, weight, dark mode, and texts that try to be more than text."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Locator, Response, expect

import browser as screens
from browser import HEAVIEST, PHONE, SCREEN, sign_in, visitor
from data.schema import FEEDBACK, SCORES
from data.store import open_store
from serving.words import words_for
from worlds import World, at_home

OWNER = "aisha.khan"
WAYS = {"English, wide": ("en-GB", SCREEN, False), "Swedish, phone, dark": ("sv-SE", PHONE, True)}
EVERY = ("/queue", "/funnel", "/profile", "/losses", "/model", "/jobs")
HOSTILE = "<script>document.title='taken'</script><img src=x onerror=document.title='taken'>"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with screens.chromium() as started:
        yield started


@pytest.fixture(scope="module")
def home(sample: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return screens.filled(tmp_path_factory.mktemp("rep") / "home", sample.bundle)


@pytest.fixture(scope="module")
def secret(home: Path) -> str:
    """A rep's key; from now on nobody comes in without one."""
    return screens.key(home, "read", "ingest", owner=OWNER)


@pytest.fixture(scope="module")
def boss(home: Path) -> str:
    return screens.key(home, "admin")


@pytest.fixture(scope="module")
def origin(home: Path, secret: str, boss: str) -> Iterator[str]:
    with screens.served(home) as address:
        yield address


def feedback(home: Path) -> list[tuple[str, str | None, str | None]]:
    with at_home(home), open_store() as store, store.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.select(FEEDBACK.c.lead_id, FEEDBACK.c.action, FEEDBACK.c.by).order_by(FEEDBACK.c.id))]


def posted(answer: Response) -> bool:
    """What was sent has been stored: to be waited for, since a line may have said before what it is to say now."""
    return answer.request.method == "POST"


def lead_of(line: Locator) -> str:
    """The id of the lead that a line of the queue is about."""
    return str(line.locator("[data-open]").get_attribute("href")).split("?")[0].rsplit("/", 1)[1]


@pytest.mark.parametrize("way", WAYS)
def test_a_morning(chromium: Browser, origin: str, home: Path, secret: str, way: str) -> None:
    language, size, dark = WAYS[way]
    words = words_for(language, None)
    with visitor(chromium, origin, language=language, size=size, dark=dark) as watched:
        page = watched.open("/queue?stage=prospect")
        assert "/sign-in" in page.url
        assert str(page.locator("html").get_attribute("lang")).startswith(language[:2])
        watched.expected.add(401)
        page.fill("#key", "ls_of-nobody")
        page.press("#key", "Enter")
        expect(page.get_by_role("alert")).to_be_visible()
        page.fill("#key", secret)
        page.press("#key", "Enter")
        page.wait_for_url(f"{origin}/queue?stage=prospect")

        expect(page.get_by_role("heading", level=1)).to_have_text(words.text("Queue"))
        expect(page.locator("[data-row] .stage").first).to_have_text(words.text("Prospect"))
        page.select_option("#filter-stage", "")
        page.select_option("#filter-owner", OWNER)
        page.wait_for_url("**/queue?*owner=aisha.khan*")
        lines = page.locator("[data-row]")
        expect(lines.first).to_contain_text(OWNER)
        assert lines.count() > 1
        assert page.locator("[data-row]", has_text=OWNER).count() == lines.count()

        lead_id, before = lead_of(lines.first), len(feedback(home))
        lines.first.locator("[data-open]").click()
        page.wait_for_url(f"**/leads/{lead_id}*")
        expect(page.locator("main")).to_contain_text(lead_id)
        page.go_back()
        first = page.locator("[data-row]").first
        first.locator("summary").first.click()
        with page.expect_response(posted):
            first.locator("button[value=no_fit]").click()
        expect(page.locator("[data-row]").first).to_contain_text(words.text("done today"))
        expect(page.locator("[data-row]").first.locator(".action-disqualify")).to_be_visible()
        assert [(row[0], row[1]) for row in feedback(home)[before:]] == [(lead_id, "disqualify")]

        page.locator("[data-row]").nth(1).locator("[data-open]").click()
        page.wait_for_url("**/leads/*")
        assert lead_id not in page.url
        page.get_by_role("button", name=words.text("Sign out")).click()
        page.wait_for_url("**/sign-in")
        watched.open("/queue")
        assert "/sign-in" in page.url, "the session has ended"


def test_a_morning_without_a_mouse(chromium: Browser, origin: str, home: Path, secret: str) -> None:
    with visitor(chromium, origin) as watched:
        page = sign_in(watched, secret)
        page.keyboard.press("Tab")
        expect(page.locator("a.skip")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()
        first, second = (page.locator("[data-row]").nth(n).locator("[data-open]") for n in (0, 1))
        page.keyboard.press("j")
        expect(first).to_be_focused()
        page.keyboard.press("j")
        expect(second).to_be_focused()
        page.keyboard.press("k")
        expect(first).to_be_focused()

        lead_id, before = lead_of(page.locator("[data-row]").first), len(feedback(home))
        page.keyboard.press("o")
        page.keyboard.press("Escape")
        expect(first).to_be_focused()
        page.keyboard.press("o")
        expect(page.locator("[data-override][open] button[value=reached]")).to_be_focused()
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        expect(page.locator("[data-override][open] button[value=wants_call]")).to_be_focused()
        with page.expect_response(posted):
            page.keyboard.press("Enter")
        expect(page.locator("[data-row]").first).to_contain_text("done today")
        assert [(row[0], row[1]) for row in feedback(home)[before:]] == [(lead_id, "work_now")]

        page.locator("[data-row]").nth(1).locator("[data-open]").focus()
        page.keyboard.press("n")
        page.wait_for_url("**/queue?*cursor=*")
        assert page.locator("[data-row] .rank").first.text_content() not in (None, "1")
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.wait_for_url("**/leads/*")


def test_what_if_is_told_and_not_stored(chromium: Browser, origin: str, home: Path, secret: str) -> None:
    def given(lead_id: str) -> int:
        with at_home(home), open_store() as store, store.engine.connect() as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(SCORES).where(SCORES.c.lead_id == lead_id)) or 0

    with visitor(chromium, origin) as watched:
        page = sign_in(watched, secret, "/queue?action=nurture")
        lead_id = lead_of(page.locator("[data-row]").first)
        watched.open(f"/leads/{lead_id}")
        before = given(lead_id)
        page.select_option("select[name=event]", "meeting")
        expect(page.locator("#what-if-result")).not_to_be_empty()
        told = page.locator("#what-if-result").inner_text()
        assert any(letter.isdigit() for letter in told), told
        assert given(lead_id) == before


@pytest.mark.parametrize("way", {"wide": ("en-GB", SCREEN, False), "phone, dark": ("de-DE", PHONE, True)}.items(), ids=lambda way: way[0])
def test_every_page_is_for_everybody(chromium: Browser, origin: str, boss: str, way: tuple[str, tuple[str, tuple[int, int], bool]]) -> None:
    language, size, dark = way[1]
    found: dict[str, object] = {}
    with visitor(chromium, origin, language=language, size=size, dark=dark) as watched:
        found["/sign-in"] = watched.open("/sign-in") and watched.serious()
        page = sign_in(watched, boss)
        lead = page.locator("[data-open]").first.get_attribute("href")
        for path in (*EVERY, str(lead)):
            watched.open(path)
            expect(page.locator("h1")).to_have_count(1)
            found[path] = [*watched.serious(), *(["too wide"] if watched.too_wide() else [])]
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(int(part) for part in ground[ground.index("(") + 1 : -1].split(",")[:3]) < 3 * 64) == dark, "dark where the visitor wants it dark"
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("path", ["/sign-in", *EVERY, "lead"])
def test_a_first_page_is_light(chromium: Browser, origin: str, boss: str, path: str) -> None:
    with visitor(chromium, origin) as watched:
        if path != "/sign-in":
            page = sign_in(watched, boss)
            path = str(page.locator("[data-open]").first.get_attribute("href")) if path == "lead" else path
        fresh = watched.page.context.new_cdp_session(watched.page)
        fresh.send("Network.setCacheDisabled", {"cacheDisabled": True})
        assert watched.weight(path) < HEAVIEST


def test_texts_stay_texts(chromium: Browser, origin: str, boss: str) -> None:
    headers = {"Authorization": f"Bearer {boss}"}
    lead = {"lead_id": "L-<b>", "created_at": "2026-01-05", "first_name": HOSTILE, "last_name": HOSTILE, "job_title": HOSTILE, "owner": HOSTILE}
    for method, path, items in (
        ("PUT", "/v1/leads/L-%3Cb%3E", lead),
        ("POST", "/v1/events", {"items": [{"lead_id": "L-<b>", "occurred_at": "2026-01-06", "type": HOSTILE, "detail": HOSTILE}]}),
    ):
        answer = httpx2.request(method, origin + path, json=items, headers=headers)
        assert answer.status_code < 300, answer.text
    with visitor(chromium, origin) as watched:
        page = sign_in(watched, boss)
        watched.open("/leads/L-%3Cb%3E")
        expect(page.locator("main")).to_contain_text("<script>")
        assert page.title() != "taken"
        watched.open("/queue")
        assert page.title() != "taken"
