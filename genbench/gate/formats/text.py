"""For a terminal and a log: a dozen lines, aligned."""

from __future__ import annotations

from genbench.gate.formats.rows import HEADINGS, WORDS, acceptable, baseline, conclusion, hurt, power, protocols, reasons, rows
from genbench.gate.verdict import Check
from genbench.pages import tables
from genbench.pages.escape import log_line

UPDATE = "genbench check … --update-baseline"
MOST_REASONS = 3


def as_text(check: Check, *, strict: bool = False, against: str = "", update: str = UPDATE) -> str:
    """The check in about a dozen lines.

    Args:
        against: where the baseline is kept, such as "genbench-baseline.json, a1b2c3d".
        update: the command that accepts the current values as the new baseline.
    """
    table = tables.as_text([HEADINGS, *rows(check)], WORDS).splitlines()
    lines = [f"genbench check {check.name}   {protocols(check)}   {baseline(check, against)}", *table]
    told = reasons(check)
    lines += [f"{metric}: {sentence}" for metric, sentence in told[:MOST_REASONS]]
    if len(told) > MOST_REASONS:
        lines.append(f"and {len(told) - MOST_REASONS} more, which --format json names")
    lines += [power(check)] if power(check) else []
    lines += [f"{what}: {', '.join(map(log_line, images))}" for what, images in hurt(check)]
    lines += [f"note: {note}" for note in check.notes]
    last = conclusion(check, strict)
    lines.append(f"{last}   to accept: {update}" if check.exit_code(strict=strict) and acceptable(check) else last)
    return "\n".join(map(log_line, lines))
