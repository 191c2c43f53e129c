"""Lines of votes: each counts once, and what is none is named with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from genbench.errors import DataError
from genbench.study.votes import Vote, read_votes

GIVEN = {
    "id": "v1",
    "study": "s",
    "rater": "r",
    "question": "q",
    "kind": "pairwise",
    "left": "a",
    "right": "b",
    "left_image": "0.png",
    "right_image": "1.png",
    "choice": "left",
    "seconds": 1.5,
    "time": "2026-11-21T00:00:00Z",
}


def vote(**changes: Any) -> Vote:
    return Vote.model_validate(GIVEN | changes)


def test_a_line_is_the_vote(tmp_path: Path) -> None:
    hostile = vote(left='<img src=x onerror=alert(1)>"\n|=cmd', text="%0A::error</script>\x1b[2J", choice="tie")
    assert "\n" not in hostile.to_json()
    path = tmp_path / "votes.jsonl"
    path.write_text(hostile.to_json() + "\n\n")
    assert read_votes([path]) == [hostile]


def test_an_id_is_counted_once_in_all_files(tmp_path: Path) -> None:
    one, other = tmp_path / "one.jsonl", tmp_path / "other.jsonl"
    one.write_text(f"{vote().to_json()}\n{vote(id='v2').to_json()}\n{vote().to_json()}")
    other.write_text(f"{vote(id='v3').to_json()}\n{vote().to_json()}\n")
    assert [found.id for found in read_votes([one, other])] == ["v1", "v2", "v3"]


def test_two_votes_of_one_id_are_refused_with_their_place(tmp_path: Path) -> None:
    path = tmp_path / "votes.jsonl"
    path.write_text(f"{vote().to_json()}\n{vote(choice='right').to_json()}\n")
    with pytest.raises(DataError, match=r"votes\.jsonl, line 2: a different vote"):
        read_votes([path])


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "line"),
        ("[]", "line"),
        ("\xff\xfe", "line"),
        ('{"schema": "genbench.vote/2"}', "schema"),
        (json.dumps(GIVEN | {"seconds": -1}), "seconds"),
        (json.dumps(GIVEN | {"seconds": float("nan")}), "seconds"),
        (json.dumps(GIVEN | {"choice": "up"}), "choice"),
        (json.dumps(GIVEN | {"rater": ""}), "rater"),
        (json.dumps({key: value for key, value in GIVEN.items() if key != "question"}), "question"),
    ],
)
def test_what_is_no_vote_is_named_with_file_and_line(tmp_path: Path, line: str, says: str) -> None:
    path = tmp_path / "votes.jsonl"
    path.write_bytes(f"{vote().to_json()}\n\n{line}\n".encode("latin-1"))
    with pytest.raises(DataError, match=rf"votes\.jsonl, line 3 is no genbench\.vote/1: {says}"):
        read_votes([path])


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no votes at"):
        read_votes([tmp_path / "votes.jsonl"])


@pytest.mark.parametrize(
    "changes",
    [
        {"right": "a"},
        {"catch": True},
        {"kind": "two_alternative"},
        {"kind": "two_alternative", "left": "real", "choice": "tie"},
        {"kind": "two_alternative", "left": "real", "correct": "right"},
    ],
    ids=["one system twice", "catch without answer", "nothing real", "tie", "wrong answer"],
)
def test_votes_that_contradict_themselves(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        vote(**changes)


def test_catch_trials_may_show_one_system_twice_and_are_passed_or_not() -> None:
    assert vote(right="a", catch=True, correct="left").passed is True
    assert vote(right="a", catch=True, correct="right").passed is False
    assert vote().passed is None
