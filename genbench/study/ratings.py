"""What the votes of a study say: one JSON document, `genbench.ratings/1`, that `genbench study analyze` writes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field

from genbench import files
from genbench.documents import read_document
from genbench.errors import DataError
from genbench.evaluation.result import MAX_BYTES, Caution, Document, Finite
from genbench.study.votes import Kind

FILE = "ratings.json"
Interval = tuple[Finite, Finite]


class Share(Document):
    """A share of n votes with its interval; p: of the test against one half, None where none is made."""

    value: Finite
    ci: Interval
    n: int
    p: Finite


class Fooling(Document):
    """How often images of a system were taken for the real ones, in a two-alternative study.

    share: of votes that took the generated image for the real one. At 0.5 nobody can tell; above it, people take the generated
    image for the real one. se: of the share, over raters and images. d_prime: sqrt(2) Phi^-1(1 - share), how well people tell
    the two apart, None where the share is 0 or 1; d_prime_ci: likewise at the ends of the interval, low first. verdict: of the
    equivalence test against one half within `margin`; p_equivalent: its p. needs: votes in all that would probably decide,
    where it is inconclusive, None where everybody or nobody was fooled.
    """

    share: Share
    se: Finite
    d_prime: Finite | None
    d_prime_ci: tuple[Finite | None, Finite | None]
    margin: Finite
    p_equivalent: Finite
    verdict: Literal["indistinguishable", "distinguishable", "inconclusive"]
    needs: int | None = None


class SystemRating(Document):
    """One system.

    rating: log-odds of being preferred to the average system, so that ratings of a study sum to 0, natural logarithm; se and
    ci: clustered by rater. None in a two-alternative study, or with `reason`. preferred: 1 / (1 + exp(-rating)), the chance of
    being preferred to a system of rating 0; preferred_ci likewise. rank: 1 + the number of systems that are better by value;
    rank_low..rank_high: interval at `level`; tied_with_best: not significantly worse than the best; letters: two systems
    that share one do not differ significantly. votes = wins + losses + ties, without catch trials; in a two-alternative
    study a win is a vote that took the image for real.
    """

    system: str
    rating: Finite | None
    se: Finite | None
    ci: Interval | None
    preferred: Finite | None
    preferred_ci: Interval | None
    rank: int | None
    rank_low: int | None
    rank_high: int | None
    tied_with_best: bool
    letters: str
    votes: int
    wins: int
    losses: int
    ties: int
    fooling: Fooling | None = None
    reason: str | None = None


class Pair(Document):
    """Two systems that were shown beside each other: `share` counts a tie as half a win of `one`."""

    one: str
    other: str
    wins: int
    losses: int
    ties: int
    share: Share


class Prompt(Document):
    """Of one text, the share of votes that each system got, a tie being half; of a text-match study."""

    text: str
    votes: int
    shares: dict[str, Finite]


class Rater(Document):
    """One person. passed of `catches` catch trials; agreement: with the majority of the others, of votes where there is one;
    seconds: the median of a vote; fast: the share of votes in less than half a second. excluded: why, else None."""

    rater: str
    votes: int
    catches: int
    passed: int
    left: Finite | None
    agreement: Finite | None
    seconds: Finite | None
    fast: Finite | None
    excluded: str | None = None


class Agreement(Document):
    """alpha: Krippendorff's, nominal, 1 for perfect and 0 for chance; None with a `reason`. alpha_ci: of these raters on other
    questions. majority: the mean share of votes
    that agree with the majority of the other raters. questions: those that at least two people answered."""

    alpha: Finite | None
    alpha_ci: Interval | None
    majority: Finite | None
    questions: int
    reason: str | None = None


class Alignment(Document):
    """Whether a metric orders the systems as people do.

    tau: Kendall's tau-b of its order and theirs, 1 for the same order, with Fieller's interval, None below 5 systems; p: of no
    relation. accuracy: the share of votes that prefer the system with the better value, a tie being half, None
    where no votes compare two systems.
    """

    metric: str
    protocol: str
    systems: int
    tau: Finite | None
    tau_ci: Interval | None
    p: Finite | None
    accuracy: Share | None
    reason: str | None = None


class Ratings(Document):
    """All of it. `systems` stand in the order of their ranks. votes, raters: what was counted, without catch trials and without
    those that `rule` excludes. position: the share of votes for the left side, without ties. intransitive: (a, b, c) where a
    majority prefers a to b, b to c and c to a."""

    schema_: Literal["genbench.ratings/1"] = Field(default="genbench.ratings/1", alias="schema")
    created: str
    study: str
    kind: Kind
    level: Finite
    method: str
    votes: int
    raters: int
    excluded: int
    rule: str
    systems: list[SystemRating]
    pairs: list[Pair]
    intransitive: list[tuple[str, str, str]]
    position: Share | None
    agreement: Agreement
    prompts: list[Prompt] = Field(default_factory=list)
    people: list[Rater] = Field(default_factory=list)
    alignments: list[Alignment] = Field(default_factory=list)
    warnings: list[Caution] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False, populate_by_name=True)

    def __getitem__(self, system: str) -> SystemRating:
        for rated in self.systems:
            if rated.system == system:
                return rated
        raise KeyError(f"no system {system!r}; there are: {', '.join(rated.system for rated in self.systems)}")

    def to_json(self) -> str:
        return self.model_dump_json(indent=2, by_alias=True)

    def save(self, path: str | Path) -> Path:
        """Write the document to a path that ends in .json, or as ratings.json into a folder; returns where it is."""
        path = Path(path)
        path = path if path.suffix == ".json" else path / FILE
        files.write_atomic(path, self.to_json() + "\n")
        return path

    @classmethod
    def load(cls, path: str | Path) -> Ratings:
        """Read a document, or the one in a folder. Raises DataError for anything that is not a `genbench.ratings/1`."""
        path = Path(path)
        path = path / FILE if path.is_dir() else path
        if not path.is_file():
            raise DataError("E-NO-RATINGS", f"no ratings at {path}", hint="genbench study analyze VOTES -o FOLDER writes them")
        hint = "write it again with `genbench study analyze VOTES -o FOLDER`"
        parse = cls.model_validate_json
        return read_document(path, parse, kind="genbench.ratings/1", most=MAX_BYTES, code="E-RATINGS", hint=hint)
