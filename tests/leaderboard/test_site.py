"""The folder of a leaderboard: every format reads back, names cannot attack, copies and reports are where links say."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from genbench.leaderboard.cells import duration
from genbench.leaderboard.entry import find_entries
from genbench.leaderboard.row import make_rows
from genbench.leaderboard.site import write_site
from genbench.leaderboard.thumbnails import thumbnail
from genbench.study.ratings import Agreement, Fooling, Ratings, Share, SystemRating

LABELS = {"Best", "Close", "Three seeds", "=1+1", "real"}


@pytest.fixture(scope="module")
def site(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    write_site([runs], out, title="Photos <1>")
    return out


class Parsed(HTMLParser):
    """Elements with their attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_csv_reads_back(site: Path, hostile: str) -> None:
    rows = list(csv.DictReader(io.StringIO((site / "leaderboard.csv").read_text())))
    by_name = {row["system"]: row for row in rows}
    assert len(rows) == 9
    assert {row["system"] for row in rows} >= LABELS - {"=1+1"} | {"'=1+1", "Fewer", "Crashed"}
    assert float(by_name["Best"]["fd@tiny"]) == 1.0
    assert by_name["Best"]["fd@tiny ties with best"] == "yes"
    assert by_name["'=1+1"]["precision@tiny"] == ""
    assert by_name["Fewer"]["fd@tiny"] == ""
    assert by_name["Fewer"]["reason"] == "n: 300 instead of 500 images"
    assert by_name["Three seeds"]["fd@tiny sd over seeds"].startswith("0.1")
    assert not [cell for row in rows for cell in row.values() if cell and cell[0] in "=+-@"]
    assert hostile in by_name


def test_json_reads_back(site: Path, hostile: str) -> None:
    document = json.loads((site / "leaderboard.json").read_text())
    assert document["schema"] == "genbench.leaderboard/1"
    main = document["groups"][0]
    rows = {row["system"]: row for row in main["rows"]}
    assert rows.keys() == LABELS | {hostile}
    assert rows["Best"]["rank"]["rank"] == 1
    assert rows["real"]["rank"] is None
    assert rows["Three seeds"]["seeds"] == [0, 1, 2]
    assert rows["Best"]["metrics"][main["ranked_by"]] == {
        "value": 1.0,
        "se": 0.1,
        "ci": pytest.approx([1 - 0.196, 1 + 0.196], rel=1e-3),
        "sd_over_seeds": None,
        "n": 500,
        "ties_with_best": True,
        "not_comparable": None,
    }
    assert {other["system"] for other in main["others"]} == {"Fewer", "Elsewhere", "Crashed"}


def test_markdown_is_two_tables_of_equal_width(site: Path) -> None:
    tables = re.findall(r"(?:^\|.*\n)+", (site / "leaderboard.md").read_text(), re.MULTILINE)
    assert [len(table.splitlines()) for table in tables] == [2 + 6, 2 + 3]
    for table in tables:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1
    assert "**1.00 ± 0.10**" in tables[0]
    assert "**3.00" not in tables[0]


def test_latex_has_balanced_braces_and_equal_columns(site: Path) -> None:
    text = (site / "leaderboard.tex").read_text()
    shown = re.sub(r"\\[{}\\]", "", "\n".join(line for line in text.splitlines() if not line.startswith("%")))
    assert shown.count("{") == shown.count("}")
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 2
    body = text.partition(r"\toprule")[2].partition(r"\bottomrule")[0]
    widths = {len(re.findall(r"(?<!\\)&", line)) for line in body.splitlines() if line.endswith(r"\\")}
    assert len(widths) == 1
    assert r"\textbf{1.00 $\pm$ 0.10}" in body
    assert r"\input" not in text


