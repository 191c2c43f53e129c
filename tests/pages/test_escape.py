"""Names that attack are harmless in every format that is not HTML."""

from __future__ import annotations

import csv
import io
import re

import pytest

from genbench.pages import escape

NAMES = [
    "<img src=x onerror=alert(1)>.png",
    '"|pipe',
    "</script>",
    "=cmd|' /C calc'!A0",
    "%0A::error",
    "two\nlines\r\n",
    "\x1b[31mred\x1b]0;title\x07",
    "a\u202egnp.exe",
    "\\input{secret} $x^2_{a}$ 100% #1 & ~",
    "[link](https://example.org) ![x](y) @somebody #12 www.example.org `code` *b*",
]


@pytest.mark.parametrize("name", NAMES)
def test_one_line_has_no_character_that_steers(name: str) -> None:
    shown = escape.one_line(name)
    assert shown.isprintable()
    assert len(shown.splitlines()) == 1


@pytest.mark.parametrize("name", NAMES)
def test_csv_gives_the_name_back_and_is_no_formula(name: str) -> None:
    out = io.StringIO()
    csv.writer(out).writerow([escape.csv_cell(name), "next"])
    read, following = next(csv.reader(io.StringIO(out.getvalue(), newline="")))
    assert following == "next"
    assert read.removeprefix("'") == name
    assert read[0] not in "=+-@\t\r\n"


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@sum", "\t=1", " =1", "＝1"])
def test_every_beginning_of_a_formula_is_text(formula: str) -> None:
    assert escape.csv_cell(formula) == f"'{formula}"


@pytest.mark.parametrize("name", NAMES)
def test_latex_has_no_command_of_the_name(name: str) -> None:
    commands = set(re.findall(r"\\([a-zA-Z]+)", escape.latex(name)))
    assert commands <= {"textbackslash", "textasciitilde", "textasciicircum", "textless", "textgreater", "textbar"}
    bare = re.sub(r"\\[&%$#_{}]|\\[a-z]+\{\}", "", escape.latex(name))
    assert not set(bare) & set("\\&%$#_{}~^")


@pytest.mark.parametrize("name", NAMES)
def test_markdown_has_no_markup_of_the_name(name: str) -> None:
    shown = escape.markdown(name)
    assert not re.search(r"(?<!\\)(\\\\)*[|<>`*_\[\]]", shown)
    assert "://" not in shown
    assert not re.search(r"(?<!\w)[@#]\w", shown)


def test_plain_names_stay_as_they_are() -> None:
    for plain in ("VAE", "DDPM, 20 steps of DDIM", "Gaussian mixture (EM)", "fd@tiny"):
        assert {escape.one_line(plain), escape.csv_cell(plain), escape.markdown(plain), escape.latex(plain)} == {plain}
    assert escape.latex("1.0 ± 0.1 ↓ →0") == r"1.0 $\pm$ 0.1 $\downarrow$ $\to$0"
