"""Does a leaderboard keep its promise, and what does it find? Draws boards again and again, and counts what they claim.

    python benchmarks/leaderboard/false_claims.py [--boards 1000] [-o benchmarks/results/leaderboard-false-claims.json]

Six systems have the same expected value. Each has some seeds, whose values differ with a standard deviation `between`, in units
of the standard error by the sampling of images. Rows of one seed stand beside rows of several; in some boards one system varies
fifty times as much as the others. `groups`: the error by sampling is itself estimated from so few independent groups of
images, such as those of so many prompts; 0 where it is known. A board is wrong if any rank, all of whose intervals hold at once
with 95 %, is not "1 to 6". Then the last system, which has the fewest seeds, is made WORSE by so many errors by sampling: it is
found if its rank does not begin at 1.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from genbench.comparison.ranks import Rank
from genbench.evaluation.environment import cpu_model
from genbench.leaderboard.seeds import Spread, pooled, ranks_of_means

SEED = 20261121
SYSTEMS = 6
WORSE = 7.0


@dataclass(frozen=True, kw_only=True)
class Case:
    """seeds: of each system; between: of each system, in units of the error by sampling."""

    seeds: Sequence[int]
    between: Sequence[float]
    groups: int = 0


def cases() -> Iterator[Case]:
    for several in ((), (2,), (3,), (5,), (3, 3), (3, 3, 3), (5, 5, 5), (2,) * 6, (3,) * 6, (5,) * 6):
        seeds = (*several, *(1,) * (SYSTEMS - len(several)))
        for between in (0.0, 1.0, 3.0):
            yield Case(seeds=seeds, between=(between,) * SYSTEMS)
    for seeds in ((2,) * 6, (3,) * 6):
        for between in (0.1, 1.0):
            yield Case(seeds=seeds, between=(50 * between, *(between,) * 5))
    for groups in (3, 5, 10, 30):
        yield Case(seeds=(1,) * 6, between=(0.0,) * 6, groups=groups)
        yield Case(seeds=(3,) * 6, between=(1.0,) * 6, groups=groups)


def ranks(case: Case, worse: float, rng: np.random.Generator) -> list[Rank]:
    """Of one board, whose last system has a value that is higher by `worse`."""
    means, errors, spreads = [], [], []
    for count, between in zip(case.seeds, case.between, strict=True):
        values = rng.normal(0.0, math.hypot(1.0, between), count)
        freedom = case.groups - 1
        known = rng.chisquare(freedom, count) / freedom if case.groups else np.ones(count)
        means.append(float(values.mean()))
        errors.append(float(known.mean()) / count)
        spread = Spread(float(values.var(ddof=1)), float(known.mean()), count, count - 1) if count > 1 else Spread()
        spreads.append(spread)
    means[-1] += worse
    return ranks_of_means(means, np.diag(errors), pooled(spreads), case.groups - 1 if case.groups else math.inf)


def is_wrong(found: Sequence[Rank]) -> bool:
    return any(rank.low > 1 or rank.high < SYSTEMS for rank in found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--boards", type=int, default=1000)
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    rows = []
    for case in cases():
        rng = np.random.default_rng(SEED)
        wrong = sum(is_wrong(ranks(case, 0.0, rng)) for _ in range(arguments.boards)) / arguments.boards
        found = sum(ranks(case, WORSE, rng)[-1].low > 1 for _ in range(arguments.boards)) / arguments.boards
        rows.append(asdict(case) | {"wrong": wrong, "found": found})
        print(f"{case}: {100 * wrong:.1f} % wrong, {100 * found:.1f} % found", flush=True)
    if arguments.output:
        document = {
            "date": datetime.now(UTC).date().isoformat(),
            "command": f"python benchmarks/leaderboard/false_claims.py --boards {arguments.boards} -o {arguments.output}",
            "seed": SEED,
            "boards": arguments.boards,
            "worse": WORSE,
            "python": platform.python_version(),
            "cpu": cpu_model(),
            "cases": rows,
        }
        arguments.output.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
