"""A `Check` as text, JSON, Markdown, JUnit and what GitHub shows. Names from outside are harmless in each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from genbench.gate.formats.document import as_json
from genbench.gate.formats.github import as_annotations
from genbench.gate.formats.markdown import as_markdown
from genbench.gate.formats.text import as_text
from genbench.gate.verdict import Check

FORMATS: Mapping[str, Callable[..., str]] = {
    "text": as_text,
    "json": as_json,
    "markdown": as_markdown,
    "github": as_annotations,
}


def render(check: Check, format: str, *, strict: bool = False) -> str:
    """The check in one of FORMATS, without a line break at its end. `strict`: as for `Check.exit_code`."""
    return FORMATS[format](check, strict=strict)
