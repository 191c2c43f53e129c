"""A report in a real browser: light, dark, narrow, printed, by keyboard, without its script, and with hostile names."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from genbench.evaluation.evaluate import evaluate
from genbench.evaluation.result import Result
from genbench.report.write import write_report

HOSTILE = [
    "<img src=x onerror=alert(1)>.png",
    "<script>alert(1)<.png",
    "=cmd.png",
    "%0A::error.png",
    '"|pipe.png',
    "'><svg onload=alert(1)>.png",
    "{{ 7 * 7 }}.png",
    "$x^{2}$.png",
    "\x1b[2J\n\u202egnp.png",
]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, digits: NDArray[np.uint8], own_cache: None) -> Path:
    """A page of 60 images, all of which it shows, with hostile names in hostile classes; one is a copy, one no image."""
    folder = tmp_path_factory.mktemp("hostile")
    for side, images in (("<b>samples<", digits[:60]), ("<b>real<", digits[60:120])):
        for index, image in enumerate(images):
            place = folder / side / ("<i>one<" if index % 2 else "=two")
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(place / (HOSTILE[index] if index < len(HOSTILE) else f"{index}.png"), format="PNG")
    samples, real = folder / "<b>samples<", folder / "<b>real<"
    (samples / "=two" / "<img src=x onerror=alert(2)>.png").write_bytes(b"no image")
    (samples / "=two" / "<li><u>copy<.png").write_bytes((samples / "=two" / "10.png").read_bytes())
    command = ["genbench", "evaluate", str(samples), "--on-bad", "skip", "--captions", "</pre><script>alert(3)</script>"]
    result = evaluate(samples, ref=real, metrics="fd@tiny", device="cpu", on_bad="skip", allow_small=True, command=command)
    return write_report(result, folder / "report.html", images=samples, ref=real, device="cpu", workers=0)


@pytest.fixture(scope="module")
def run_page(digit_runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a trained model, with everything that a run has."""
    run = next(path.parent for path in digit_runs.rglob("model.json") if path.parent.name == "seed0")
    return write_report(run, tmp_path_factory.mktemp("run") / "report.html", device="cpu", workers=0)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390, 320])
def test_it_fits_every_screen(visit: Any, run_page: Path, width: int, dark: bool) -> None:
    page = visit(run_page, width=width, dark=dark).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.images.length") > 64
    assert page.evaluate("[...document.images].filter(i => i.src && !i.naturalWidth).length") == 0
    ink, paper = page.evaluate("[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]")
    light = [sum(map(int, colour.strip("rgb()").split(","))) for colour in (ink, paper)]
    assert (light[0] > light[1]) == dark
    text = page.locator("figure svg text").first
    drawn = text.evaluate("e => getComputedStyle(e).fill")
    assert (sum(map(int, drawn.strip("rgb()").split(","))) > 380) == dark  # plots follow the page


def test_headings_landmarks_and_words_for_pictures(visit: Any, run_page: Path) -> None:
    page = visit(run_page).page
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3, h4')].map(h => +h.tagName[1])")
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert page.evaluate("document.querySelectorAll('main, footer, nav[aria-label]').length") == 3
    assert page.evaluate("[...document.querySelectorAll('section img')].every(i => i.alt.length > 5)")
    assert page.evaluate("[...document.querySelectorAll('figure svg')].every(s => s.getAttribute('aria-label').length > 20)")
    assert page.evaluate("[...document.querySelectorAll('nav a')].every(a => document.querySelector(a.getAttribute('href')))")
    assert page.evaluate("[...document.querySelectorAll('th')].every(t => t.scope || t.ariaHidden)")
    assert page.title() == "VAE </title><script>alert(1)</script> · genbench report"


def test_pictures_open_and_close_by_keyboard(visit: Any, run_page: Path) -> None:
    page = visit(run_page).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    first = page.locator("section button.zoom").first
    first.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("dialog")
    assert dialog.is_visible()
    words = page.locator("#enlarged-words")
    seen = [words.inner_text()]
    page.keyboard.press("ArrowRight")
    seen.append(words.inner_text())
    page.keyboard.press("ArrowLeft")
    assert words.inner_text() == seen[0] != seen[1]
    assert seen[0] == first.locator("img").get_attribute("alt")
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert page.evaluate("document.activeElement.className") == "zoom"
    page.locator("section button.zoom").nth(2).click()
    page.locator("[data-close]").click()
    assert not dialog.is_visible()


def test_focus_is_seen(visit: Any, run_page: Path) -> None:
    page = visit(run_page).page
    for _ in range(3):
        page.keyboard.press("Tab")
        style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert style == "solid"


def test_paper_shows_everything_in_black_on_white(visit: Any, run_page: Path) -> None:
    page = visit(run_page, dark=True).page
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert not page.locator("nav").is_visible()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("[...document.querySelectorAll('details')].every(d => d.open)")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert not page.evaluate("[...document.querySelectorAll('details')].every(d => d.open)")
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_it_is_complete_without_its_script(chromium: Any, run_page: Path) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(run_page.as_uri())
    assert page.locator("section img").count() > 64
    assert page.locator("#numbers").is_visible()
    assert not page.locator("dialog").is_visible()
    context.close()


def test_hostile_names_are_text(visit: Any, hostile: Path) -> None:
    """Nothing runs, nothing is asked for, and every name is there to be read."""
    page = visit(hostile).page
    assert page.locator("script").count() == 1
    assert page.evaluate("[...document.images].every(i => !i.src || i.src.startsWith('data:'))")
    assert page.evaluate("document.querySelectorAll('[onerror], [onload], main i, main b, main u').length") == 0
    alts = " ".join(page.evaluate("[...document.images].map(i => i.alt)"))
    assert all(name in alts for name in HOSTILE[:-1])
    page.locator("details").evaluate_all("all => all.forEach(d => d.open = true)")
    text = page.locator("main").inner_text()
    for shown in (
        "<img src=x onerror=alert(2)>.png",
        "<li><u>copy<.png",
        "<i>one<",
        "</pre><script>alert(3)</script>",
        "<b>real<",
    ):
        assert shown in text
    assert "\u202e" not in page.content()
    assert "\x1b" not in page.content()


def test_a_hostile_document_is_text(visit: Any, tmp_path: Path) -> None:
    """A result from a stranger, whose every string is an attack."""
    attack = "</script><img src=x onerror=alert(1)><script>alert(2)</script>"
    result = evaluate("digits/test", ref="digits", metrics="fd@tiny", device="cpu")
    document = json.loads(result.to_json())

    def poisoned(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: poisoned(entry, name) for name, entry in value.items()}
        if isinstance(value, list):
            return [poisoned(entry, key) for entry in value]
        return attack if isinstance(value, str) and key not in ("schema", "status", "better", "made") else value

    document = poisoned(document)
    document["command"] = [attack]
    document["subject"]["skipped"] = [{"name": attack, "reason": attack}]
    document["warnings"] = [{"code": attack, "text": attack}]
    path = write_report(Result.model_validate(document), tmp_path / "report.html", device="cpu", workers=0)
    page = visit(path).page
    assert page.locator("section img").count() == 0
    assert page.locator("script").count() == 1
    assert attack in page.locator("h1").inner_text()
