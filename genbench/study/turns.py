"""What one rater sees: the questions in an order of their own, each with the sides drawn for them.

The draw follows from study and rater alone, so it is the same after a reload and after a restart of the server. Of the
questions about one pair of systems, half (up to one) have the first system on the left, for every rater: a rater who prefers a
side cannot prefer a system by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from genbench import seeding
from genbench.study.document import Question, Shown, Study
from genbench.study.votes import Side, Vote


@dataclass(frozen=True)
class Turn:
    """A question to one rater. flipped: b is on the left."""

    question: Question
    flipped: bool

    @property
    def left(self) -> Shown:
        return self.question.b if self.flipped else self.question.a

    @property
    def right(self) -> Shown:
        return self.question.a if self.flipped else self.question.b

    @property
    def correct(self) -> Side | None:
        if self.question.correct is None:
            return None
        return "left" if (self.question.correct == "b") == self.flipped else "right"


def turns_of(study: Study, rater: str) -> list[Turn]:
    """All questions of the study for this rater, in order."""
    chance = seeding.generator(study.seed, f"study/{study.id}/{rater}")
    turns = []
    for _, group in groupby(sorted(study.questions, key=lambda question: (_balanced(question), question.id)), _balanced):
        questions = list(group)
        first = int(chance.integers(2))
        sides = chance.permutation([(first + place) % 2 for place in range(len(questions))])
        turns += [Turn(question, bool(side)) for question, side in zip(questions, sides, strict=True)]
    return [turns[place] for place in chance.permutation(len(turns))]


def _balanced(question: Question) -> tuple[str, ...]:
    """Questions with the same are balanced over the sides: those of a pair of systems, and catch trials."""
    return () if question.catch else question.pair


def vote_of(
    study: Study, turn: Turn, *, id: str, rater: str, choice: Literal["left", "right", "tie"], seconds: float, time: str
) -> Vote:
    """The answer to a turn, with what the rater was not told."""
    return Vote(
        id=id,
        study=study.id,
        rater=rater,
        question=turn.question.id,
        kind=study.kind,
        left=turn.left.system,
        right=turn.right.system,
        left_image=turn.left.name,
        right_image=turn.right.name,
        text=turn.question.text,
        choice=choice,
        correct=turn.correct,
        catch=turn.question.catch,
        seconds=seconds,
        time=time,
    )


def for_page(turn: Turn) -> dict[str, Any]:
    """What the page learns of a turn: nothing by which the answer could be guessed."""
    return {"id": turn.question.id, "left": turn.left.file, "right": turn.right.file, "text": turn.question.text}
