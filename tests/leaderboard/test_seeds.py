"""Means over few seeds: what they may claim, what they borrow, and that one seed is what `genbench compare` says of it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genbench.comparison.compare import compare
from genbench.comparison.difference import difference
from genbench.estimate import Influence, student_interval
from genbench.evaluation.result import MetricResult, Result
from genbench.leaderboard.board import Group, make_groups
from genbench.leaderboard.entry import find_entries
from genbench.leaderboard.row import make_rows
from genbench.leaderboard.seeds import Spread, _welch, pooled, ranks_of_means

FD = "fd@tiny/1 fd"


def group_of(folder: Path) -> Group:
    return make_groups(make_rows(find_entries([folder]))[0])[0]


def named(group: Group) -> dict[str, Any]:
    return {standing.row.label: standing for standing in group.standings}


def test_ranks_of_single_seeds_are_those_of_comparison(make_result: Any, make_run: Any, tmp_path: Path) -> None:
    values = [1.0, 1.15, 1.6, 2.0]
    for number, value in enumerate(values):
        make_run(tmp_path, f"{number}", {"fd": value}, draw=number, shared=0.08)
    results = [make_result({"fd": value}, seed=number, shared=0.08) for number, value in enumerate(values)]
    standings = named(group_of(tmp_path))
    assert [standings[f"{number}"].rank for number in range(4)] == list(compare(*results)["fd"].ranks)


def test_seeds_that_differ_widen_the_ranks(make_run: Any, tmp_path: Path) -> None:
    """Means of 1.0 and 1.5 with an error of 0.06 each differ; with seeds 0.7 apart nobody can say so."""
    for spread, apart in ((0.0, True), (0.7, False)):
        folder = tmp_path / str(spread)
        for label, value in (("A", 1.0), ("B", 1.5)):
            for seed, shift in enumerate((-spread, 0.0, spread)):
                make_run(folder, label, {"fd": value + shift}, seed=seed, draw=10 * len(folder.name) + ord(label))
        assert named(group_of(folder))["B"].scores[FD].tied is not apart


@pytest.mark.parametrize("seeds", [(2,) * 6, (3,) * 6, (3, 3, 1, 1, 1, 1), (3, 3, 3, 1, 1, 1)], ids=str)
@pytest.mark.parametrize("between", [0.0, 0.1, 0.3])
def test_false_alarms_of_equal_methods_stay_at_the_promise(seeds: tuple[int, ...], between: float) -> None:
    """Methods that are the same, few seeds each: any claim of a difference in at most about 5 % of boards."""
    rng = np.random.default_rng(0)
    sampling, boards = 0.1, 200
    alarms = 0
    for _ in range(boards):
        values = [rng.normal(5.0, np.hypot(between, sampling), count) for count in seeds]
        spreads = pooled([Spread(v.var(ddof=1), sampling**2, len(v), len(v) - 1) if len(v) > 1 else Spread() for v in values])
        found = ranks_of_means([v.mean() for v in values], np.diag([sampling**2 / count for count in seeds]), spreads)
        alarms += any(rank.low > 1 or rank.high < len(seeds) for rank in found)
    assert alarms / boards < 0.05 + 2.5 * (0.05 * 0.95 / boards) ** 0.5


def test_one_seed_beside_enough_others_is_taken_to_vary_as_they_do() -> None:
    several = Spread(variance=4.0, sampling=1.0, seeds=3, freedom=2)
    assert pooled([Spread(), Spread()]) == [Spread(), Spread()]  # nobody knows
    assert pooled([several, Spread()]) == [several, Spread()]  # hardly anybody
    lent = pooled([several, several, Spread()])[2]
    assert (lent.beyond, lent.freedom) == (3.0, 4)
    errors = np.diag([1 / 3, 1 / 3, 1.0, 1.0])
    for spreads, told in (([several, Spread(), Spread(), Spread()], True), ([several, several, Spread(), Spread()], False)):
        last = ranks_of_means([0.0, 0.0, 0.0, 5.0], errors, pooled(spreads))[3]
        assert (last.low > 1) is told


def test_a_second_seed_of_one_system_does_not_blind_the_board(make_run: Any, tmp_path: Path) -> None:
    values = {"good": [0.1], "slight": [0.498, 0.501], "twice": [0.67], "bad": [30.0]}
    for number, (label, seeds) in enumerate(values.items()):
        for seed, value in enumerate(seeds):
            make_run(tmp_path, label, {"fd": value}, seed=seed, draw=10 * number + seed, se=0.02)
    standings = named(group_of(tmp_path))
    assert [standings[label].rank.low for label in values] == [1, 2, 3, 4]
    assert [label for label in values if standings[label].scores[FD].tied] == ["good"]


def test_what_is_borrowed_errs_together() -> None:
    """Two spreads that are one estimate of four degrees of freedom make a difference of four, and two own ones of more."""
    several = Spread(4.0, 1.0, 3, 2)
    spreads = pooled([several, Spread(0.2, 1.0, 3, 2), Spread()])
    assert [(one.variance, one.freedom, one.borrowed) for one in spreads] == [(4.0, 2, False), (2.1, 4, True), (2.1, 4, True)]
    assert _welch(0.0, math.inf, spreads[1:]) == pytest.approx((1.1 / 3 + 1.1, 4.0))
    assert _welch(0.0, math.inf, [several, several]) == pytest.approx((2.0, 4.0))
    assert _welch(0.0, math.inf, [Spread(2.1, 0.6, 1, 4), Spread(2.1, 0.6, 1, 4)]) == pytest.approx((3.0, 8.0))


def of_prompts(shift: float, *, seed: int, groups: int) -> Result:
    """A mean over 60 images of few prompts, with the error of so few."""
    rng = np.random.default_rng(seed)
    place = np.arange(60) % groups
    pulls = rng.normal(size=groups)[place] + 0.1 * rng.normal(size=60)
    pulls -= pulls.mean()
    sums = np.bincount(place, weights=pulls)
    se = math.sqrt((sums**2).sum() * groups / (groups - 1)) / 60
    metric = MetricResult(
        name="score", value=shift, se=se, ci=student_interval(shift, se, groups - 1), level=0.95, method="clusters", n=60,
        n_real=None, better="lower", protocol="score/1", layer=None, extractor=None,
    )  # fmt: skip
    document = {
        "created": "2026-11-21", "subject": {"name": str(seed), "kind": "array", "n": 60, "digest": f"sha256:{seed:064x}"},
        "reference": None, "metrics": [metric], "env": {},
        "timing": {"wall_s": 0, "cpu_s": 0, "extract_s": 0, "metrics_s": 0, "images_extracted": 0},
    }  # fmt: skip
    influence = {"score/1 score": Influence(fake=pulls, groups=place)}
    return Result.model_validate(document).with_influence(influence, [f"{seed}-{i}" for i in range(60)])


def test_few_prompts_are_few_also_on_a_leaderboard(tmp_path: Path) -> None:
    """Two systems that z tells apart and t with two degrees of freedom does not."""
    one, other = of_prompts(0.0, seed=1, groups=3), of_prompts(1.0, seed=2, groups=3)
    apart = difference(one, other, "score/1 score")
    assert apart.se is not None
    other = of_prompts(3 * apart.se, seed=2, groups=3)
    ranks = list(compare(one, other)["score"].ranks)
    assert ranks[1].low == 1
    for name, result in (("one", one), ("other", other)):
        result.save(tmp_path / name)
    found = [standing.rank for standing in group_of(tmp_path).standings]
    assert found == ranks
    assert [standing.scores["score/1 score"].interval for standing in group_of(tmp_path).standings] == [
        result["score"].ci for result in (one, other)
    ]


def test_the_interval_of_several_seeds_counts_what_they_differ_in(make_run: Any, tmp_path: Path) -> None:
    """Three means with a standard deviation of 0.7: 2 degrees of freedom, and a half width of 4.3 x 0.7 / sqrt(3)."""
    for seed, value in enumerate((0.3, 1.0, 1.7)):
        make_run(tmp_path, "A", {"fd": value}, seed=seed, draw=10)
    make_run(tmp_path, "B", {"fd": 5.0}, draw=40)
    scores = {label: standing.scores[FD] for label, standing in named(group_of(tmp_path)).items()}
    low, high = scores["A"].interval
    assert (low + high) / 2 == pytest.approx(1.0)
    assert (high - low) / 2 == pytest.approx(4.303 * 0.7 / 3**0.5, rel=0.03)
    assert scores["B"].interval == pytest.approx((5 - 0.196, 5 + 0.196), rel=1e-3)


@pytest.mark.parametrize(("below", "share"), [(0.02, False), (0.01, True)])
def test_the_interval_of_a_share_stays_one(below: float, share: bool, make_run: Any, rewrite: Any, tmp_path: Path) -> None:
    """Student's t with one degree of freedom knows no limits. Shares are known by their own intervals, which are uneven."""
    for seed, value in enumerate((0.03, 0.05)):
        folder = make_run(tmp_path, "A", {"fd": value}, seed=seed)
        ci = [value - below, value + 0.02]
        rewrite(folder / "result.json", lambda found, ci=ci: found["final"]["evaluation"]["metrics"][0].update(ci=ci))
    low, high = named(group_of(tmp_path))["A"].scores[FD].interval
    assert high > 0.1
    assert low == 0 if share else low < -0.02
