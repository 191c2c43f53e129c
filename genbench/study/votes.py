"""Votes of people about images, `genbench.vote/1`: one JSON object a line, written by the server and by the static page."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints, ValidationError, model_validator

from genbench.errors import DataError, first_mistake
from genbench.evaluation.result import Document

Kind = Literal["pairwise", "two_alternative", "text_match"]
Side = Literal["left", "right"]
REAL = "real"  # the system that stands for real images in a two-alternative study
LONGEST = 1_000_000  # characters of a line; a vote has some hundreds

Id = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class Vote(Document):
    """What one person answered to one question.

    id: made by the page; the same id twice is one vote. rater: a pseudonym. question: the same for every rater who is asked it.
    left, right: systems, "real" for real images; left_image, right_image: names of what was shown. text: the prompt or question
    that stood above them. correct: the side that is right, of catch trials and of two-alternative questions (the real one).
    catch: a trial with a known answer, which says something about the rater and nothing about the systems. seconds: from
    showing to answering. time: ISO 8601, UTC.
    """

    schema_: Literal["genbench.vote/1"] = Field(default="genbench.vote/1", alias="schema")
    id: Id
    study: Id
    rater: Id
    question: Id
    kind: Kind
    left: Id
    right: Id
    left_image: Name
    right_image: Name
    text: Annotated[str, StringConstraints(max_length=20_000)] = ""
    choice: Literal["left", "right", "tie"]
    correct: Side | None = None
    catch: bool = False
    seconds: Annotated[float, Field(ge=0)]
    time: Annotated[str, StringConstraints(max_length=40)]

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False, populate_by_name=True)

    @model_validator(mode="after")
    def _consistent(self) -> Vote:
        if self.catch:
            if self.correct is None:
                raise ValueError("a catch trial needs `correct`")
            return self
        if self.left == self.right:
            raise ValueError(f"both sides are of the system {self.left!r}")
        if self.kind == "two_alternative":
            if REAL not in (self.left, self.right):
                raise ValueError(f"one side of a two-alternative question is {REAL!r}")
            if self.choice == "tie":
                raise ValueError("a two-alternative question is answered left or right")
            if self.correct is not None and self.correct != ("left" if self.left == REAL else "right"):
                raise ValueError("`correct` is not the side of the real image")
        return self

    @property
    def passed(self) -> bool | None:
        """Whether a catch trial was answered correctly; None of other votes."""
        return self.choice == self.correct if self.catch else None

    def to_json(self) -> str:
        """One line, without its end."""
        return self.model_dump_json(by_alias=True)


def read_votes(paths: Iterable[str | Path]) -> list[Vote]:
    """All votes of these files of lines, in order, each id once.

    Raises DataError naming file and line for what is not a vote, and for two different votes of one id.
    """
    return merged((f"{path}, line {number}", vote) for path in map(Path, paths) for number, vote in _lines(path))


def merged(found: Iterable[tuple[str, Vote]]) -> list[Vote]:
    """Votes with the places they were found at, each id once. Raises DataError for two different votes of one id."""
    votes: dict[str, Vote] = {}
    for place, vote in found:
        if votes.setdefault(vote.id, vote) != vote:
            message = f"{place}: a different vote with the id {vote.id!r} was read before"
            raise DataError("E-VOTE", message, hint="one of the two was changed; keep the one you trust")
    return list(votes.values())


def _lines(path: Path) -> Iterable[tuple[int, Vote]]:
    if not path.is_file():
        raise DataError("E-NO-VOTES", f"no votes at {path}", hint="give votes.jsonl files, or the folder of a study")
    with open(path, "rb") as file:
        number = 0
        while line := file.readline(LONGEST):
            number += 1
            if line.strip():
                yield number, _vote(line, path, number)


def _vote(line: bytes, path: Path, number: int) -> Vote:
    try:
        return Vote.model_validate_json(line)
    except ValidationError as error:
        message = f"{path}, line {number} is no genbench.vote/1: {first_mistake(error, 'line')}"
        raise DataError("E-VOTE", message, hint="remove the line, or export the votes again") from error
