"""A comparison as text, Markdown, CSV, LaTeX, JSON and HTML: of two sets their differences, of more a ranking per metric."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping

from genbench.comparison.compare import Compared, Comparison
from genbench.comparison.difference import Difference
from genbench.comparison.pair import Pair
from genbench.estimate import ARROWS
from genbench.pages import escape, tables

WORDS = 2  # columns of the ranking that are flush left


def lines(comparison: Comparison) -> tuple[list[list[str]], int, set[tuple[int, int]]]:
    """Headings and rows, how many columns are words, and which cells are not significantly worse than the best."""
    return _of_two(comparison) if len(comparison.names) == 2 else _ranking(comparison)


def _of_two(comparison: Comparison) -> tuple[list[list[str]], int, set[tuple[int, int]]]:
    base, current = comparison.names
    level = f"{100 * (1 - comparison.alpha):g} % interval"
    rows = [["metric", base, current, "difference", level, "p", f"{current} is"]]
    strong = set()
    for metric in comparison.metrics:
        strong |= {(len(rows), 1 + place) for place, rank in enumerate(metric.ranks) if rank.tied_with_best}
        (pair,) = metric.pairs
        found = pair.difference
        values = [str(one) for one in metric.values]
        interval = interval_text(found, 1 - comparison.alpha)
        rows.append([_heading(metric), *values, str(found), interval, p_text(pair), pair.verdict])
    return rows, 1, strong


def _ranking(comparison: Comparison) -> tuple[list[list[str]], int, set[tuple[int, int]]]:
    rows = [["metric", "name", "value", "rank", "group"]]
    strong = set()
    for metric in comparison.metrics:
        order = sorted(range(len(comparison.names)), key=lambda place: metric.ranks[place].rank)
        for number, place in enumerate(order):
            rank = metric.ranks[place]
            if rank.tied_with_best:
                strong.add((len(rows), WORDS))
            value = str(metric.values[place])
            rows.append([_heading(metric) if number == 0 else "", comparison.names[place], value, str(rank), rank.letters])
    return rows, WORDS, strong


def _heading(metric: Compared) -> str:
    return f"{metric.name} {ARROWS[metric.better]}"


def interval_text(found: Difference, level: float) -> str:
    interval = found.interval(level)
    return f"[{interval[0]:.3g}, {interval[1]:.3g}]" if interval else "–"


def p_text(pair: Pair) -> str:
    """The adjusted p; "*" marks that of a permutation test."""
    if pair.adjusted is None:
        return "–"
    shown = "<0.001" if pair.adjusted < 0.001 else f"{pair.adjusted:.3f}"
    return shown + ("*" if pair.test == "permutation" else "")


def remarks(comparison: Comparison) -> list[str]:
    """What stands below the table: how it was tested, what was shared, what was left out."""
    several = len(comparison.names) > 2
    tests = f"{comparison.tests} test{'s' if comparison.tests != 1 else ''}"
    found = [f"p is two-sided and adjusted for {tests} (Holm); claims are made at {comparison.alpha:g}"]
    if several:
        level = f"{100 * (1 - comparison.alpha):g} %"
        found = [
            f"{tests}, adjusted together (Holm): with {level} chance every rank lies in its brackets;"
            " without a letter in common, two differ significantly"
        ]
    return [*found, *comparison.notes, *(f"left out: {sentence}" for sentence in comparison.left_out)]


def as_text(comparison: Comparison) -> str:
    rows, left, _ = lines(comparison)
    return "\n".join([tables.as_text(rows, left), "", *map(escape.one_line, remarks(comparison))])


def as_markdown(comparison: Comparison) -> str:
    """A table in which bold is what is not significantly worse than the best."""
    rows, left, strong = lines(comparison)
    return "\n".join(
        [tables.as_markdown(rows, left, strong), "", *(f"- {escape.markdown(line)}" for line in remarks(comparison))]
    )


def as_latex(comparison: Comparison) -> str:
    rows, left, strong = lines(comparison)
    return "\n".join([tables.as_latex(rows, left, strong), *(f"% {escape.one_line(line)}" for line in remarks(comparison))])


def as_html(comparison: Comparison) -> str:
    """For a notebook."""
    rows, left, strong = lines(comparison)
    return tables.as_html(rows, left, strong, caption="; ".join(remarks(comparison)))


def as_csv(comparison: Comparison) -> str:
    """Every pair, with numbers in full."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    numbers = ["base value", "current value", "difference", "se", "low", "high", "p", "p adjusted"]
    writer.writerow(["metric", "protocol", "better", "base", "current", *numbers, "test", "verdict"])
    for metric in comparison.metrics:
        for pair in metric.pairs:
            found = pair.difference
            names = [escape.csv_cell(escape.one_line(comparison.names[place])) for place in (pair.base, pair.current)]
            interval = found.interval(1 - comparison.alpha) or (None, None)
            values = [found.base.value, found.current.value, found.value, found.se, *interval, pair.p, pair.adjusted]
            texts = ["" if value is None else repr(value) for value in values]
            words = [escape.csv_cell(metric.name), escape.csv_cell(metric.protocol), metric.better]
            writer.writerow([*words, *names, *texts, pair.test, pair.verdict])
    return out.getvalue().rstrip("\n")


FORMATS: Mapping[str, Callable[[Comparison], str]] = {
    "text": as_text,
    "markdown": as_markdown,
    "csv": as_csv,
    "latex": as_latex,
    "json": Comparison.to_json,
}
