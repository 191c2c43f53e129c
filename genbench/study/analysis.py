"""From votes to ratings: what a study says, how certain it is, and what a reader should know about its raters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from genbench.comparison.ranks import Rank, ranks_of
from genbench.errors import DataError, IncomparableError, Warned
from genbench.estimate import LEVEL, student_interval
from genbench.evaluation.result import Result, warnings_of
from genbench.study import bradley_terry
from genbench.study.agreement import agreement
from genbench.study.alignment import align
from genbench.study.clusters import Clusters, at_least, share_of
from genbench.study.raters import FAST, RULE, counted
from genbench.study.ratings import Pair, Prompt, Rater, Ratings, Share, SystemRating
from genbench.study.two_alternative import MARGIN, fooling
from genbench.study.votes import REAL, Vote

Array = NDArray[Any]
FEW_RATERS = 10
PREFERENCE = "Bradley-Terry by maximum likelihood with a term for the left side; a tie is half a win of either"
FOOLING = "share of votes that take the generated image for the real one, Wilson's interval"


def analyze(
    votes: Sequence[Vote],
    *,
    keep_all: bool = False,
    margin: float = MARGIN,
    results: Mapping[str, Result] | None = None,
    level: float = LEVEL,
) -> Ratings:
    """Ratings, ranks, win matrix, fooling rates, position bias and agreement of the votes of one study.

    keep_all: count raters that fail their catch trials too. margin: a share, of a two-alternative study's test of equivalence.
    results: evaluations by system, whose metrics are set against the votes.
    Raises DataError where no vote counts, IncomparableError for votes of several studies or kinds.
    """
    _check_one_study(votes)
    kept, people = counted(votes, keep_all=keep_all)
    if not kept:
        raise DataError("E-NO-VOTES", _why_none(votes, people), hint="collect more votes, or count everybody with --keep-all")
    kind, clusters = kept[0].kind, Clusters.of(kept)
    warned = _cautions(people, clusters, kept)
    if kind == "two_alternative":
        systems = _fooling(kept, clusters, margin, level)
        pairs: list[Pair] = []
    else:
        systems, found = _preferences(kept, clusters, level)
        warned += found
        pairs = _pairs(kept, clusters, level)
    position = _position(kept, clusters, level)
    if position is not None and position.p < 1 - level:
        side = "left" if position.value > 0.5 else "right"
        warned.append(Warned("W-SIDE", f"raters prefer the {side} side; sides are drawn at random, so this adds noise only"))
    standing = {one.system: one.fooling.share.value if one.fooling else one.rating for one in systems}
    known = {name: value for name, value in standing.items() if value is not None}
    alignments, notes = align(known, kept, results or {}, level=level)
    return Ratings(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        study=kept[0].study,
        kind=kind,
        level=level,
        method=(FOOLING if kind == "two_alternative" else PREFERENCE) + "; errors are clustered by rater and by image",
        votes=len(kept),
        raters=len({vote.rater for vote in kept}),
        excluded=sum(person.excluded is not None for person in people),
        rule="nobody is excluded" if keep_all else RULE,
        systems=systems,
        pairs=pairs,
        intransitive=_intransitive(pairs),
        position=position,
        agreement=agreement(kept, level=level),
        prompts=_prompts(kept) if kind == "text_match" else [],
        people=people,
        alignments=alignments,
        warnings=warnings_of(warned),
        notes=notes,
    )


def _check_one_study(votes: Sequence[Vote]) -> None:
    if not votes:
        raise DataError("E-NO-VOTES", "there are no votes", hint="`genbench study serve STUDY` collects them")
    for name, hint in (("study", "analyze each study by itself"), ("kind", "one study asks one kind of question")):
        values = list(dict.fromkeys(getattr(vote, name) for vote in votes))
        if len(values) > 1:
            raise IncomparableError("E-STUDIES", f"votes differ in {name}: {values[0]!r} and {values[1]!r}", hint=hint)


def _why_none(votes: Sequence[Vote], people: Sequence[Rater]) -> str:
    if all(vote.catch for vote in votes):
        return f"all {len(votes)} votes are answers to catch trials"
    return f"no vote counts: all of the {len(people)} raters failed their catch trials, or answered nothing else"


# -- preferences -----------------------------------------------------------------------------------------------------------


def _preferences(votes: Sequence[Vote], clusters: Clusters, level: float) -> tuple[list[SystemRating], list[Warned]]:
    names = sorted({name for vote in votes for name in (vote.left, vote.right)})
    place = {name: index for index, name in enumerate(names)}
    left = np.array([place[vote.left] for vote in votes])
    right = np.array([place[vote.right] for vote in votes])
    scores = _scores(votes)
    wins = bradley_terry.win_matrix(left, right, scores, len(names))
    apart = bradley_terry.groups(wins, strong=False)
    if len(apart) > 1:
        listed = " and ".join("{" + ", ".join(names[index] for index in group) + "}" for group in apart)
        reason = f"no vote compares {listed}: collect some, or analyze each group by itself"
        unrated = [_system(name, _counts(votes, name), reason=reason) for name in names]
        return unrated, [Warned("W-UNCONNECTED", reason)]
    fit = bradley_terry.fit(left, right, scores, len(names), clusters)
    freedom = max(1, clusters.number - 1)
    standing = ranks_of(-fit.ratings, fit.covariance, freedom=freedom, alpha=1 - level)
    rated = []
    for index, name in enumerate(names):
        rating, se = float(fit.ratings[index]), float(fit.covariance[index, index]) ** 0.5
        low, high = student_interval(rating, se, freedom, level)
        rated.append(
            _system(
                name,
                _counts(votes, name),
                standing[index],
                rating=rating,
                se=se,
                ci=(low, high),
                preferred=float(expit(rating)),
                preferred_ci=(float(expit(low)), float(expit(high))),
            )
        )
    return _in_order(rated), _bounds(names, wins) if fit.bounded else []


def _scores(votes: Sequence[Vote]) -> Array:
    """(N,) of the left side."""
    return np.array([{"left": 1.0, "right": 0.0, "tie": 0.5}[vote.choice] for vote in votes])


def _bounds(names: Sequence[str], wins: Array) -> list[Warned]:
    order = bradley_terry.groups(wins, strong=True)
    listed = " > ".join("{" + ", ".join(names[index] for index in group) + "}" for group in order)
    text = (
        f"no vote goes against this order: {listed}; how far its groups are apart rests on half a win and half a loss of each"
    )
    return [Warned("W-UNBEATEN", text)]


def _counts(votes: Sequence[Vote], name: str) -> dict[str, int]:
    own = [vote for vote in votes if name in (vote.left, vote.right)]
    wins = sum(vote.choice != "tie" and getattr(vote, vote.choice) == name for vote in own)
    ties = sum(vote.choice == "tie" for vote in own)
    return {"votes": len(own), "wins": wins, "losses": len(own) - wins - ties, "ties": ties}


def _system(name: str, counts: Mapping[str, int], rank: Rank | None = None, **values: Any) -> SystemRating:
    unknown = dict.fromkeys(("rating", "se", "ci", "preferred", "preferred_ci"))
    return SystemRating(
        system=name,
        rank=rank.rank if rank else None,
        rank_low=rank.low if rank else None,
        rank_high=rank.high if rank else None,
        tied_with_best=bool(rank and rank.tied_with_best),
        letters=rank.letters if rank else "",
        **counts,
        **{**unknown, **values},
    )


def _in_order(rated: Sequence[SystemRating]) -> list[SystemRating]:
    return sorted(rated, key=lambda one: (one.rank or 0, one.system))


def _pairs(votes: Sequence[Vote], clusters: Clusters, level: float) -> list[Pair]:
    names = np.array([sorted((vote.left, vote.right)) for vote in votes], dtype=object)
    swapped = np.array([vote.left > vote.right for vote in votes])
    scores = np.where(swapped, 1 - _scores(votes), _scores(votes))  # of the first by name
    found = []
    for one, other in combinations(sorted(set(names.ravel())), 2):
        chosen = (names[:, 0] == one) & (names[:, 1] == other)
        if chosen.any():
            values = scores[chosen]
            share, _ = share_of(values, clusters[chosen], level)
            counts = {"wins": int((values == 1).sum()), "losses": int((values == 0).sum()), "ties": int((values == 0.5).sum())}
            found.append(Pair(one=one, other=other, **counts, share=share))
    return found


def _intransitive(pairs: Sequence[Pair]) -> list[tuple[str, str, str]]:
    """Each circle once, beginning with the first of its names."""
    beats = {(pair.one, pair.other) for pair in pairs if pair.wins > pair.losses}
    beats |= {(pair.other, pair.one) for pair in pairs if pair.losses > pair.wins}
    names = {name for pair in beats for name in pair}
    circles = ((a, b, c) for a, b in beats for c in names if a < min(b, c))
    return sorted((a, b, c) for a, b, c in circles if (b, c) in beats and (c, a) in beats)


def _prompts(votes: Sequence[Vote]) -> list[Prompt]:
    by_text: dict[str, list[Vote]] = {}
    for vote in votes:
        by_text.setdefault(vote.text, []).append(vote)
    return [Prompt(text=text, votes=len(cast), shares=_shares(cast)) for text, cast in by_text.items()]


def _shares(votes: Sequence[Vote]) -> dict[str, float]:
    counts = {name: _counts(votes, name) for name in sorted({name for vote in votes for name in (vote.left, vote.right)})}
    return {name: (count["wins"] + count["ties"] / 2) / count["votes"] for name, count in counts.items()}


# -- which is real ---------------------------------------------------------------------------------------------------------


def _fooling(votes: Sequence[Vote], clusters: Clusters, margin: float, level: float) -> list[SystemRating]:
    generated = np.array([vote.right if vote.left == REAL else vote.left for vote in votes], dtype=object)
    fooled = np.array([getattr(vote, vote.choice) != REAL for vote in votes], dtype=float)
    names = sorted(set(generated))
    mine = np.stack([generated == name for name in names], axis=1).astype(float)
    counts = mine.sum(axis=0)
    shares = fooled @ mine / counts
    covariance = clusters.covariance((fooled[:, None] - shares) * mine / counts)
    # Where everybody or nobody is fooled there is no spread; four votes more, half of them fooled, have some (Agresti-Coull).
    some = (shares * counts + 2) / (counts + 4)
    covariance = at_least(covariance, np.diag(some * (1 - some) / counts))
    standing = ranks_of(-shares, covariance, freedom=max(1, clusters.number - 1), alpha=1 - level)
    rated = []
    for index, name in enumerate(names):
        chosen = generated == name
        wins, number = int(fooled[chosen].sum()), int(counts[index])
        numbers = {"votes": number, "wins": wins, "losses": number - wins, "ties": 0}
        found = fooling(fooled[chosen], clusters[chosen], margin=margin, level=level)
        rated.append(_system(name, numbers, standing[index], fooling=found))
    return _in_order(rated)


# -- raters ----------------------------------------------------------------------------------------------------------------


def _position(votes: Sequence[Vote], clusters: Clusters, level: float) -> Share | None:
    scores = _scores(votes)
    sided = scores != 0.5
    return share_of(scores[sided], clusters[sided], level)[0] if sided.any() else None


def _cautions(people: Sequence[Rater], clusters: Clusters, votes: Sequence[Vote]) -> list[Warned]:
    found = []
    raters = len({vote.rater for vote in votes})
    if raters == 1:
        text = (
            "all votes are of one rater: the intervals are about this person's answers to more images, not about other people"
        )
        found.append(Warned("W-ONE-RATER", text))
    elif clusters.number < FEW_RATERS:
        what = "raters" if clusters.number == raters else "images"
        found.append(Warned("W-FEW-RATERS", f"{clusters.number} {what}: the intervals are wide, and rest on few {what}"))
    if excluded := [person for person in people if person.excluded]:
        text = f"{len(excluded)} of {len(people)} raters are excluded: {RULE}"
        found.append(Warned("W-EXCLUDED", text))
    hasty = sum(person.fast is not None and person.fast > 0.5 and not person.excluded for person in people)
    if hasty:
        found.append(Warned("W-FAST", f"{hasty} of {len(people)} raters gave most of their votes in less than {FAST} s"))
    repeated = len(votes) - len({(vote.rater, vote.question) for vote in votes})
    if repeated:
        found.append(
            Warned("W-REPEATED", f"{repeated} votes answer a question that their rater had answered before; all count")
        )
    return found
