"""A real browser, headless, that may not leave the page: every request, error and message is written down and is a failure."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A running browser. Skips with a reason where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Watched:
    """A page, what it asked for beyond itself, and what it complained about."""

    page: Any
    allowed: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def check(self) -> None:
        assert not self.requests, f"the page asked for {self.requests}"
        assert not self.complaints, f"the page complained {len(self.complaints)} times: {self.complaints[:3]}"


@pytest.fixture
def visit(chromium: Any) -> Iterator[Any]:
    """visit(path or address, width=1280, dark=False) -> Watched; at the end of the test nothing may have left the page."""
    seen: list[tuple[Any, Watched]] = []

    def open_page(place: Path | str, *, width: int = 1280, height: int = 900, dark: bool = False) -> Watched:
        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", reduced_motion="reduce"
        )
        address = place.as_uri() if isinstance(place, Path) else place
        watched = Watched(context.new_page(), address)
        origin = address if address.startswith("file:") else address.split("/", 3)[2]

        def asked(request: Any) -> None:
            own = request.url == address.partition("#")[0] if address.startswith("file:") else origin in request.url
            if not own and not request.url.startswith(("data:", "blob:")):
                watched.requests.append(request.url)

        watched.page.on("request", asked)
        watched.page.on("console", lambda m: watched.complaints.append(m.text) if m.type in ("error", "warning") else None)
        watched.page.on("pageerror", lambda error: watched.complaints.append(str(error)))
        watched.page.on("dialog", lambda dialog: (watched.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        watched.page.goto(address)
        seen.append((context, watched))
        return watched

    yield open_page
    for context, watched in seen:
        watched.check()
        context.close()
