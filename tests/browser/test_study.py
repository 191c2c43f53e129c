"""The page of a study in a real browser: answered by keyboard, mouse and touch, reloaded, cut off and saved."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from genbench.study.design import new_study
from genbench.study.document import Study
from genbench.study.static import static_page
from genbench.study.store import kept_votes
from genbench.study.votes import read_votes

pytest.importorskip("uvicorn", reason="the extra `study` is not installed")

HOSTILE = "<img src=x onerror=alert(1)>"
READY = "#ask:not([hidden]):not(.loading)"


@dataclass
class Served:
    """A study and the process that serves it."""

    study: Study
    folder: Path
    port: int = 0
    process: subprocess.Popen[str] | None = None

    def start(self) -> str:
        arguments = [sys.executable, "-m", "genbench", "study", "serve", str(self.folder), "--port", str(self.port), "-q"]
        self.process = subprocess.Popen(
            arguments, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        assert self.process.stdout is not None
        address = self.process.stdout.readline().strip()
        self.port = int(address.rsplit(":", 1)[1].strip("/"))
        return address

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()

    def votes(self) -> list[Any]:
        return kept_votes(self.folder, self.study.id)


def images(folder: Path, count: int, colour: tuple[int, int, int], size: tuple[int, int] = (48, 48)) -> Path:
    folder.mkdir()
    for index in range(count):
        pixels = np.full((size[1], size[0], 3), colour, np.uint8)
        pixels[: size[1] // 2, : 4 * (index + 1)] = 255
        Image.fromarray(pixels).save(folder / f"{index:02d}.png")
    return folder


def make(root: Path, *, names: tuple[str, str] = ("red", "blue"), **options: Any) -> Study:
    sets = {names[0]: images(root / "one", 6, (200, 30, 30)), names[1]: images(root / "two", 6, (30, 30, 200))}
    return new_study("pairwise", sets, root / "study", **{"questions": 4, "catch": 0.25, **options})


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(make(tmp_path, ties=True), tmp_path / "study")
    yield made
    made.kill()


def until(page: Any, expression: str) -> None:
    """Wait for a condition of the page. Its security policy forbids Playwright's own way, which is `eval`."""
    deadline = time.monotonic() + 20
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, f"never: {expression}"
        page.wait_for_timeout(20)


def begin(page: Any) -> None:
    page.locator("#start:enabled").click()
    page.wait_for_selector(READY)


def asked(page: Any) -> str:
    """How far it is, such as "2 of 5"; waits until an answer is taken."""
    until(page, "state.open !== null || state.over")
    return page.locator("#count").text_content()


def press(page: Any, *keys: str) -> None:
    for key in keys:
        asked(page)
        page.keyboard.press(key)


def stored(page: Any) -> None:
    page.get_by_text("All your answers are stored").wait_for()


def test_a_whole_study_by_keyboard(served: Served, visit: Any) -> None:
    page = visit(served.start()).page
    page.locator("#start:enabled:focus").wait_for()  # no mouse is needed
    page.keyboard.press("Enter")
    press(page, "ArrowLeft", "ArrowRight", "ArrowDown", "t", "ArrowLeft")
    stored(page)
    assert "all 5 pairs" in page.locator("#said").text_content()
    votes = served.votes()
    assert [vote.choice for vote in votes] == ["left", "right", "tie", "tie", "left"]
    assert len({vote.rater for vote in votes}) == 1
    assert {vote.question for vote in votes} == {one.id for one in served.study.questions}
    assert all(0 <= vote.seconds < 60 for vote in votes)


def test_what_is_seen_is_what_is_voted_for(served: Served, visit: Any) -> None:
    """Always the red image, by mouse: the votes say that the red system wins wherever it was shown."""
    page = visit(served.start()).page
    begin(page)
    colour = """side => { const image = document.getElementById(side + "-image"), canvas = document.createElement("canvas");
        canvas.width = canvas.height = 48; const drawing = canvas.getContext("2d"); drawing.drawImage(image, 0, 0);
        return [...drawing.getImageData(40, 40, 1, 1).data].slice(0, 3) }"""
    for _ in served.study.questions:
        asked(page)
        red = [page.evaluate(colour, side) == [200, 30, 30] for side in ("left", "right")]
        page.locator("#left" if red[0] else "#right").click()
    stored(page)
    plain = [vote for vote in served.votes() if not vote.catch]
    assert [getattr(vote, vote.choice) for vote in plain] == ["red"] * 4


def test_a_key_held_down_is_one_answer_and_answers_wait_for_the_images(served: Served, visit: Any) -> None:
    page = visit(served.start()).page
    begin(page)
    asked(page)
    page.evaluate("""() => { for (const repeat of [false, true, true, true])
        document.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft", repeat })) }""")
    assert asked(page) == "2 of 5"
    page.evaluate("""() => { for (let i = 0; i < 9; i += 1)
        document.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft" })) }""")
    assert asked(page) == "3 of 5", "further presses came before the next images were there"
    page.evaluate("""document.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft", ctrlKey: true }))""")
    assert asked(page) == "3 of 5"


