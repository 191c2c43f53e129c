"""The documents say what the code does."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import pytest

from genbench import catalog
from genbench.cli import run
from genbench.evaluation.request import parse

REPOSITORY = Path(__file__).parent.parent
README = (REPOSITORY / "README.md").read_text()
GENERATE = runpy.run_path(str(REPOSITORY / "docs" / "generate.py"))


@pytest.mark.parametrize("name", GENERATE["TABLES"])
def test_tables_are_what_the_code_says(name: str) -> None:
    document = (REPOSITORY / GENERATE["TABLES"][name][0]).read_text()
    assert GENERATE["written"](name, document) == document, "run `python docs/generate.py`"


@pytest.mark.parametrize("name", catalog.names("metrics"))
def test_every_interval_was_tried_in_simulation(name: str) -> None:
    """Means over pairs share one error, which is tried on some of them; points of mixtures have a plain binomial one."""
    metric = catalog.find("metrics", name)
    if metric.of_pairs or metric.takes == "points":
        return
    document = json.loads((REPOSITORY / "benchmarks" / "results" / "coverage-of-intervals.json").read_text())
    promised = {re.split(r"[:, ]", row["metric"])[0] for row in document["rows"] if row["promised"]}
    names = {alias for names in metric.on.values() for alias in names.values()} | set(metric.reports)
    assert promised & names, f"no promised row of {name} in benchmarks/results/coverage-of-intervals.json"


def test_names_in_the_table_of_protocols_can_be_asked_for() -> None:
    text = (REPOSITORY / "docs" / "metrics.md").read_text().partition("| name | is the number of |")[2].partition("\n\n")[0]
    rows = [line.split("|")[1] for line in text.splitlines()[2:]]
    names = [name for row in rows for name in re.findall(r"`([a-z_]+[^`]*)`", row)]
    assert len(names) > 10
    for name in names:
        parse(name.replace("…", ""))


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
