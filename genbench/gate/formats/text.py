"""For a terminal and a log: a dozen lines, aligned."""

from __future__ import annotations

from genbench.gate.formats.rows import HEADINGS, baseline, conclusion, hurt, power, protocols, reasons, rows
from genbench.gate.verdict import Check
from genbench.pages.escape import one_line

UPDATE = "genbench check … --update-baseline"
MOST_REASONS = 3


def as_text(check: Check, *, strict: bool = False, against: str = "", update: str = UPDATE) -> str:
    """The check in about a dozen lines.

    Args:
        against: where the baseline is kept, such as "genbench-baseline.json, a1b2c3d".
        update: the command that accepts the current values as the new baseline.
    """
    lines = [f"genbench check {check.name}   {protocols(check)}   {baseline(check, against)}", *_table(check)]
    told = reasons(check)
    lines += [f"{metric}: {sentence}" for metric, sentence in told[:MOST_REASONS]]
    if len(told) > MOST_REASONS:
        lines.append(f"and {len(told) - MOST_REASONS} more, which --format json names")
    lines += [power(check)] if power(check) else []
    lines += [f"images that hurt {metric} most: {', '.join(map(plain, images))}" for metric, images in hurt(check)]
    lines += [f"note: {note}" for note in check.notes]
    last = conclusion(check, strict)
    lines.append(f"{last}   to accept: {update}" if check.exit_code(strict=strict) else last)
    return "\n".join(map(plain, lines))


def plain(text: str) -> str:
    """One line without control characters, in which GitHub finds no command: "##[" is one anywhere, "::" at the start."""
    text = one_line(text).replace("##[", "## [")
    return f"·{text}" if text.lstrip().startswith("::") else text


def _table(check: Check) -> list[str]:
    """Columns of equal width; numbers flush right."""
    cells = [[plain(cell) for cell in row] for row in (HEADINGS, *rows(check))]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    left = (0, len(widths) - 1)
    return [
        "   ".join(
            cell.ljust(width) if place in left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]