def test_the_page_is_one_file_that_names_cannot_attack(site: Path, hostile: str) -> None:
    page = Parsed((site / "index.html").read_text())
    assert hostile.partition("\n")[0] in page.text
    sources = [attrs.get("src") or "" for tag, attrs in page.elements if tag in ("img", "script", "iframe")]
    assert all(source.startswith("data:") for source in sources if source)
    assert not [attrs for _, attrs in page.elements if any(name.startswith("on") for name in attrs)]
    assert [attrs for tag, attrs in page.elements if tag == "link"] == [{"rel": "icon", "href": "data:,"}]
    assert "Photos <1>" in page.text


def test_links_lead_to_files_that_are_there(site: Path, runs: Path) -> None:
    page = Parsed((site / "index.html").read_text())
    places = {
        attrs["href"] for tag, attrs in page.elements if tag == "a" and not str(attrs["href"]).startswith(("#", "https://"))
    }
    assert len([place for place in places if str(place).startswith("results/")]) == 11
    for place in places:
        assert (site / str(place)).is_file()
        assert re.fullmatch(r"[a-z0-9/.-]+", str(place))
    copies = {path.read_bytes() for path in (site / "results").iterdir()}
    assert copies == {path.read_bytes() for path in runs.rglob("result.json")}


def test_a_site_made_of_copies_has_the_same_rows(site: Path, tmp_path: Path) -> None:
    """But for the error bars of differences: influence is not copied."""
    write_site([site / "results"], tmp_path / "again")
    first = json.loads((site / "leaderboard.json").read_text())["groups"][0]
    second = json.loads((tmp_path / "again" / "leaderboard.json").read_text())["groups"][0]
    assert [row["system"] for row in first["rows"]] == [row["system"] for row in second["rows"]]


def test_marks_are_heard_as_well_as_seen(site: Path) -> None:
    text = (site / "index.html").read_text()
    marks = text.count('<span class="heard"> (not significantly worse than the best)</span>')
    assert marks == text.count("<strong>") > 2


def test_pictures_beside_a_run_are_shown_and_reports_are_made(make_run: Any, tmp_path: Path) -> None:
    place = make_run(tmp_path / "runs", "A", {"fd": 1.0})
    make_run(tmp_path / "runs", "B", {"fd": 2.0}, draw=1)
    Image.new("RGB", (600, 600), "red").save(place / "samples.png")
    made: list[str] = []
    write_site(
        [tmp_path / "runs"], tmp_path / "site", report=lambda document, out: (made.append(out.name), out.write_text("A"))[0]
    )
    page = Parsed((tmp_path / "site" / "index.html").read_text())
    (image,) = [attrs for tag, attrs in page.elements if tag == "img"]
    assert (image["alt"], image["width"]) == ("samples of A", "320")
    assert (tmp_path / "site" / "reports" / "a.html").read_text() == "A"
    assert sorted(made) == ["a.html", "b.html"]


def test_a_folder_of_samples_becomes_a_picture_and_a_broken_one_none(make_run: Any, tmp_path: Path) -> None:
    good, bad = make_run(tmp_path / "runs", "A", {"fd": 1.0}), make_run(tmp_path / "runs", "B", {"fd": 2.0}, draw=1)
    (good / "samples").mkdir()
    for number in range(20):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(good / "samples" / f"{number:02d}.png")
    (bad / "samples.png").write_bytes(b"no picture")
    write_site([tmp_path / "runs"], tmp_path / "site")
    page = Parsed((tmp_path / "site" / "index.html").read_text())
    assert [attrs["alt"] for tag, attrs in page.elements if tag == "img"] == ["samples of A"]


