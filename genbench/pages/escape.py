"""Names of images, models and people, made harmless in every format but HTML, where templates escape by themselves."""

from __future__ import annotations

import re
import unicodedata

SYMBOLS = {"±": r"$\pm$", "≤": r"$\le$", "≥": r"$\ge$", "↓": r"$\downarrow$", "↑": r"$\uparrow$", "→": r"$\to$", "–": "--"}
TEX = str.maketrans(
    {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"}
    | {character: f"\\{character}" for character in "&%$#_{}"}
    | SYMBOLS
)
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
MARKUP = re.compile(r"([\\`*_\[\]|<>&~$])")
LINKED = re.compile(
    r"((?<!\w)[@#](?=\w)|:(?=//)|www(?=\.))"
)  # what hosts of Markdown turn into a link or a message to somebody
BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # turn the direction of text


def one_line(text: str) -> str:
    r"""Text for a terminal, a log or a title: line breaks, escape codes and turns of direction stand as \n, \x1b, \u202e."""
    return "".join(_spelt(character) if _steers(character) else character for character in text)


def log_line(text: str) -> str:
    """One line of a log in which services of continuous integration find no command: GitHub has "##[" and "::" at the start."""
    text = one_line(text).replace("##[", "## [")
    return f"·{text}" if text.lstrip().startswith("::") else text


def csv_cell(text: str) -> str:
    """Text for a cell: what a spreadsheet would take for a formula begins with an apostrophe. `csv` does the quoting."""
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text


def markdown(text: str) -> str:
    """Text for a line or a cell of a table: nothing in it is markup, HTML, a link, a mention or the end of the cell."""
    return LINKED.sub("\\1\u200b", MARKUP.sub(r"\\\1", one_line(text)))


def latex(text: str) -> str:
    """Text for a line or a cell of a tabular: no character is a command, and the symbols of tables are mathematics."""
    return one_line(text).translate(TEX)


def _steers(character: str) -> bool:
    return character in BIDI or unicodedata.category(character) in ("Cc", "Zl", "Zp", "Cs")


def _spelt(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
