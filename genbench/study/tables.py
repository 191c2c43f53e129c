"""What a study says as tables: for a terminal, Markdown, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from genbench.estimate import format_value
from genbench.pages import escape, tables
from genbench.study.raters import FAST
from genbench.study.ratings import Fooling, Ratings, Share, SystemRating

MOST_SYSTEMS = 12  # of a win matrix that is shown; the document holds all
MOST_PROMPTS = 40
MOST_CIRCLES = 5


@dataclass(frozen=True)
class Block:
    """Headings and rows, the first `words` columns of them words, which stand flush left."""

    title: str
    lines: Sequence[Sequence[str]]
    words: int = 1


def render(ratings: Ratings, format: str) -> str:
    """The ratings in one of FORMATS."""
    return FORMATS[format](ratings)


def as_text(ratings: Ratings) -> str:
    blocks = [f"{block.title}\n{tables.as_text(block.lines, block.words)}" for block in blocks_of(ratings)]
    return "\n\n".join([*blocks, "\n".join(map(escape.one_line, sentences(ratings)))])


def as_markdown(ratings: Ratings) -> str:
    blocks = [
        f"{escape.markdown(block.title)}\n\n{tables.as_markdown(block.lines, block.words)}" for block in blocks_of(ratings)
    ]
    return "\n\n".join([*blocks, "\n".join(f"- {escape.markdown(text)}" for text in sentences(ratings))])


def as_latex(ratings: Ratings) -> str:
    """A tabular for booktabs each."""
    blocks = [f"% {escape.one_line(block.title)}\n{tables.as_latex(block.lines, block.words)}" for block in blocks_of(ratings)]
    return "\n\n".join([*blocks, "\n".join(f"% {escape.one_line(text)}" for text in sentences(ratings))])


def as_csv(ratings: Ratings) -> str:
    """One row per system, numbers in full."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    columns = ["rating", "se", "low", "high", "preferred", "fooling", "fooling se", "fooling low", "fooling high", "d'"]
    ranks = ["rank", "rank low", "rank high", "votes", "wins", "losses", "ties"]
    writer.writerow(["system", *columns, *ranks, "letters", "verdict"])
    for one in ratings.systems:
        low, high = one.ci or (None, None)
        fooling = one.fooling
        share = (fooling.share.value, fooling.se, *fooling.share.ci, fooling.d_prime) if fooling else (None,) * 5
        places = (one.rank, one.rank_low, one.rank_high, one.votes, one.wins, one.losses, one.ties)
        numbers = (one.rating, one.se, low, high, one.preferred, *share, *places)
        written = ["" if number is None else repr(number) for number in numbers]
        writer.writerow(
            [escape.csv_cell(escape.one_line(one.system)), *written, one.letters, verdict(fooling) if fooling else ""]
        )
    return out.getvalue().rstrip("\n")


def as_json(ratings: Ratings) -> str:
    return ratings.to_json()


FORMATS: Mapping[str, Callable[[Ratings], str]] = {
    "text": as_text,
    "markdown": as_markdown,
    "csv": as_csv,
    "latex": as_latex,
    "json": as_json,
}

# -- content ---------------------------------------------------------------------------------------------------------------


def blocks_of(ratings: Ratings) -> list[Block]:
    found = [_two_alternative(ratings) if ratings.kind == "two_alternative" else _systems(ratings)]
    if 2 < len(ratings.systems) <= MOST_SYSTEMS and ratings.pairs:
        found.append(_matrix(ratings))
    if ratings.prompts:
        found.append(_by_prompt(ratings))
    if ratings.alignments:
        found.append(_alignments(ratings))
    return found


def _systems(ratings: Ratings) -> Block:
    heading = ["system", "rank", "letters", "rating", "interval", "preferred to the average", "wins", "losses", "ties"]
    rows = [
        [
            one.system,
            _rank(one),
            one.letters or "–",
            format_value(one.rating, one.se),
            f"[{one.ci[0]:.2f}, {one.ci[1]:.2f}]" if one.ci else "–",
            f"{one.preferred:.0%} [{one.preferred_ci[0]:.0%}, {one.preferred_ci[1]:.0%}]"
            if one.preferred is not None and one.preferred_ci
            else "–",
            *map(str, (one.wins, one.losses, one.ties)),
        ]
        for one in ratings.systems
    ]
    return Block("which is preferred: the rating is in log-odds, 0 is the average system", [heading, *rows])


def _two_alternative(ratings: Ratings) -> Block:
    heading = ["system", "verdict", "rank", "letters", "taken for real", "d'", "votes"]
    rows = [
        [
            one.system,
            verdict(one.fooling),
            _rank(one),
            one.letters,
            percent(one.fooling.share),
            "–" if one.fooling.d_prime is None else f"{one.fooling.d_prime:.2f}",
            str(one.votes),
        ]
        for one in ratings.systems
        if one.fooling
    ]
    return Block("which is real: 50 % where nobody can tell", [heading, *rows], words=2)