def test_a_reload_goes_on_where_it_was(served: Served, visit: Any) -> None:
    page = visit(served.start()).page
    begin(page)
    press(page, "ArrowLeft", "ArrowRight")
    assert asked(page) == "3 of 5"
    page.reload()
    page.get_by_text("Welcome back: 2 of 5").wait_for()
    begin(page)
    press(page, "ArrowLeft", "ArrowLeft", "ArrowLeft")
    stored(page)
    page.reload()
    page.get_by_text("Thank you!").wait_for()
    assert Counter(vote.question for vote in served.votes()) == {one.id: 1 for one in served.study.questions}


def test_a_killed_server_loses_nothing(served: Served, visit: Any) -> None:
    """Votes that are given while there is no server wait in the browser, through a reload, and come once."""
    watched = visit(served.start())
    page = watched.page
    begin(page)
    press(page, "ArrowLeft")
    asked(page)
    until(page, "transport.waiting().length === 0")
    served.kill()
    press(page, "ArrowRight", "ArrowLeft")  # the images were fetched ahead
    page.get_by_text("No connection.").wait_for()
    assert len(served.votes()) == 1
    served.start()
    until(page, "transport.waiting().length === 0")
    page.reload()
    page.get_by_text("Welcome back: 3 of 5").wait_for()
    begin(page)
    press(page, "ArrowLeft", "ArrowLeft")
    stored(page)
    votes = served.votes()
    assert [vote.choice for vote in votes] == ["left", "right", "left", "left", "left"]
    assert len({vote.question for vote in votes}) == 5
    refused = [text for text in watched.complaints if "ERR_CONNECTION_REFUSED" in text]
    assert refused
    watched.complaints[:] = [text for text in watched.complaints if text not in refused]


def test_an_answer_whose_acknowledgement_is_lost_counts_once(served: Served, visit: Any) -> None:
    watched = visit(served.start())
    page = watched.page
    begin(page)
    lost = []

    def lose(route: Any) -> None:
        if len(lost) < 2:
            lost.append(route.fetch().json())  # the server keeps it, the page does not hear of it
            route.abort()
        else:
            route.continue_()

    page.route("**/api/votes", lose)
    press(page, *["ArrowLeft"] * 5)
    stored(page)
    assert lost == [{"kept": True}] * 2
    assert Counter(vote.question for vote in served.votes()) == {one.id: 1 for one in served.study.questions}
    watched.complaints[:] = [text for text in watched.complaints if "ERR_FAILED" not in text]


def test_raters_by_link_and_after_each_other(served: Served, visit: Any) -> None:
    address = served.start()
    page = visit(f"{address}?rater=anna").page
    page.get_by_text("the name in your link").wait_for()
    begin(page)
    press(page, *["ArrowLeft"] * 5)
    stored(page)
    page.get_by_role("button", name="Somebody else").click()
    page.wait_for_url(address)
    begin(page)
    press(page, *["ArrowRight"] * 5)
    stored(page)
    by_rater = Counter(vote.rater for vote in served.votes())
    assert by_rater.pop("anna") == 5
    assert list(by_rater.values()) == [5]


@pytest.mark.parametrize("name", ["a%20b", "team/anna", "x" * 65])
def test_a_name_that_could_not_be_kept_is_refused_with_and_without_a_server(served: Served, visit: Any, name: str) -> None:
    static_page(served.folder, served.folder.with_suffix(".html"))
    for address in (served.start(), served.folder.with_suffix(".html").as_uri()):
        page = visit(f"{address}?rater={name}").page
        page.get_by_text("does not accept the name").wait_for()
        assert page.locator("#start").is_disabled()


def test_the_page_in_one_file_goes_on_for_the_name_in_its_link(tmp_path: Path, visit: Any) -> None:
    make(tmp_path)
    static_page(tmp_path / "study", tmp_path / "study.html")
    page = visit(f"{(tmp_path / 'study.html').as_uri()}?rater=anna@home.example").page
    begin(page)
    press(page, "ArrowLeft", "ArrowRight")
    asked(page)
    page.reload()
    page.get_by_text("Welcome back: 2 of 5").wait_for()
    begin(page)
    assert {vote.rater for vote in download(page, "#early", tmp_path / "votes.jsonl")} == {"anna@home.example"}


