"""The leaderboard in a real browser: sorting, filters, the address, dark and narrow, hostile names, and without a script."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from genbench.bench.record import Cost, Quality, Record
from genbench.estimate import normal_interval
from genbench.evaluation.result import Result
from genbench.leaderboard.site import write_site

HOSTILE = '<img src=x onerror=alert(1)>.png "|pipe</script> =cmd\n%0A::error'
SYSTEMS = (  # label, family, fd, precision, images, ms per image
    ("Flow", "flow", 3.0, 0.6, 500, 5.0),
    ("Diffusion", "diffusion", 1.0, 0.8, 500, 500.0),
    (HOSTILE, "=cmd", 9.0, 0.3, 500, 0.1),
    ("GAN", "gan", 2.0, 0.9, 500, 1.0),
    ("Fewer", "gan", 0.5, None, 300, 1.0),
    ("Few, too", "flow", 0.7, None, 300, 2.0),
    ("Crashed", "vae", None, None, 500, 1.0),
)


def metric(name: str, value: float, n: int, better: str) -> dict[str, Any]:
    shared = {"level": 0.95, "method": "influence", "n": n, "n_real": 400, "layer": None, "extractor": None}
    return {"name": name, "value": value, "se": 0.1, "ci": normal_interval(value, 0.1), "better": better, **shared} | {
        "protocol": f"{name}/1"
    }


def save(folder: Path, row: Sequence[Any]) -> None:
    label, family, fd, precision, n, ms = row
    result = None
    if fd is not None:
        metrics = [metric("fd", fd, n, "lower"), *([metric("precision", precision, n, "higher")] if precision else [])]
        document = {
            "created": "2026-11-21",
            "subject": {"name": label, "kind": "array", "n": n},
            "reference": {"name": "photos", "kind": "folder", "made": "images", "digest": "sha256:" + "a" * 64, "n": 400},
            "metrics": metrics,
            "env": {},
            "timing": {"wall_s": 0, "cpu_s": 0, "extract_s": 0, "metrics_s": 0, "images_extracted": 0},
        }
        result = Result.model_validate(document)
    cost = {"parameters": 1000, "steps": 1, "images": 1, "train_seconds": 10 * ms, "train_cpu_seconds": 1, "peak_memory": 0}
    folder.mkdir(parents=True)
    Record(
        label=label,
        family=family,
        task="unconditional",
        config={"seed": 0},
        error=None if result else "RuntimeError: loss is nan",
        final=Quality(evaluation=result) if result else None,
        cost=Cost(**cost, sample_seconds=ms / 1000, evaluations=1),
        made="2026-11-21",
    ).save(folder)
    if result:
        Image.new("RGB", (640, 640), "teal").save(folder / "samples.png")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("leaderboard")
    for number, row in enumerate(SYSTEMS):
        save(folder / "runs" / str(number) / "seed0", row)
    report = lambda document, out: out.write_text("a report")  # noqa: E731
    return write_site([folder / "runs"], folder / "site", title="Photos", report=report).index


def names(page: Any) -> list[str]:
    """Of the rows of the table that can be seen, in order; hostile names by their beginning."""
    found = page.locator(".group:not([hidden]) .board tbody tr:not([hidden]) th.system").all_inner_texts()
    return [name[:4] for name in found]


def head(page: Any, id: str) -> Any:
    return page.locator(f'.group:not([hidden]) .board thead th[data-id="{id}"]')


def test_sort_by_click(visit: Any, index: Path) -> None:
    page = visit(index).page
    assert names(page) == ["Diff", "GAN", "Flow", "<img"]
    assert head(page, "rank").get_attribute("aria-sort") == "ascending"
    precision = head(page, "precision/1 precision")
    precision.locator("button").click()
    assert names(page) == ["GAN", "Diff", "Flow", "<img"]  # the best first
    assert precision.get_attribute("aria-sort") == "descending"
    assert head(page, "rank").get_attribute("aria-sort") is None
    precision.locator("button").click()
    assert names(page) == ["<img", "Flow", "Diff", "GAN"]
    head(page, "system").locator("button").click()
    assert names(page) == ["<img", "Diff", "Flow", "GAN"]
    head(page, "ms-image").locator("button").click()
    assert names(page) == ["<img", "GAN", "Flow", "Diff"]


def test_sort_by_keyboard(visit: Any, index: Path) -> None:
    page = visit(index).page
    page.locator('.group:not([hidden]) .board th[data-id="rank"] button').focus()
    page.keyboard.press("Enter")
    assert names(page) == ["<img", "Flow", "GAN", "Diff"]
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert head(page, "system").get_attribute("aria-sort") == "ascending"
    assert page.evaluate("document.activeElement.tagName") == "BUTTON"


def test_filters(visit: Any, index: Path) -> None:
    page = visit(index).page
    page.fill("#search", "gan")
    assert names(page) == ["GAN"]
    assert "of" in page.inner_text("#count")
    page.fill("#search", "")
    page.select_option("#family", "flow")
    assert names(page) == ["Flow"]
    page.click("#reset")
    assert len(names(page)) == 4
    crashed = page.locator(".group:not([hidden]) tr[data-failed]")
    assert crashed.is_visible()
    page.check("#failed")
    assert not crashed.is_visible()


def test_the_group_switches_and_says_why_the_others_stand_below(visit: Any, index: Path) -> None:
    page = visit(index).page
    assert "n: 300 instead of 500 images" in page.inner_text(".group:not([hidden]) .others")
    page.select_option("#group", "1")
    assert names(page) == ["Fewe", "Few,"]
    assert "n: 500 instead of 300 images" in page.inner_text(".group:not([hidden]) .others")


def test_the_address_keeps_and_restores_the_state(visit: Any, index: Path) -> None:
    page = visit(index).page
    head(page, "precision/1 precision").locator("button").click()
    page.fill("#search", "a")
    page.check("#failed")
    address, before = page.evaluate("location.href"), names(page)
    assert "sort=precision" in address
    again = visit(address).page
    assert names(again) == before == ["GAN", "<img"]
    assert again.is_checked("#failed")
    assert again.input_value("#search") == "a"
    again.evaluate("location.hash = 'sort=nonsense&dir=up&group=99&q=%3Cimg'")
    again.locator(".board tbody tr:visible th.system", has_text="GAN").wait_for(state="detached")
    assert names(again) == ["<img"]
    assert again.input_value("#search") == "<img"


def test_hostile_names_are_shown_and_do_nothing(visit: Any, index: Path) -> None:
    page = visit(index).page
    shown = page.locator(".group:not([hidden]) .board th.system", has_text="onerror").inner_text()
    assert shown.split() == HOSTILE.split()
    page.locator("button[aria-label*=onerror]").first.click()
    assert page.locator("dialog p").inner_text().startswith("samples of <img src=x")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="hidden")
    assert page.locator("img:not([src^='data:'])").count() == 0


def test_names_are_not_bold_and_lead_to_reports(visit: Any, index: Path) -> None:
    page = visit(index).page
    name = page.locator(".group:not([hidden]) .board tbody th.system").first
    assert name.evaluate("name => getComputedStyle(name).fontWeight") == "400"
    assert name.locator("a").get_attribute("href") == "reports/diffusion.html"


def test_charts_say_what_they_show(visit: Any, index: Path) -> None:
    page = visit(index).page
    charts = page.locator(".group:not([hidden]) .charts svg")
    assert charts.count() == 2
    assert "Filled, on the dashed line: the Pareto front" in page.inner_text(".group:not([hidden]) .charts")
    assert charts.first.get_attribute("role") == "img"
    words = charts.first.get_attribute("aria-label")
    assert words.startswith("fd against sampling cost. 4 systems.")
    front = words.partition("per image: ")[2]
    assert [part in front for part in ("<img", "GAN at 1", "Diffusion at 500", "Flow")] == [True, True, True, False]


@pytest.mark.parametrize("dark", [False, True])
def test_narrow_screens_scroll_the_table_and_not_the_page(visit: Any, index: Path, dark: bool) -> None:
    page = visit(index, width=390, height=844, dark=dark).page
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    box = page.locator(".group:not([hidden]) .scroll").first
    assert box.evaluate("box => box.scrollWidth > box.clientWidth")
    value = page.locator(".group:not([hidden]) .board tbody strong").first.bounding_box()
    assert value["x"] + value["width"] < 350  # what ranks is seen at once
    assert "more" in box.get_attribute("class")  # and that there is more
    box.evaluate("box => box.scrollTo(9999, 0)")
    page.locator(".group:not([hidden]) .scroll:not(.more)").first.wait_for()  # no wait_for_function: the page forbids eval
    box.evaluate("box => box.scrollTo(300, 0)")
    first = page.locator(".group:not([hidden]) .board tbody th.system").first
    assert abs(first.bounding_box()["x"] - box.bounding_box()["x"]) < 2  # the name stays
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(20, 23, 26)" if dark else "rgb(255, 255, 255)")


def test_headings_stay_in_view(visit: Any, index: Path) -> None:
    page = visit(index, height=500).page
    box = page.locator(".group:not([hidden]) .scroll").first
    box.evaluate("box => { box.style.maxHeight = '10rem'; box.scrollTo(0, 200); }")
    top = page.locator(".group:not([hidden]) .board thead th").first.bounding_box()["y"]
    assert abs(top - box.bounding_box()["y"]) < 3


def test_without_a_script_it_is_a_sorted_table(chromium: Any, index: Path) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(index.as_uri())
    assert [name[:4] for name in page.locator(".board tbody th.system").all_inner_texts()][:4] == [
        "Diff",
        "GAN",
        "Flow",
        "<img",
    ]
    assert not page.locator(".controls").is_visible()
    assert page.locator(".others").first.is_visible()
    context.close()


def test_it_prints_without_controls_and_without_clipping(visit: Any, index: Path) -> None:
    page = visit(index, width=1040).page
    page.emulate_media(media="print")
    assert not page.locator(".controls").is_visible()
    assert page.locator(".group:not([hidden]) .scroll").first.evaluate("box => getComputedStyle(box).overflow") == "visible"
    assert page.evaluate("document.documentElement.scrollWidth") <= 1040
