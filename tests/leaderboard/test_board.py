"""Who stands beside whom, in which ranks: laws of grouping, seeds, marks and the Pareto front."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from genbench.errors import DataError, UsageError
from genbench.leaderboard.board import Group, make_groups
from genbench.leaderboard.charts import points_of
from genbench.leaderboard.entry import find_entries
from genbench.leaderboard.pareto import on_front
from genbench.leaderboard.row import make_rows

FD = "fd@tiny/1 fd"


def groups_of(folder: Path, **asked: Any) -> list[Group]:
    return make_groups(make_rows(find_entries([folder]))[0], **asked)


def named(group: Group) -> dict[str, Any]:
    return {standing.row.label: standing for standing in group.standings}


def test_every_row_stands_once_in_every_group(runs: Path) -> None:
    for group in groups_of(runs):
        labels = [s.row.label for s in group.standings] + [other.row.label for other in group.others]
        assert len(labels) == len(set(labels)) == 9


def test_the_largest_group_is_the_main_one_and_the_others_say_why(runs: Path) -> None:
    groups = groups_of(runs)
    reasons = {other.row.label: other.reason for other in groups[0].others}
    assert reasons["Fewer"] == "n: 300 instead of 500 images"
    assert reasons["Elsewhere"].startswith("reference: photos (cdcdcdcdcdcd) instead of photos (abab")
    assert reasons["Crashed"] == "failed: RuntimeError: loss is nan"
    assert len(groups[0].systems) == 5
    assert [len(group.systems) for group in groups[1:]] == [1, 1]


def test_a_group_can_be_asked_for(runs: Path) -> None:
    assert [s.row.label for s in groups_of(runs, like="Fewer")[0].standings] == ["Fewer"]
    group = groups_of(runs, by="precision@tiny")[0]
    assert group.column.name == "precision@tiny"
    assert [s.row.label for s in group.systems][:2] == ["Best", "Three seeds"]
    assert {o.row.label: o.reason for o in group.others}["=1+1"] == (
        "no precision@tiny of the protocol precision@tiny/1; measured: fd@tiny"
    )
    for asked in ({"by": "fid"}, {"like": "Nobody"}, {"by": "precision@tiny", "like": "Fewer"}):
        with pytest.raises(UsageError):
            groups_of(runs, **asked)


def test_values_marked_as_not_comparable_stand_below(make_run: Any, tmp_path: Path) -> None:
    for number in range(3):
        make_run(tmp_path, f"fine {number}", {"fd": 1.0 + number}, draw=number)
    make_run(tmp_path, "small", {"fd": 0.1}, comparable=False)
    group = groups_of(tmp_path)[0]
    assert [other.reason for other in group.others] == ["fd@tiny is marked as not comparable: too few images"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"weights": "f" * 64}, "weights_sha256: ffffffffffff instead of d5164d9361d6"),
        ({"protocol": "fd@tiny/2"}, "no fd@tiny of the protocol fd@tiny/1; measured: fd@tiny"),
    ],
)
def test_what_differs_is_named(make_run: Any, tmp_path: Path, change: dict[str, str], reason: str) -> None:
    make_run(tmp_path, "one", {"fd": 1.0})
    make_run(tmp_path, "two", {"fd": 2.0}, draw=1)
    make_run(tmp_path, "odd", {"fd": 0.5}, draw=2, **change)
    assert [other.reason for other in groups_of(tmp_path)[0].others] == [reason]


def test_seeds_of_one_label_are_one_row(runs: Path) -> None:
    row = named(groups_of(runs)[0])["Three seeds"].row
    cell = row.cell(FD)
    assert (row.seeds, row.made) == ("3", "2026-11-03")
    assert cell.mean == pytest.approx(3.0)
    assert cell.sd == pytest.approx(0.1)
    assert cell.se == pytest.approx(0.1)


def test_a_seed_that_failed_is_counted(make_run: Any, tmp_path: Path) -> None:
    make_run(tmp_path, "A", {"fd": 1.0}, seed=0)
    make_run(tmp_path, "A", None, seed=1)
    assert [row.seeds for row in make_rows(find_entries([tmp_path]))[0]] == ["1 of 2"]


def test_runs_of_one_label_that_differ_in_more_than_the_seed_are_two_rows(make_run: Any, tmp_path: Path) -> None:
    for week in ("first", "second"):
        make_run(tmp_path / week, "A", {"fd": 1.0}, config={"budget": week}, draw=len(week))
    assert [row.label for row in make_rows(find_entries([tmp_path]))[0]] == ["A (first)", "A (second)"]


def test_a_document_in_two_places_counts_once_and_the_site_is_not_read(make_run: Any, tmp_path: Path) -> None:
    place = make_run(tmp_path / "runs", "A", {"fd": 1.0})
    (tmp_path / "site" / "results").mkdir(parents=True)
    (tmp_path / "site" / "results" / "a.json").write_bytes((place / "result.json").read_bytes())
    (tmp_path / "site" / "old").mkdir()
    make_run(tmp_path / "site" / "old", "B", {"fd": 1.0})
    assert len(find_entries([tmp_path, tmp_path / "runs"], besides=tmp_path / "site")) == 1
    assert len(find_entries([tmp_path])) == 2


def test_a_newer_run_of_the_same_seed_replaces_the_older_with_a_note(make_run: Any, rewrite: Any, tmp_path: Path) -> None:
    make_run(tmp_path / "a", "A", {"fd": 1.0})
    place = make_run(tmp_path / "b", "A", {"fd": 2.0})
    rewrite(place / "result.json", lambda document: document.update(made="2027-01-01T00:00:00+00:00"))
    rows, notes = make_rows(find_entries([tmp_path]))
    assert [row.cell(FD).mean for row in rows] == [2.0]
    assert "older run of the same seed" in notes[0]


def test_bold_is_what_is_not_significantly_worse_and_never_real_images(runs: Path) -> None:
    standings = named(groups_of(runs)[0])
    tied = {label for label, standing in standings.items() if standing.scores[FD].tied}
    assert tied == {"Best", "Close"}
    assert standings["real"].rank is None
    assert (standings["Best"].rank.low, standings["Best"].rank.high) == (1, 2)


def test_the_shared_reference_tells_apart_what_looks_equal(make_run: Any, tmp_path: Path) -> None:
    for shared in (0.0, 0.099):
        folder = tmp_path / str(shared)
        make_run(folder, "A", {"fd": 1.0}, draw=1, shared=shared)
        make_run(folder, "B", {"fd": 1.1}, draw=2, shared=shared)
        assert named(groups_of(folder)[0])["B"].scores[FD].tied is (shared == 0.0)


def test_pareto_front_by_its_definition() -> None:
    random.seed(0)
    for _ in range(200):
        points = [(random.randint(0, 6), random.randint(0, 6)) for _ in range(random.randint(1, 9))]
        front = on_front([(float(cost), float(bad)) for cost, bad in points])
        for index, (cost, bad) in enumerate(points):
            beaten = any(c <= cost and b <= bad and (c < cost or b < bad) for c, b in points)
            assert front[index] is not beaten


def test_the_front_of_a_group_looks_at_cost_and_quality(runs: Path) -> None:
    group = groups_of(runs)[0]
    front = {point.label for point in points_of(group, lambda costs: costs.sample_ms) if point.front}
    assert {"Best", "Close"} < front
    assert len(front) == 3  # the cheapest is the one with the long name
    assert "real" not in {point.label for point in points_of(group, lambda costs: costs.sample_ms)}
    precise = groups_of(runs, by="precision@tiny")[0]
    assert {point.label for point in points_of(precise, lambda costs: costs.train_seconds) if point.front} >= {"Best"}


def test_nothing_to_show_is_an_error_that_teaches(make_run: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no results in"):
        find_entries([tmp_path])
    make_run(tmp_path, "Crashed", None)
    with pytest.raises(UsageError, match="loss is nan"):
        groups_of(tmp_path)
    (tmp_path / "other.json").write_text('{"schema": "genbench.table/1"}')
    with pytest.raises(DataError, match="table/1, which makes no row"):
        find_entries([tmp_path / "other.json"])


def test_a_metric_is_asked_for_by_any_of_its_names(make_run: Any, tmp_path: Path) -> None:
    for label, fd, precision in (("A", 1.0, 0.4), ("B", 2.0, 0.8)):
        make_run(tmp_path, label, {"fd": fd, "precision": precision}, draw=ord(label), protocol="both@tiny/1")
    for name in ("precision", "precision@tiny", "both@tiny/1 precision"):
        assert [standing.row.label for standing in groups_of(tmp_path, by=name)[0].standings] == ["B", "A"]
    with pytest.raises(UsageError, match="several metrics are called") as refused:
        groups_of(tmp_path, by="both@tiny/1")
    assert "fd@tiny, precision@tiny" in refused.value.hint
    with pytest.raises(UsageError, match="no metric named 'recall'"):
        groups_of(tmp_path, by="recall", like="A")