def test_pictures_too_large_to_open_are_none(make_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = make_run(tmp_path, "A", {"fd": 1.0})
    Image.new("RGB", (8, 8)).save(place / "samples.png")
    (row,), _ = make_rows(find_entries([tmp_path]))
    for most, shown in ((64, True), (63, False)):
        monkeypatch.setattr("genbench.leaderboard.thumbnails.MAX_PIXELS", most)
        assert (thumbnail(row) is not None) is shown


def test_rows_of_one_name_in_folders_of_one_name_are_numbered(make_result: Any, tmp_path: Path) -> None:
    for number, folder in enumerate(("x/mine", "y/mine", "theirs")):
        make_result({"fd": 1.0}, seed=number, name="samples").save(tmp_path / folder)
    rows, _ = make_rows(find_entries([tmp_path]))
    assert [row.label for row in rows] == ["samples (theirs)", "samples (1)", "samples (2)"]


def test_what_is_withdrawn_is_no_longer_published(make_run: Any, tmp_path: Path) -> None:
    gone = make_run(tmp_path / "runs", "Gone", {"fd": 1.0})
    make_run(tmp_path / "runs", "Stays", {"fd": 2.0}, draw=1)
    site = tmp_path / "site"
    site.mkdir()
    (site / "CNAME").write_text("mine")

    def published() -> set[str]:
        return {path.relative_to(site).as_posix() for path in site.rglob("*.*") if path.parent != site}

    write_site([tmp_path / "runs"], site, report=lambda document, out: (out.write_text("made"), None)[1])
    kept = {"results/stays-seed0.json", "reports/stays.html"}
    assert published() == kept | {"results/gone-seed0.json", "reports/gone.html"}
    (gone / "result.json").unlink()
    write_site([tmp_path / "runs"], site, report=lambda document, out: (out.write_text("made"), None)[1])
    assert published() == kept
    write_site([tmp_path / "runs"], site)
    assert published() == {"results/stays-seed0.json"}
    assert (site / "CNAME").read_text() == "mine"


def test_a_front_of_one_system_is_no_line(make_run: Any, tmp_path: Path) -> None:
    make_run(tmp_path / "runs", "A", {"fd": 1.0}, ms=1, seconds=1)
    make_run(tmp_path / "runs", "B", {"fd": 2.0}, ms=2, seconds=2, draw=1)
    text = write_site([tmp_path / "runs"], tmp_path / "site").index.read_text()
    assert "Filled: the Pareto front" in text
    assert "dashed line" not in text


SUBMISSION = """
name = "Theirs"
url = "https://example.org/theirs"
licence = "MIT"
hardware = "1 x H200"
family = "diffusion"
parameters = 61_800_000
seeds = [4]
[training]
seconds = 432_000
[sampling]
ms_per_image = 310.0
evaluations = 1000
"""


def test_submissions_and_plain_results_make_rows(make_result: Any, tmp_path: Path) -> None:
    make_result({"fd": 1.0}).save(tmp_path / "theirs")
    (tmp_path / "theirs" / "submission.toml").write_text(SUBMISSION)
    make_result({"fd": 2.0}, seed=1, name="samples").save(tmp_path / "mine")
    make_result({"fd": 3.0}, seed=2, name="samples").save(tmp_path / "older")
    site = write_site([tmp_path], tmp_path / "site")
    rows = {standing.row.label: standing.row for standing in site.board.main.standings}
    assert list(rows) == ["Theirs", "samples (mine)", "samples (older)"]
    theirs = rows["Theirs"]
    assert (theirs.costs.train_seconds, theirs.costs.evaluations, theirs.first.seed) == (432_000, 1000, 4)
    page = Parsed((tmp_path / "site" / "index.html").read_text())
    assert {"https://example.org/theirs"} == {a["href"] for t, a in page.elements if t == "a" and a.get("class") == "source"}
    assert "61.8 M" in page.text
    assert "5 d" in page.text


def rated(system: str, rating: float | None, tied: bool, **rest: Any) -> SystemRating:
    ends = None if rating is None else (rating - 0.2, rating + 0.2)
    return SystemRating(
        system=system, rating=rating, se=0.1, ci=ends, preferred=0.5, preferred_ci=(0.4, 0.6), rank=1, rank_low=1, rank_high=2,
        tied_with_best=tied, letters="a", votes=40, wins=20, losses=20, ties=0, **rest,
    )  # fmt: skip


def ratings_of(kind: Any, systems: list[SystemRating]) -> Ratings:
    return Ratings(
        created="2026-11-21", study="looks", kind=kind, level=0.95, method="as it was made", votes=80, raters=9, excluded=0,
        rule="", systems=systems, pairs=[], intransitive=[], position=None,
        agreement=Agreement(alpha=0.5, alpha_ci=None, majority=None, questions=10),
    )  # fmt: skip


def test_what_is_taken_for_real_stands_beside_the_metrics(runs: Path, tmp_path: Path) -> None:
    """A two-alternative study has no ratings but shares of votes; who is not in it is no tie."""

    def fooled(system: str, share: float, tied: bool) -> SystemRating:
        value = Share(value=share, ci=(share - 0.1, share + 0.1), n=40, p=0.5)
        found = Fooling(
            share=value, se=0.05, d_prime=None, d_prime_ci=(None, None), margin=0.1, p_equivalent=1.0, verdict="inconclusive"
        )
        return rated(system, None, tied, fooling=found)

    systems = [fooled("Best", 0.25, False), fooled("Close", 0.4, True), rated("Three seeds", None, True, reason="no votes")]
    site = write_site([runs], tmp_path / "site", ratings=ratings_of("two_alternative", systems))
    page = site.index.read_text()
    assert "taken for real ↑" in page
    cells = [cell.partition("</td>")[0] for cell in page.partition("</table>")[0].split("<td ")]
    best, close = (next(cell for cell in cells if text in cell) for text in ("25 % [15, 35]", "40 % [30, 50]"))
    assert ('data-sort="0.25"' in best, "mark" in best) == (True, False)
    assert ('data-sort="0.4"' in close, "mark" in close) == (True, True)
    assert not [cell for cell in cells if "mark" in cell and "–" in cell]
    rows = json.loads((tmp_path / "site" / "leaderboard.json").read_text())["groups"][0]["rows"]
    assert {row["system"]: row["human"] for row in rows if row["human"]}.keys() == {"Best", "Close"}
    assert "40 % \\[30, 50\\]" in (tmp_path / "site" / "leaderboard.md").read_text()


def test_human_ratings_stand_beside_the_metrics(runs: Path, tmp_path: Path) -> None:
    systems = [rated("Best", 0.5, True), rated("Close", -0.5, False), rated("Nobody", 0.0, False)]
    site = write_site([runs], tmp_path / "site", ratings=ratings_of("pairwise", systems))
    text = Parsed(site.index.read_text()).text
    assert "+0.50 [+0.30, +0.70]" in text
    assert "without a row of this name: Nobody" in text
    rows = {row["system"]: row for row in json.loads((tmp_path / "site" / "leaderboard.json").read_text())["groups"][0]["rows"]}
    assert rows["Close"]["human"]["value"] == -0.5


def test_durations() -> None:
    assert [duration(s) for s in (None, 0.0014, 8, 100, 1500, 11_520, 432_000)] == [
        "–", "1.4 ms", "8 s", "100 s", "25 min", "3.2 h", "5 d",
    ]  # fmt: skip


def test_points_of_the_plane_make_rows(make_run: Any, rewrite: Any, tmp_path: Path) -> None:
    measured = {"mode_coverage": {"value": 0.9, "se": 0.01, "n": 1000, "better": "higher"}}
    for number in range(2):
        place = make_run(tmp_path, f"{number}", {"fd": 1.0}, draw=number)
        rewrite(place / "result.json", lambda document: document.update(final={"evaluation": None, "points": measured}))
    entries = find_entries([tmp_path])
    assert [key for entry in entries for key in entry.result.by_protocol] == [
        "mode_coverage of points, photos/1 mode_coverage"
    ] * 2
