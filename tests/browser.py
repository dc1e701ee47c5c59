"""A real Chromium over the real service: what a person at a screen meets. Every page that it opens is watched: nothing may leave the host, break, or
be forbidden by the page's own security policy."""

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, sync_playwright

from bundles import promote
from data.contract import DAY
from data.home import clock
from data.sample import write_sample
from data.store import open_store
from registry.bundle import Bundle
from serving import demo
from serving.app import create_app
from serving.settings import Settings
from worlds import at_home

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
PHONE, SCREEN = (360, 780), (1920, 1080)
HEAVIEST = 150_000
"""Bytes that a first page may take, all of its files together, as they are sent."""

SERIOUS = frozenset({"serious", "critical"})
LEADS, WEEKS = 400, 3


@dataclass
class Watched:
    """A browser's tab on the service, and all that went wrong in it. `expected`: statuses of refusals that the test asks for."""

    page: Page
    origin: str
    faults: list[str] = field(default_factory=list)
    responses: list[Response] = field(default_factory=list)
    expected: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.page.on("request", self._asked)
        self.page.on("response", self._answered)
        self.page.on("console", self._told)
        self.page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        self.page.on("requestfailed", self._failed)
        self.page.set_default_timeout(15_000)

    def open(self, path: str) -> Page:
        """The page under that path, once all of it is there."""
        self.page.goto(self.origin + path, wait_until="load")
        return self.page

    def weight(self, path: str) -> int:
        """Bytes that the page and its files take on the wire, headers included, when nothing of it is known yet."""
        self.responses.clear()
        self.open(path)
        self.page.wait_for_load_state("networkidle")
        sizes = [answer.request.sizes() for answer in self.responses]
        return sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes)

    def serious(self) -> list[str]:
        """What axe finds serious or critical in the page as it is now: rule, and the elements."""
        found = Axe().run(self.page).response["violations"]
        return [f"{one['id']}: {[node['target'] for node in one['nodes']][:5]}" for one in found if one["impact"] in SERIOUS]

    def too_wide(self) -> int:
        """Pixels by which the page is wider than the window: 0 where nobody has to scroll sideways."""
        return int(self.page.evaluate("Math.max(0, document.scrollingElement.scrollWidth - window.innerWidth)"))

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.origin, "data:", "blob:")):
            self.faults.append(f"left the host: {request.url}")

    def _answered(self, response: Response) -> None:
        self.responses.append(response)
        if response.status >= 400 and response.status not in self.expected:
            self.faults.append(f"{response.status} from {response.url}")

    def _told(self, message: ConsoleMessage) -> None:
        refused = any(f"status of {status}" in message.text for status in self.expected)
        replaced = message.text.startswith(("htmx:sendAbort", "htmx:afterRequest"))  # a later choice took the place of one that was on its way
        if message.type in ("error", "warning") and not refused and not replaced:
            self.faults.append(f"console: {message.text}")

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # a page that is left while a part of it was on its way
            self.faults.append(f"failed: {request.url} {request.failure}")


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium, without a window. Its name may be given in CHROMIUM. Skips the test where there is none, but not in CI."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None and not os.environ.get("CI"):
        pytest.skip("no Chromium here: apt-get install chromium, or name one in CHROMIUM")
    assert program is not None, "CI needs Chromium: .ci/run installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visitor(
    browser: Browser, origin: str, *, language: str = "en-GB", size: tuple[int, int] = SCREEN, dark: bool = False, faults: bool = False
) -> Iterator[Watched]:
    """A person who comes for the first time. At the end nothing may have gone wrong, unless the test looks at the `faults` itself."""
    width, height = size
    scheme: Any = "dark" if dark else "light"
    context = browser.new_context(
        viewport={"width": width, "height": height}, locale=language, color_scheme=scheme, reduced_motion="reduce", timezone_id="Europe/Stockholm"
    )
    watched = Watched(context.new_page(), origin)
    try:
        yield watched
    finally:
        context.close()
    assert faults or not watched.faults, watched.faults


@contextmanager
def served(home: Path) -> Iterator[str]:
    """The address of the service over the state in `home`, ready; it runs in a thread of this process."""
    with at_home(home):
        app = create_app(Settings(f"sqlite:///{home / 'leadscore.db'}", home=home, rate_per_second=1e6, burst=1e6))
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="on"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            deadline = time.monotonic() + 60
            while not server.started:
                assert time.monotonic() < deadline, "the service is not ready after a minute"
                time.sleep(0.02)
            yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)


def filled(home: Path, bundle: Bundle | None = None, *, leads: int = LEADS) -> Path:
    """A home as the demo makes it, its world up to last midnight, in the store and scored; the bundle is the champion, or the one that the home has
    already."""
    now = clock()
    with at_home(home), pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "WEEKS", WEEKS)
        write_sample(home / "demo", leads, 3, end=now - now % DAY)
        if bundle is not None:
            with open_store() as store:
                promote(store, "1", bundle)
        demo.play(home / "demo", now)
    return home


def sign_in(watched: Watched, key: str, path: str = "/queue") -> Page:
    """On the page under that path, which asks who comes."""
    page = watched.open(path)
    page.fill("#key", key)
    page.press("#key", "Enter")
    page.wait_for_url(f"{watched.origin}{path}")
    return page


def key(home: Path, *scopes: str, owner: str | None = None) -> str:
    """A new API key of this home's store; from the first one on nobody comes in without."""
    with at_home(home), open_store() as store:
        return store.create_key(scopes, owner)[0]
