"""Tables of text: one drawing for every format, whose cells and columns are said once."""

from __future__ import annotations

import pytest

from genbench.pages import tables

LINES = [["system", "rank", "family"], ["a|b", "1", "vae"], ["<c>", "12", "gan"]]


@pytest.mark.parametrize(("words", "shape"), [(0, "rrr"), (1, "lrr"), (3, "lll"), ((0, 2), "lrl"), ({1}, "rlr")])
def test_words_stand_left_and_numbers_right(words: tables.Words, shape: str) -> None:
    assert f"{{tabular}}{{{shape}}}" in tables.as_latex(LINES, words)
    assert (
        tables.as_markdown(LINES, words).splitlines()[1] == "| " + " | ".join({"l": "---", "r": "--:"}[c] for c in shape) + " |"
    )
    sides = [{"l": "left", "r": "right"}[c] for c in shape]
    heading = tables.as_html(LINES, words).partition("</thead>")[0]
    assert [side for side in heading.replace('"', " ").replace(">", " ").split() if side in ("left", "right")] == sides
    text = tables.as_text([["a", "b", "c"], ["11", "22", "33"]], words).splitlines()[0]
    assert (
        text == "  ".join({"l": "{} ", "r": " {}"}[side].format(name) for side, name in zip(shape, "abc", strict=True)).rstrip()
    )


def test_cells_are_harmless_everywhere() -> None:
    assert r"a\|b" in tables.as_markdown(LINES, 1)
    assert "&lt;c&gt;" in tables.as_html(LINES, 1)
    assert len(tables.as_text([["x"], ["two\nlines"]], 1).splitlines()) == 3
    assert tables.as_latex([["x"], ["a_b & c"]], 1).count("&") == tables.as_latex([["x"], ["a_b & c"]], 1).count(r"\&") == 1


def test_strong_cells() -> None:
    assert "**1**" in tables.as_markdown(LINES, 1, {(1, 1)})
    assert r"\textbf{1}" in tables.as_latex(LINES, 1, {(1, 1)})
    assert "<strong>1</strong>" in tables.as_html(LINES, 1, {(1, 1)})
