"""A `Check` as text, JSON, Markdown, JUnit and what GitHub shows. Names from outside are harmless in each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from genbench.gate.formats.document import as_json
from genbench.gate.formats.github import as_annotations
from genbench.gate.formats.markdown import as_markdown
from genbench.gate.formats.text import as_text
from genbench.gate.verdict import Check

FORMATS: Mapping[str, Callable[[Check, bool, str], str]] = {
    "text": lambda check, strict, against: as_text(check, strict=strict, against=against),
    "json": lambda check, strict, _: as_json(check, strict=strict),
    "markdown": lambda check, strict, against: as_markdown(check, strict=strict, against=against),
    "github": lambda check, strict, _: as_annotations(check, strict=strict),
}


def render(check: Check, format: str, *, strict: bool = False, against: str = "") -> str:
    """The check in one of FORMATS, without a line break at its end.

    strict: as for `Check.exit_code`. against: where the baseline is kept.
    """
    return FORMATS[format](check, strict, against)
