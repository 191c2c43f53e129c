"""A page holds everything it needs, runs no script but its own, and shows every name as a name."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import jinja2
import pytest

from genbench.pages import page

HOSTILE = (
    "<img src=x onerror=alert(1)>.png",
    "</script><script>alert(1)</script>",
    '"><svg onload=alert(1)>',
    "{{ 7 * 7 }}",
    "-->",
)


@pytest.fixture
def template(tmp_path: Path) -> Path:
    content = """{% extends "frame.html" %}{% block content %}<h1 title="{{ name }}">{{ name }}</h1>
<script type="application/json" id="things">{{ data({"name": name}) }}</script>{% endblock %}"""
    (tmp_path / "own.html").write_text(content)
    (tmp_path / "own.css").write_text("h1 { color: teal; }")
    (tmp_path / "own.js").write_text("const own = 1 < 2 && true;")
    return tmp_path / "own.html"


class Elements(HTMLParser):
    """The elements with their attributes, and the text of each script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words = ""
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._open = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open == "script":
            self.scripts[-1] += data
        else:
            self.words += data


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_is_a_name(template: Path, name: str) -> None:
    elements = Elements(page.render(template, title=name, name=name))
    assert not [tag for tag, _ in elements.found if tag in ("img", "svg")]
    assert [attributes["title"] for tag, attributes in elements.found if tag == "h1"] == [name]
    assert name in elements.words
    assert json.loads(elements.scripts[0]) == {"name": name}
    assert len(elements.scripts) == 2


def test_own_style_and_script_are_whole_and_carry_the_nonce(template: Path) -> None:
    text = page.render(template, title="t", name="n")
    nonce = re.search(r"script-src 'nonce-([\w-]+)'", text)
    assert nonce
    assert text.count(f'nonce="{nonce[1]}"') == 2
    assert "const own = 1 < 2 && true;" in text
    assert "h1 { color: teal; }" in text
    assert text != page.render(template, title="t", name="n"), "a nonce is used once"


def test_nothing_is_asked_of_the_network(template: Path) -> None:
    text = page.render(template, title="t", name="n")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    assert policy[1].startswith("default-src 'none'")
    assert "http" not in text.replace("http-equiv", "")


def test_a_value_that_is_missing_is_an_error(template: Path) -> None:
    with pytest.raises(jinja2.UndefinedError, match="name"):
        page.render(template, title="t")


def test_data_refuses_what_json_does_not_have() -> None:
    with pytest.raises(ValueError, match="JSON"):
        page.data({"fid": float("nan")})


def test_ticked_text_is_code_and_stays_text() -> None:
    assert page.ticked("of `<tiny>` & `b`") == "of <code>&lt;tiny&gt;</code> &amp; <code>b</code>"
    assert page.ticked("one ` <b>") == "one ` &lt;b&gt;"