def _rank(one: SystemRating) -> str:
    if one.rank is None:
        return "–"
    return str(one.rank) if one.rank_low == one.rank_high else f"{one.rank} [{one.rank_low}–{one.rank_high}]"


def _matrix(ratings: Ratings) -> Block:
    names = [one.system for one in ratings.systems]
    won = {(pair.one, pair.other): pair.share.value for pair in ratings.pairs}
    won |= {(pair.other, pair.one): 1 - pair.share.value for pair in ratings.pairs}
    rows = [[name, *(f"{won[name, other]:.0%}" if (name, other) in won else "·" for other in names)] for name in names]
    return Block("share of votes for the row's system against the column's", [["", *names], *rows])


def _by_prompt(ratings: Ratings) -> Block:
    names = [one.system for one in ratings.systems]
    rows = [
        [
            _short(prompt.text),
            *(f"{prompt.shares[name]:.0%}" if name in prompt.shares else "·" for name in names),
            str(prompt.votes),
        ]
        for prompt in ratings.prompts[:MOST_PROMPTS]
    ]
    left = len(ratings.prompts) - len(rows)
    return Block(
        "share of votes by text" + (f"; {left} more texts are in the document" if left else ""),
        [["text", *names, "votes"], *rows],
    )


def _alignments(ratings: Ratings) -> Block:
    heading = ["metric", "protocol", "systems", "Kendall's tau-b", "agrees with votes"]
    rows = [
        [
            one.metric,
            one.protocol,
            str(one.systems),
            "–"
            if one.tau is None
            else f"{one.tau:.2f}" + (f" [{one.tau_ci[0]:.2f}, {one.tau_ci[1]:.2f}]" if one.tau_ci else " [?]"),
            percent(one.accuracy) if one.accuracy else "–",
        ]
        for one in ratings.alignments
    ]
    return Block("do metrics order the systems as people do?", [heading, *rows], words=2)


def verdict(fooling: Fooling) -> str:
    """In words."""
    if fooling.verdict == "indistinguishable":
        return f"indistinguishable within {100 * fooling.margin:.3g} points"
    return fooling.verdict if fooling.needs is None else f"inconclusive: needs about {fooling.needs:,} votes"


def percent(share: Share) -> str:
    low, high = share.ci
    return f"{100 * share.value:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"


def sentences(ratings: Ratings) -> list[str]:
    """What stands below the tables."""
    excluded = f", {ratings.excluded} raters excluded" if ratings.excluded else ""
    found = [f"{_counted(ratings.votes, 'vote')} of {_counted(ratings.raters, 'rater')}{excluded}; {ratings.rule}"]
    found.append(
        f"{ratings.method}; intervals at {ratings.level:.0%}; systems that share a letter do not differ significantly (Holm)"
    )
    if ratings.position:
        found.append(f"left side: {percent(ratings.position)} of votes, p = {ratings.position.p:.2g}")
    found += [_agreement(ratings), *_times(ratings)]
    circles = ratings.intransitive[:MOST_CIRCLES]
    found += [f"no order: {a} beats {b} beats {c} beats {a}" for a, b, c in circles]
    if len(ratings.intransitive) > len(circles):
        found.append(f"and {len(ratings.intransitive) - len(circles)} more circles")
    if ratings.alignments:
        found.append("[?]: an interval of tau needs 5 systems")
    return [*found, *(f"warning[{caution.code}]: {caution.text}" for caution in ratings.warnings), *ratings.notes]


def _agreement(ratings: Ratings) -> str:
    found = ratings.agreement
    if found.alpha is None or found.alpha_ci is None:
        return f"agreement between raters: not known, {found.reason}"
    majority = "" if found.majority is None else f"; {found.majority:.0%} of votes agree with the majority of the others"
    low, high = found.alpha_ci
    return f"agreement between raters: Krippendorff's alpha {found.alpha:.2f} [{low:.2f}, {high:.2f}]{majority}"


def _times(ratings: Ratings) -> list[str]:
    own = [person for person in ratings.people if person.excluded is None and person.seconds is not None]
    votes = sum(person.votes for person in own)
    fast = sum((person.fast or 0) * person.votes for person in own) / max(1, votes)
    middle = median(person.seconds or 0 for person in own) if own else 0
    return [f"a vote takes {middle:.1f} s (median of the raters' medians); {fast:.1%} take less than {FAST} s"] if own else []


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def _short(text: str, most: int = 60) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
