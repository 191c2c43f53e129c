"""The documents say what the code does."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import pytest

from genbench.cli import run

REPOSITORY = Path(__file__).parent.parent
README = (REPOSITORY / "README.md").read_text()
GENERATE = runpy.run_path(str(REPOSITORY / "docs" / "generate.py"))


@pytest.mark.parametrize("name", GENERATE["TABLES"])
def test_tables_are_what_the_code_says(name: str) -> None:
    document = (REPOSITORY / GENERATE["TABLES"][name][0]).read_text()
    assert GENERATE["written"](name, document) == document, "run `python docs/generate.py`"


IMAGES = ("fd@tiny", "fd@tiny best", "precision@tiny", "recall@tiny", "bits/dim", "parameters", "ms/image", "evaluations")
POINTS = ("modes_found", "high_quality", "fd@coordinates", "log density", "steps", "evaluations")
TABLES = {  # suite -> where its table stands, and which of its columns
    "digits": ("README.md", IMAGES),
    "mnist": ("benchmarks/README.md", IMAGES),
    "shapes": ("benchmarks/README.md", IMAGES),
    "ring": ("benchmarks/README.md", POINTS),
    "grid": ("benchmarks/README.md", POINTS),
}


def suite_rows(suite: str) -> list[str]:
    """The lines of a document's table of a suite, from what benchmarks/results/ holds of it."""
    document = json.loads((REPOSITORY / "benchmarks" / "results" / f"{suite}.json").read_text())
    _, columns = TABLES[suite]
    lines = []
    for row in document["rows"]:
        cells = [row["cells"][name]["text"] if name in row["cells"] else "–" for name in columns]
        lines.append(f"| {' | '.join([row['system'], row['condition'], *cells])} |")
    return lines


@pytest.mark.parametrize("suite", TABLES)
def test_tables_of_suites_are_what_was_measured(suite: str) -> None:
    text = (REPOSITORY / TABLES[suite][0]).read_text()
    for line in suite_rows(suite):
        assert line in text


def test_links_lead_somewhere() -> None:
    for document in [*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md"), *REPOSITORY.glob("*/README.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_the_table_of_the_readme_is_what_the_first_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    """Names, counts and protocols exactly; the numbers, which another machine may round otherwise, to a hundredth."""
    assert run("evaluate digits/test --ref digits/train --extractor tiny -q".split()) == 0
    printed = [re.findall(r"\S+", line) for line in capsys.readouterr().out.splitlines()[2:]]
    shown = [re.findall(r"\S+", line) for line in README.splitlines() if re.match(r"    \w+ [↓↑] ", line)]
    assert [line[:2] + line[-3:] for line in shown] == [line[:2] + line[-3:] for line in printed]
    for ours, theirs in zip(shown, printed, strict=True):
        for place in (2, 4):  # value, standard error
            assert float(ours[place]) == pytest.approx(float(theirs[place]), rel=1e-2, abs=1e-4)