@pytest.mark.parametrize(("width", "height", "dark"), [(1280, 800, False), (390, 844, True), (844, 390, False)])
def test_both_images_fit_every_screen(served: Served, visit: Any, width: int, height: int, dark: bool) -> None:
    page = visit(served.start(), width=width, height=height, dark=dark).page
    begin(page)
    asked(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    boxes = [page.locator(f"#{part}").bounding_box() for part in ("left", "right", "tie")]
    left, right, tie = boxes
    assert left["x"] + left["width"] < right["x"]
    assert (left["y"], left["width"], left["height"]) == (right["y"], right["width"], right["height"])
    assert max(box["y"] + box["height"] for box in boxes) <= height, "nothing has to be scrolled"
    assert left["width"] >= 100
    assert tie["height"] >= 32
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", paper)[:3])) < 200) == dark


def test_it_is_said_to_those_who_cannot_see(served: Served, visit: Any) -> None:
    page = visit(served.start()).page
    begin(page)
    asked(page)
    assert page.get_by_role("button", name="Choose the left image").count() == 1
    assert page.get_by_role("button", name="Choose the right image").count() == 1
    assert page.get_by_role("progressbar", name="Answered").count() == 1
    assert page.locator("img").evaluate_all("all => all.map(image => image.alt)") == ["left image", "right image"]
    assert page.locator("#status").text_content().startswith("Pair 1 of 5")
    page.get_by_role("button", name="Choose the right image").focus()
    page.keyboard.press("Enter")
    assert asked(page) == "2 of 5"
    assert page.evaluate("document.activeElement.id") == "right", "the focus stays"


def download(page: Any, button: str, to: Path) -> list[Any]:
    with page.expect_download() as saved:
        page.locator(button).click()
    assert saved.value.suggested_filename == "votes.jsonl"
    saved.value.save_as(to)
    return read_votes([to])


def test_the_page_in_one_file_saves_votes(tmp_path: Path, visit: Any) -> None:
    hostile = f"{HOSTILE}</script>'\"é"
    study = make(tmp_path, names=("red", hostile), question="Which? <b>&</b>")
    static_page(tmp_path / "study", tmp_path / "study.html")
    page = visit(tmp_path / "study.html").page
    assert page.locator("#welcome h1").text_content() == "Which? <b>&</b>"
    begin(page)
    press(page, "ArrowLeft", "ArrowRight")
    asked(page)
    assert [vote.choice for vote in download(page, "#early", tmp_path / "early.jsonl")] == ["left", "right"]
    page.reload()
    page.get_by_text("Welcome back: 2 of 5").wait_for()
    begin(page)
    press(page, "ArrowDown", "ArrowRight", "ArrowRight", "ArrowRight")  # there is no tie in this study
    page.get_by_text("Thank you!").wait_for()
    first = download(page, "#save", tmp_path / "first.jsonl")
    assert [vote.choice for vote in first] == ["left", "right", "right", "right", "right"]
    by_id = {one.id: one for one in study.questions}
    assert {vote.question for vote in first} == set(by_id)
    for vote in first:
        one = by_id[vote.question]
        flipped = (vote.left_image, vote.left) == (one.b.name, one.b.system)
        left, right = (one.b, one.a) if flipped else (one.a, one.b)
        assert (vote.study, vote.kind, vote.catch, vote.text) == (study.id, study.kind, one.catch, one.text)
        assert (vote.left, vote.left_image) == (left.system, left.name)
        assert (vote.right, vote.right_image) == (right.system, right.name)
        assert vote.correct == (None if one.correct is None else "right" if flipped else "left")
    assert abs(sum(1 if vote.left == "red" else -1 for vote in first if not vote.catch)) == 0, "half on each side"
    page.get_by_role("button", name="Somebody else").click()
    begin(page)
    press(page, *["ArrowLeft"] * 5)
    page.get_by_text("Thank you!").wait_for()
    both = download(page, "#save", tmp_path / "both.jsonl")
    assert both[:5] == first
    assert len({vote.rater for vote in both}) == 2
    assert len({vote.id for vote in both}) == 10


def test_the_page_in_one_file_without_storage(tmp_path: Path, visit: Any) -> None:
    """A browser that refuses to store: the answers live as long as the page."""
    make(tmp_path)
    static_page(tmp_path / "study", tmp_path / "study.html")
    watched = visit(tmp_path / "study.html")
    watched.page.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error('refused') } })")
    watched.page.reload()
    begin(watched.page)
    press(watched.page, *["ArrowLeft"] * 5)
    watched.page.get_by_text("Thank you!").wait_for()
    assert len(download(watched.page, "#save", tmp_path / "votes.jsonl")) == 5


def test_captions_stand_above_their_images(tmp_path: Path, visit: Any) -> None:
    captions = tmp_path / "captions.jsonl"
    text = "a red & blue thing <b>bold</b> " * 5
    captions.write_text("".join(f'{{"name": "{index:02d}.png", "text": "{index} {text}"}}\n' for index in range(6)))
    sets = {"red": images(tmp_path / "one", 6, (200, 30, 30)), "blue": images(tmp_path / "two", 6, (30, 30, 200))}
    study = new_study("text_match", sets, tmp_path / "study", captions=captions, questions=3, catch=0)
    static_page(tmp_path / "study", tmp_path / "study.html")
    page = visit(tmp_path / "study.html", width=390, height=844).page
    begin(page)
    asked(page)
    assert page.locator("#text").text_content() in {one.text for one in study.questions}
    assert page.locator("#text b").count() == 0
    assert page.locator("#right").bounding_box()["y"] < 844


def test_the_time_is_that_of_looking(served: Served, visit: Any) -> None:
    page = visit(served.start()).page
    page.clock.install()
    page.reload()
    begin(page)
    asked(page)
    page.clock.fast_forward(60_000)
    press(page, "ArrowLeft")
    until(page, "transport.waiting().length === 0")
    assert served.votes()[0].seconds >= 60
