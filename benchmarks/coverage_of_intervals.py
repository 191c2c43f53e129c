"""How often do the 95 % intervals cover what they promise? Draws images again and again, and counts.

    python benchmarks/coverage_of_intervals.py [--repeats 1000] [--only standard] [-o benchmarks/results/coverage.json]

The studies are in interval_studies/, one file per group of metrics; each says what it draws. An interval promises to cover the
expected value of the same estimator on as many images, which is taken from the mean over all repeats; about a bias-corrected
value it promises to cover the value at infinitely many images. Rows marked "no" are no promise; they show what happens outside
of it. A repeat takes 0.01 to 0.2 s on one core.
"""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import torch

from interval_studies.harness import Row, Study

FOLDER = Path(__file__).parent / "interval_studies"


def groups() -> list[str]:
    """The names of all groups of studies."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "harness")


def studies(group: str) -> Sequence[Study]:
    found: Sequence[Study] = importlib.import_module(f"interval_studies.{group}").STUDIES
    return found


def simulate(repeats: int, only: Sequence[str], sizes: tuple[int, ...] = (500, 1000, 2000)) -> Iterator[Row]:
    for group in only:
        for study in studies(group):
            for n in sizes:
                yield from study(n, repeats)


def markdown(rows: list[Row]) -> str:
    lines = ["| metric | n | truth | sd of the value | mean se | covered | promised |", "|---|--:|--:|--:|--:|--:|---|"]
    for row in rows:
        numbers = f"{row.truth:.4g} | {row.spread:.2g} | {row.mean_se:.2g} | {100 * row.covered:.1f} %"
        lines.append(f"| {row.metric} | {row.n} | {numbers} | {'yes' if row.promised else 'no'} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1000)
    parser.add_argument("--only", nargs="+", choices=groups(), default=groups(), metavar="GROUP")
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    rows = []
    for row in simulate(arguments.repeats, arguments.only):
        rows.append(row)
        print(f"{row.metric} n={row.n}: {100 * row.covered:.1f} %", file=sys.stderr)
    print(markdown(rows))
    if arguments.output:
        made = {
            "date": datetime.now(UTC).date().isoformat(),
            "command": "python benchmarks/coverage_of_intervals.py " + " ".join(sys.argv[1:]),
            "python": platform.python_version(),
            "torch": torch.__version__,
        }
        arguments.output.write_text(json.dumps({**made, "rows": [asdict(row) for row in rows]}, indent=1) + "\n")


if __name__ == "__main__":
    main()
