from __future__ import annotations

import pytest

from genbench.data.names import byte_order, printable, why_ignored


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a/0001.png", None),
        ("A.JPEG", None),
        ("ä ö.webp", None),
        (".a.png", "hidden"),
        ("__MACOSX/._a.png", "hidden"),
        (".git/a.png", "hidden"),
        ("./a.png", None),
        ("labels.TXT", ".txt"),
        ("Thumbs.db", ".db"),
        ("README", "no extension"),
        ("a.png/b", "no extension"),
    ],
)
def test_what_is_looked_at(name: str, reason: str | None) -> None:
    assert why_ignored(name) == reason


def test_order_is_that_of_bytes() -> None:
    names = ["a/b.png", "ä.png", "a.png", "B.png", "\udcff.png", "a b.png", "10.png", "9.png"]
    assert sorted(names, key=byte_order) == ["10.png", "9.png", "B.png", "a b.png", "a.png", "a/b.png", "ä.png", "\udcff.png"]


def test_printable() -> None:
    assert printable("ä 日本.png") == "ä 日本.png"
    assert printable("a\x1b[31m\n.png") == "a\\x1b[31m\\n.png"
    assert printable("a\udcff.png") == "a\\xff.png"
