"""For a pull request and the summary of a step: the same rows as a table."""

from __future__ import annotations

from collections.abc import Iterable

from genbench.gate.formats.rows import HEADINGS, WORDS, baseline, conclusion, hurt, power, protocols, reasons, rows
from genbench.gate.verdict import Check
from genbench.pages import tables
from genbench.pages.escape import markdown


def as_markdown(check: Check, *, strict: bool = False, against: str = "") -> str:
    """A heading, the table, and the sentences below it. `against`: where the baseline is kept."""
    mark = "❌" if check.exit_code(strict=strict) else "✅"
    parts = [f"### {mark} genbench check {markdown(check.name)}", tables.as_markdown([HEADINGS, *rows(check)], WORDS)]
    parts += [_list(f"**{markdown(metric)}**: {markdown(sentence)}" for metric, sentence in reasons(check))]
    parts += [markdown(power(check))]
    parts += [_list(f"{markdown(what)}: {', '.join(map(markdown, images))}" for what, images in hurt(check))]
    parts += [_list(f"note: {markdown(note)}" for note in check.notes)]
    parts += [f"**{markdown(conclusion(check, strict))}**  ", markdown(f"{protocols(check)} · {baseline(check, against)}")]
    return "\n\n".join(part for part in parts if part)


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
