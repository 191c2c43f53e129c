"""From votes to a document: what a study says, and what is said where it can say little."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genbench.errors import DataError, IncomparableError
from genbench.study.analysis import analyze
from genbench.study.ratings import Ratings
from genbench.study.tables import FORMATS, render
from genbench.study.votes import REAL, Vote

Study = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks/study/simulated.py"))["Study"]
FIVE = {"a": 1.2, "b": 0.6, "c": 0.0, "d": -0.6, "e": -1.2}
FOOLING = {REAL: 0.0, "gan": 0.0, "vae": -3.0}


def codes(ratings: Ratings) -> list[str]:
    return [caution.code for caution in ratings.warnings]


def changed(votes: list[Vote], **values: Any) -> list[Vote]:
    return [vote.model_copy(update=values) for vote in votes]


def real_votes(seed: int = 0, **options: Any) -> list[Vote]:
    """Of a study of which is real: questions between two generated images are left out."""
    found = Study(strengths=FOOLING, kind="pairwise", **options).votes(seed)
    asked = [vote for vote in found if REAL in (vote.left, vote.right) and not vote.catch]
    return [Vote.model_validate(vote.model_dump() | {"kind": "two_alternative"}) for vote in asked]


def test_a_planted_order_is_recovered_with_its_ranks_and_warnings() -> None:
    study = Study(strengths=FIVE, raters=40, each=60, taste=0.4, left=0.8, careless=6, catches=6)
    found = analyze(study.votes(0))
    assert [one.system for one in found.systems] == list("abcde")
    assert all(one.rank_low <= one.rank <= one.rank_high for one in found.systems)
    assert found.systems[0].tied_with_best
    assert not found.systems[4].tied_with_best
    assert not set(found["a"].letters) & set(found["e"].letters)
    assert found.position.value > 0.55
    assert found.position.p < 0.001
    assert "W-SIDE" in codes(found)
    excluded = {person.rater for person in found.people if person.excluded}
    assert excluded
    assert excluded <= {f"r{number}" for number in range(6)}
    assert found.excluded == len(excluded)
    assert found.raters == 40 - len(excluded)
    assert found.votes == 60 * found.raters
    assert "W-EXCLUDED" in codes(found)


def test_every_vote_is_in_the_win_matrix_once() -> None:
    votes = Study(strengths=FIVE, ties=0.2).votes(1)
    found = analyze(votes)
    assert sum(pair.wins + pair.losses + pair.ties for pair in found.pairs) == len(votes)
    assert sum(one.wins for one in found.systems) == sum(one.losses for one in found.systems)
    assert sum(one.ties for one in found.systems) == 2 * sum(vote.choice == "tie" for vote in votes)
    for pair in found.pairs:
        total = pair.wins + pair.losses + pair.ties
        assert pair.share.value == pytest.approx((pair.wins + pair.ties / 2) / total)
        assert pair.share.ci[0] < pair.share.value < pair.share.ci[1]


def test_swapping_the_sides_of_all_votes_turns_the_side_bias_only() -> None:
    votes = Study(strengths=FIVE, left=0.5, ties=0.1, questions=200).votes(2)
    turned = {"left": "right", "right": "left", "tie": "tie"}
    swapped = [
        vote.model_copy(
            update={
                "left": vote.right,
                "right": vote.left,
                "left_image": vote.right_image,
                "right_image": vote.left_image,
                "choice": turned[vote.choice],
            }
        )
        for vote in votes
    ]
    one, other = analyze(votes), analyze(swapped)
    assert other.position.value == pytest.approx(1 - one.position.value)
    for before, after in zip(one.systems, other.systems, strict=True):
        assert after.rating == pytest.approx(before.rating, abs=1e-9)
        assert after.se == pytest.approx(before.se, abs=1e-9)
    assert [pair.share for pair in other.pairs] == [pair.share for pair in one.pairs]
    assert other.agreement == one.agreement


def test_the_order_of_votes_does_not_matter() -> None:
    votes = Study(strengths=FIVE, raters=12).votes(3)
    one, other = analyze(votes), analyze(votes[::-1])
    assert [s.system for s in one.systems] == [s.system for s in other.systems]
    np.testing.assert_allclose([s.se for s in one.systems], [s.se for s in other.systems], atol=1e-9)


def test_systems_that_are_alike_share_letters_and_ranks() -> None:
    found = analyze(Study(strengths=dict.fromkeys("abc", 0.0), raters=30).votes(4))
    assert {one.letters for one in found.systems} == {"a"}
    assert {(one.rank_low, one.rank_high) for one in found.systems} == {(1, 3)}


def test_few_raters_with_tastes_seldom_make_a_false_claim() -> None:
    """Of five systems that are alike; ranks that hold have any letter beside "a" in at most 5 % of studies."""
    study = Study(strengths=dict.fromkeys("abcde", 0.0), raters=4, each=100, taste=1.0)
    claims = [{one.letters for one in analyze(study.votes(seed)).systems} != {"a"} for seed in range(100)]
    assert np.mean(claims) <= 0.06


def test_another_level_changes_every_interval() -> None:
    votes = Study(strengths=FIVE, raters=12, questions=60).votes(0)
    usual, strict = analyze(votes), analyze(votes, level=0.999)
    intervals = [(one.agreement.alpha_ci, one.position.ci, one.systems[0].ci, one.pairs[0].share.ci) for one in (usual, strict)]
    for narrow, wide in zip(*intervals, strict=True):
        assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_circles_are_named_once() -> None:
    chosen = {("a", "b"), ("b", "c"), ("c", "a")}
    votes = [
        vote.model_copy(update={"choice": "left" if (vote.left, vote.right) in chosen else "right"})
        for vote in Study(strengths=dict.fromkeys("abc", 0.0), raters=5).votes(5)
    ]
    found = analyze(votes)
    assert found.intransitive == [("a", "b", "c")]
    np.testing.assert_allclose([one.rating for one in found.systems], 0, atol=0.2)


def test_which_is_real() -> None:
    votes = real_votes(raters=60, each=120)
    found = analyze(votes)
    assert [one.system for one in found.systems] == ["gan", "vae"]
    gan, vae = (one.fooling for one in found.systems)
    assert gan.share.value == pytest.approx(0.5, abs=0.05)
    assert gan.verdict == "indistinguishable"
    assert vae.verdict == "distinguishable"
    assert vae.share.value == pytest.approx(1 / (1 + np.exp(3)), abs=0.02)
    assert vae.d_prime > 1.5
    assert found["vae"].rank_low == 2
    assert found["gan"].rating is None
    assert found.pairs == []


def test_one_system_against_real_images() -> None:
    votes = [vote for vote in real_votes(raters=20, each=30) if "gan" in (vote.left, vote.right)]
    found = analyze(votes)
    assert [one.system for one in found.systems] == ["gan"]
    assert found["gan"].rank == 1


def test_nobody_was_fooled() -> None:
    votes = [vote.model_copy(update={"choice": "left" if vote.left == REAL else "right"}) for vote in real_votes(raters=10)]
    found = analyze(votes)
    assert {one.fooling.share.value for one in found.systems} == {0.0}
    assert {one.letters for one in found.systems} == {"a"}


def test_texts() -> None:
    votes = Study(strengths={"a": 2.0, "b": -2.0}, kind="text_match", raters=10).votes(6)
    votes = [vote.model_copy(update={"text": f"a {index % 3}"}) for index, vote in enumerate(votes)]
    found = analyze(votes)
    assert [prompt.text for prompt in found.prompts] == ["a 0", "a 1", "a 2"]
    assert sum(prompt.votes for prompt in found.prompts) == len(votes)
    for prompt in found.prompts:
        assert sum(prompt.shares.values()) == pytest.approx(1)
        assert prompt.shares["a"] > 0.9


# -- little, odd and hostile -----------------------------------------------------------------------------------------------


def test_no_votes() -> None:
    with pytest.raises(DataError, match="no votes"):
        analyze([])


def test_catch_trials_alone() -> None:
    votes = [vote for vote in Study(strengths=FIVE, catches=3).votes(0) if vote.catch]
    with pytest.raises(DataError, match="catch trials"):
        analyze(votes)


def test_everybody_is_excluded_unless_all_are_kept() -> None:
    votes = Study(strengths=FIVE, raters=5, catches=4).votes(0)
    failing = [vote.model_copy(update={"choice": "right"}) if vote.catch else vote for vote in votes]
    with pytest.raises(DataError, match="all of the 5 raters failed"):
        analyze(failing)
    assert analyze(failing, keep_all=True).raters == 5


def test_two_failed_trials_exclude_nobody() -> None:
    votes = Study(strengths=FIVE, raters=5, catches=2).votes(0)
    failing = [vote.model_copy(update={"choice": "right"}) if vote.catch else vote for vote in votes]
    assert analyze(failing).excluded == 0


@pytest.mark.parametrize(("field", "value"), [("study", "another"), ("kind", "text_match")])
def test_two_studies_are_not_one(field: str, value: str) -> None:
    votes = Study(strengths=FIVE, raters=2).votes(0)
    with pytest.raises(IncomparableError, match=rf"differ in {field}: '\w+' and '{value}'"):
        analyze(votes + changed(votes, **{field: value}))


def test_one_rater_is_told_what_the_interval_means() -> None:
    found = analyze(Study(strengths=FIVE, raters=1, each=300).votes(0))
    assert "W-ONE-RATER" in codes(found)
    assert found["a"].se > 0


def test_a_few_raters_are_told() -> None:
    assert "W-FEW-RATERS" in codes(analyze(Study(strengths=FIVE, raters=4).votes(0)))


@pytest.mark.parametrize("kind", ["pairwise", "two_alternative"])
def test_one_vote(kind: str) -> None:
    votes = Study(strengths=FIVE, raters=1, each=1).votes(0) if kind == "pairwise" else real_votes(raters=1, each=30)[:1]
    found = analyze(votes)
    assert {one.letters for one in found.systems} == {"a"}
    for name in FORMATS:
        assert render(found, name)


def test_systems_that_were_never_compared_get_no_rating() -> None:
    votes = Study(strengths={"a": 1.0, "b": 0.0}, raters=10).votes(0)
    others = [
        vote.model_copy(update={"id": f"{vote.id}-", "left": vote.left + "2", "right": vote.right + "2"}) for vote in votes
    ]
    found = analyze(votes + others)
    assert {one.rating for one in found.systems} == {None}
    assert found["a"].reason == "no vote compares {a, b} and {a2, b2}: collect some, or analyze each group by itself"
    assert len(found.pairs) == 2
    assert "W-UNCONNECTED" in codes(found)


def test_a_system_that_never_lost_is_told() -> None:
    votes = [
        vote.model_copy(update={"choice": "left" if vote.left == "a" else "right"}) if "a" in (vote.left, vote.right) else vote
        for vote in Study(strengths=FIVE, raters=20).votes(0)
    ]
    found = analyze(votes)
    text = next(caution.text for caution in found.warnings if caution.code == "W-UNBEATEN")
    assert "{a} > {b, c, d, e}" in text
    assert found["a"].rank_high == 1
    assert np.isfinite(found["a"].rating)


def test_haste_is_told() -> None:
    votes = changed(Study(strengths=FIVE, raters=12).votes(0), seconds=0.1)
    found = analyze(votes)
    assert "W-FAST" in codes(found)
    assert found.people[0].seconds == 0.1


def test_a_question_answered_twice_is_told() -> None:
    votes = Study(strengths=FIVE, raters=12).votes(0)
    assert "W-REPEATED" in codes(analyze([*votes, votes[0].model_copy(update={"id": "again"})]))


def test_the_document_is_read_as_it_was_written(tmp_path: Path) -> None:
    for votes in (Study(strengths=FIVE, catches=3).votes(0), real_votes()):
        found = analyze(votes)
        path = found.save(tmp_path / "out")
        assert path == tmp_path / "out" / "ratings.json"
        assert Ratings.load(tmp_path / "out") == Ratings.load(path) == found


@pytest.mark.parametrize("content", ["", "[]", '{"schema": "genbench.result/1"}', '{"schema": "genbench.ratings/1"}'])
def test_what_are_no_ratings(tmp_path: Path, content: str) -> None:
    path = tmp_path / "ratings.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"no genbench\.ratings/1"):
        Ratings.load(path)


HOSTILE = ["<img src=x onerror=alert(1)>.png", '"|pipe', "</script>", "=cmd", "%0A::error", "two\nlines\x1b[31m"]


@pytest.mark.parametrize("name", list(FORMATS))
def test_hostile_names_are_harmless_in_every_format(name: str) -> None:
    votes = Study(strengths=dict(zip(HOSTILE, np.linspace(1, -1, 6), strict=True)), raters=12, kind="text_match").votes(0)
    shown = render(analyze(changed(votes, text="two\nlines | `x` \x1b[31m")), name)
    assert "\x1b" not in shown
    if name == "json":
        assert {one["system"] for one in json.loads(shown)["systems"]} == set(HOSTILE)
    if name == "csv":
        assert "\n=cmd" not in shown
        assert "'=cmd" in shown
    if name in ("text", "latex"):
        assert not any(line.startswith("lines") for line in shown.splitlines())
    if name == "markdown":
        assert "<img" not in shown.replace("\\<img", "")
        widths = [line.replace("\\|", "").count("|") for line in shown.split("\n\n")[1].splitlines()]
        assert len(set(widths)) == 1
