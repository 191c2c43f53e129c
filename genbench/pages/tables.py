"""Small tables of text, for terminals, notebooks, Markdown and LaTeX; every cell is made harmless in each of them.

Lines are lists of cells, the first one the headings. `words`: the columns that are flush left, by their places, or the first so
many; the others are flush right, as numbers are. `strong`: (line, column) of cells that stand out, with the headings as line 0.
"""

from __future__ import annotations

import html
from collections.abc import Collection, Sequence

from genbench.pages import escape

Lines = Sequence[Sequence[str]]
Cells = Collection[tuple[int, int]]
Words = int | Collection[int]


def as_text(lines: Lines, words: Words) -> str:
    """Columns of equal width for a terminal, with a rule below the headings."""
    shown = [[escape.one_line(cell) for cell in line] for line in lines]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    places = _places(words)

    def padded(line: Sequence[str]) -> str:
        cells = zip(line, widths, strict=True)
        return "  ".join(cell.ljust(w) if n in places else cell.rjust(w) for n, (cell, w) in enumerate(cells)).rstrip()

    heading, *rest = map(padded, shown)
    return "\n".join([heading, "-" * (sum(widths) + 2 * (len(widths) - 1)), *rest])


def as_markdown(lines: Lines, words: Words, strong: Cells = ()) -> str:
    def cell(text: str, line: int, column: int) -> str:
        escaped = escape.markdown(text)
        return f"**{escaped}**" if (line, column) in strong and escaped else escaped

    shown = [[cell(text, i, j) for j, text in enumerate(line)] for i, line in enumerate(lines)]
    places = _places(words)
    rule = ["---" if column in places else "--:" for column in range(len(lines[0]))]
    return "\n".join("| " + " | ".join(line) + " |" for line in [shown[0], rule, *shown[1:]])


def as_latex(lines: Lines, words: Words, strong: Cells = ()) -> str:
    """A tabular for booktabs."""

    def cell(text: str, line: int, column: int) -> str:
        escaped = escape.latex(text)
        return rf"\textbf{{{escaped}}}" if (line, column) in strong else escaped

    heading, *rest = [" & ".join(cell(text, i, j) for j, text in enumerate(line)) + r" \\" for i, line in enumerate(lines)]
    places = _places(words)
    shape = "".join("l" if column in places else "r" for column in range(len(lines[0])))
    return "\n".join(
        [rf"\begin{{tabular}}{{{shape}}}", r"\toprule", heading, r"\midrule", *rest, r"\bottomrule", r"\end{tabular}"]
    )


def as_html(lines: Lines, words: Words, strong: Cells = (), caption: str = "") -> str:
    """A table for a notebook, which brings its own style."""
    places = _places(words)

    def cell(tag: str, text: str, line: int, column: int) -> str:
        escaped = html.escape(escape.one_line(text))
        inner = f"<strong>{escaped}</strong>" if (line, column) in strong else escaped
        return f'<{tag} style="text-align: {"left" if column in places else "right"}">{inner}</{tag}>'

    def row(tag: str, line: int) -> str:
        return "<tr>" + "".join(cell(tag, text, line, column) for column, text in enumerate(lines[line])) + "</tr>"

    title = f"<caption>{html.escape(escape.one_line(caption))}</caption>" if caption else ""
    body = "".join(row("td", line) for line in range(1, len(lines)))
    return f"<table>{title}<thead>{row('th', 0)}</thead><tbody>{body}</tbody></table>"


def _places(words: Words) -> Collection[int]:
    return range(words) if isinstance(words, int) else words
