"""What strangers hand in stays in its place: names of files, links, other people's rows, documents that are made to break."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from genbench.errors import DataError, GenbenchError, UsageError
from genbench.leaderboard.entry import find_entries
from genbench.leaderboard.row import make_rows
from genbench.leaderboard.site import write_site
from genbench.leaderboard.validate import validate

LISTING = 'name = "{}"\nurl = "https://example.org"\nlicence = "MIT"\nhardware = "one GPU"\n'


def submit(folder: Path, result: Any, name: str) -> Path:
    result.save(folder)
    (folder / "submission.toml").write_text(LISTING.format(name))
    return folder


@pytest.mark.parametrize("seed", ["/../../../victim/package", "../x", True, 1.5, [1], 10**30, -(10**30)])
def test_a_seed_is_a_number_and_names_no_other_place(make_run: Any, rewrite: Any, tmp_path: Path, seed: object) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "package.json").write_text("mine")
    place = make_run(tmp_path / "runs", "A", {"fd": 1.0})
    rewrite(place / "result.json", lambda document: document["config"].update(seed=seed))
    with pytest.raises(DataError, match=r"config\.seed"):
        write_site([tmp_path / "runs"], tmp_path / "a" / "site")
    assert (tmp_path / "victim" / "package.json").read_text() == "mine"
    assert not (tmp_path / "a").exists()


def test_every_document_has_a_copy_of_its_own(make_run: Any, rewrite: Any, tmp_path: Path) -> None:
    make_run(tmp_path / "runs", "a", {"fd": 1.0}, seed=1)
    other = make_run(tmp_path / "runs", "a-seed1", {"fd": 2.0}, draw=1)
    rewrite(other / "result.json", lambda document: document["config"].pop("seed"))
    board = write_site([tmp_path / "runs"], tmp_path / "site").board
    places = [place for row in board.documents.values() for place in row]
    assert sorted(places) == ["results/a-seed1-2.json", "results/a-seed1.json"]
    assert {json.loads((tmp_path / "site" / place).read_text())["label"] for place in places} == {"a", "a-seed1"}


def test_what_lies_beside_a_document_is_not_published(make_run: Any, tmp_path: Path) -> None:
    """Neither a report, which could hold any script, nor what links lead to."""
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    pictures = tmp_path / "private"
    pictures.mkdir()
    Image.new("RGB", (8, 8), "red").save(pictures / "1.png")
    for label, name, target in (
        ("A", "report.html", secret),
        ("B", "samples.png", pictures / "1.png"),
        ("C", "samples", pictures),
    ):
        (make_run(tmp_path / "runs", label, {"fd": 1.0}, draw=ord(label)) / name).symlink_to(target)
    folder = make_run(tmp_path / "runs", "D", {"fd": 1.0}, draw=9) / "samples"
    folder.mkdir()
    (folder / "1.png").symlink_to(pictures / "1.png")
    (make_run(tmp_path / "runs", "E", {"fd": 1.0}, draw=10) / "report.html").write_text("<script>hunter2</script>")
    write_site([tmp_path / "runs"], tmp_path / "site")
    assert not (tmp_path / "site" / "reports").exists()
    text = (tmp_path / "site" / "index.html").read_text()
    assert "hunter2" not in text
    assert "<img" not in text


@pytest.mark.parametrize("name", ["result.json", "influence.safetensors"])
@pytest.mark.parametrize("submitted", [False, True])
def test_links_that_lead_out_are_refused(make_result: Any, tmp_path: Path, name: str, submitted: bool) -> None:
    make_result({"fd": 1.0}).save(tmp_path / "elsewhere")
    folder = submit(tmp_path / "all" / "theirs", make_result({"fd": 2.0}), "Theirs")
    if not submitted:
        (folder / "submission.toml").unlink()
    (folder / name).unlink()
    (folder / name).symlink_to(tmp_path / "elsewhere" / name)
    with pytest.raises(DataError, match="leads out of"):
        find_entries([tmp_path / "all"])
    assert any("leads out of" in str(found) and found.exit_code == 5 for found in validate([tmp_path / "all"]))


def test_a_submission_has_nothing_of_its_neighbours(make_result: Any, tmp_path: Path) -> None:
    submit(tmp_path / "victim", make_result({"fd": 1.0}), "Victim")
    (tmp_path / "thief").mkdir()
    (tmp_path / "thief" / "submission.toml").write_text(LISTING.format("Thief"))
    (tmp_path / "thief" / "seed0").symlink_to(tmp_path / "victim")
    with pytest.raises(DataError, match="leads out of"):
        find_entries([tmp_path])


def test_a_copy_takes_nobodys_row_away_and_is_reported(make_result: Any, tmp_path: Path) -> None:
    result = make_result({"fd": 1.0})
    submit(tmp_path / "all" / "a-thief", result, "Thief")
    submit(tmp_path / "all" / "victim", result, "Victim")
    submit(tmp_path / "all" / "honest", make_result({"fd": 2.0}, seed=1), "Honest")
    result.save(tmp_path / "all" / "plain")
    paths = [tmp_path / "all", tmp_path / "all" / "victim" / "result.json"]  # named twice, it counts once
    labels = [row.label for row in make_rows(find_entries(paths))[0]]
    assert labels == ["Thief", "Honest", "Victim", "samples"]
    found = {one.path.parent.name: one for one in validate([tmp_path / "all"]) if one.schema == "submission"}
    assert "the very images of" in str(found["victim"])
    assert "the very images of" in str(found["a-thief"])
    assert found["honest"].exit_code == 0


def test_nobody_stands_as_real_images(make_result: Any, tmp_path: Path) -> None:
    folder = submit(tmp_path, make_result({"fd": 0.1}), "Mine")
    (folder / "submission.toml").write_text(LISTING.format("Mine") + 'family = "data"\n')
    with pytest.raises(DataError, match="that of real images"):
        find_entries([tmp_path])


def test_a_report_that_breaks_costs_no_row(make_run: Any, tmp_path: Path) -> None:
    make_run(tmp_path / "runs", "A", {"fd": 1.0})
    make_run(tmp_path / "runs", "B", {"fd": 2.0}, draw=1)

    def report(document: Path, out: Path) -> None:
        if json.loads(document.read_text())["label"] == "A":
            raise OverflowError("too large")
        out.write_text("made")

    site = write_site([tmp_path / "runs"], tmp_path / "site", report=report)
    assert len(site.board.main.standings) == 2
    assert [path.name for path in (tmp_path / "site" / "reports").iterdir()] == ["b.html"]
    assert site.board.notes == ["no report of A: OverflowError('too large')"]


def test_a_page_of_somebody_else_stays(make_run: Any, tmp_path: Path) -> None:
    make_run(tmp_path / "runs", "A", {"fd": 1.0})
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").write_text("mine")
    for listing in (None, "{}", "[1]"):
        if listing:
            (site / "leaderboard.json").write_text(listing)
        with pytest.raises(UsageError, match=r"index\.html that is no leaderboard's"):
            write_site([tmp_path / "runs"], site)
        assert (site / "index.html").read_text() == "mine"
        assert not (site / "results").exists()


def test_a_list_of_published_files_removes_nothing_else(make_run: Any, tmp_path: Path) -> None:
    """Whoever wrote it: only results and reports, and not through a link."""
    make_run(tmp_path / "runs", "A", {"fd": 1.0})
    site = tmp_path / "site"
    for path in (tmp_path / "victim.json", tmp_path / "elsewhere" / "a.html", site / "victim.json"):
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    (site / "reports").symlink_to(tmp_path / "elsewhere")
    names = ["../victim.json", "results/../../victim.json", "victim.json", str(tmp_path / "victim.json"), "reports/a.html", 1]
    for files in (names, 5, None):
        (site / "leaderboard.json").write_text(json.dumps({"schema": "genbench.leaderboard/1", "files": files}))
        write_site([tmp_path / "runs"], site)
        for path in (tmp_path / "victim.json", tmp_path / "elsewhere" / "a.html", site / "victim.json"):
            assert path.read_text() == "mine"


# -- documents that are made to break --------------------------------------------------------------------------------------


def test_odd_things_called_like_documents_are_said_to_be_wrong(tmp_path: Path) -> None:
    (tmp_path / "folder" / "result.json").mkdir(parents=True)
    (tmp_path / "lost").mkdir()
    (tmp_path / "lost" / "result.json").symlink_to(tmp_path / "nothing")
    (tmp_path / "loop").mkdir()
    (tmp_path / "loop" / "result.json").symlink_to(tmp_path / "loop" / "result.json")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "result.json").write_text('{"schema": "genbench.result/1", "metrics": ' + "[" * 100_000)
    assert [found.exit_code for found in validate([tmp_path])] == [5] * 4
    with pytest.raises(DataError):
        find_entries([tmp_path])


@pytest.mark.parametrize("name", ["parameters", "steps", "evaluations"])
def test_numbers_beyond_all_measure_are_refused(make_run: Any, rewrite: Any, tmp_path: Path, name: str) -> None:
    place = make_run(tmp_path / "runs", "A", {"fd": 1.0})
    rewrite(place / "result.json", lambda document: document["cost"].update({name: 10**400}))
    assert [found.exit_code for found in validate([tmp_path])] == [5]
    with pytest.raises(DataError):
        write_site([tmp_path / "runs"], tmp_path / "site")


@pytest.mark.parametrize("value", ["1" + "0" * 400, "1" + "0" * 5000, "[" * 20_000, "inf", "\x00"])
def test_listings_beyond_all_measure_are_refused(make_result: Any, tmp_path: Path, value: str) -> None:
    folder = submit(tmp_path, make_result({"fd": 1.0}), "Mine")
    (folder / "submission.toml").write_text(LISTING.format("Mine") + f"parameters = {value}\n")
    assert validate([tmp_path])[0].exit_code == 5
    with pytest.raises(DataError):
        write_site([tmp_path], tmp_path / "site")


def test_costs_that_no_axis_can_show_are_left_out_of_the_charts(make_result: Any, tmp_path: Path) -> None:
    for name, cost in (("a", "1e-300"), ("b", "1e90"), ("c", "1.0")):
        folder = submit(tmp_path / name, make_result({"fd": 1.0}, seed=ord(name)), name)
        (folder / "submission.toml").write_text(LISTING.format(name) + f"[sampling]\nms_per_image = {cost}\n")
    assert len(write_site([tmp_path], tmp_path / "site").board.main.standings) == 3


ODD = [None, True, -1, 0, 10**400, -1e308, 1e-320, "", "x" * 5000, "\ud800", [], {}, [[]], "genbench.run/1", "../..", "@"]


def test_no_document_makes_the_check_or_the_site_stumble(make_run: Any, make_result: Any, tmp_path: Path) -> None:
    """Any one value of a document replaced by an odd one: it passes or is refused, and nothing else happens."""
    rng = random.Random(0)
    run = make_run(tmp_path / "runs", "A", {"fd": 1.0, "precision": 0.5})
    result = make_result({"fd": 2.0}, seed=1).save(tmp_path / "result")
    for document in (run / "result.json", result):
        whole = document.read_text()
        for _ in range(60):
            changed = json.loads(whole)
            rng.choice(list(_leaves(changed)))(rng.choice(ODD))
            document.write_text(json.dumps(changed))
            (found,) = validate([document])
            assert found.exit_code in (0, 3, 5)
            with contextlib.suppress(GenbenchError):
                write_site([document], tmp_path / "site")


def _leaves(found: Any) -> Any:
    """For every value in a document, however deep, a function that replaces it."""
    for key, value in list(found.items() if isinstance(found, dict) else enumerate(found)):
        yield _setter(found, key)
        if isinstance(value, (dict, list)):
            yield from _leaves(value)


def _setter(found: Any, key: Any) -> Callable[[object], None]:
    return lambda value: found.__setitem__(key, value)
