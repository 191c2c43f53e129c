"""Pages in one file: offline, without a request to anybody, safe against every name that images, models and people have.

Templates lie beside the code that fills them, as NAME.html, with their own NAME.css and NAME.js where they have any; all begin
with `{% extends "frame.html" %}`. Values are escaped wherever they stand; data for scripts goes through `data`. The page's own
script and style are the only ones that may run: the Content-Security-Policy names them by a nonce and allows no connection.
Attributes `style` are allowed, because plots are full of them; they can load nothing either.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def render(template: Path, *, title: str, **values: Any) -> str:
    """The page of a template file with these values.

    In a template `values` are names; `style` and `script` are the files of the same stem. `{{ data(thing) }}` inside of
    <script type="application/json"> hands JSON to the script. Raises jinja2.UndefinedError for a name that is not given.
    """
    import jinja2
    from markupsafe import Markup

    loader = jinja2.FileSystemLoader([template.parent, HERE])
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["ticked"] = ticked
    style = "\n".join(_read(path) for path in (HERE / "frame.css", template.with_suffix(".css")))
    script = "\n".join(_read(path) for path in (HERE / "frame.js", template.with_suffix(".js")))
    return environment.get_template(template.name).render(
        title=title,
        nonce=secrets.token_urlsafe(16),
        style=Markup(style),  # our own files
        script=Markup(script),
        data=data,
        **values,
    )


def data(thing: Any) -> Any:
    """JSON that may stand inside of a script element: no character of it can end the element or begin a comment."""
    from markupsafe import Markup

    text = json.dumps(thing, ensure_ascii=True, allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def ticked(text: str) -> Any:
    """Escaped text in which what stands between `backticks` is code."""
    from markupsafe import Markup, escape

    parts = text.split("`")
    if len(parts) % 2 == 0:  # one has no partner
        return escape(text)
    return Markup("").join(Markup("<code>{}</code>").format(part) if at % 2 else part for at, part in enumerate(parts))


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def facts(pairs: Mapping[str, object]) -> list[tuple[str, str]]:
    """What a table of facts shows: those that are known, as text."""
    return [(name, str(value)) for name, value in pairs.items() if value not in (None, "", [], {})]
