"""Imports point down: a package imports only from lower layers, and siblings never import each other."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "genbench"
LAYERS = [
    {"batch", "images", "seeding", "files", "assets", "catalog", "documents", "errors", "estimate", "gaussian"},
    {"nn", "pages"},
    {"data", "features", "metrics", "models"},
    {"training", "evaluation"},
    {"diagnostics", "comparison"},
    {"bench", "study", "gate"},
    {"report"},
    {"leaderboard"},
    {"cli", "testing"},
    {"__main__"},
]
# The only files that may name what stands above them, each to hand it on when asked: the package's lazy public names.
EXEMPT = {"__init__"}


def layer_of(part: str) -> int:
    return next(number for number, parts in enumerate(LAYERS) if part in parts)


def imported(path: Path) -> set[str]:
    """The parts of genbench that a file imports, at any depth of nesting."""
    parts = set()
    for node in ast.walk(ast.parse(path.read_text())):
        modules = [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        for module in modules:
            names = module.split(".")
            if names[0] == "genbench":
                whole = isinstance(node, ast.ImportFrom) and len(names) == 1
                parts |= {alias.name for alias in node.names} if whole else set(names[1:2])
    return parts - {"__version__"}


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = sorted(path for path in PACKAGE.rglob("*.py") if part_of(path) not in EXEMPT)


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(PACKAGE)) for path in FILES])
def test_imports_point_down(path: Path) -> None:
    own = part_of(path)
    for part in imported(path) - {own}:
        assert layer_of(part) < layer_of(own) or layer_of(own) == layer_of(part) == 0, f"{own} imports {part}"


def test_every_part_has_a_layer() -> None:
    for path in FILES:
        layer_of(part_of(path))


def test_no_file_is_called_what_it_is_not() -> None:
    names = {path.stem for path in PACKAGE.rglob("*.py")}
    assert not names & {"utils", "util", "helpers", "misc", "common"}
