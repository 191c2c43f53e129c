"""For the test reports of GitLab, Jenkins and others: one test case per gate.

A regression is a failure; what could not be compared, is missing or is no number an error; an inconclusive gate is skipped, and
a failure under `strict`. A gate of severity "warning" never fails: what it found is its output.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genbench import files
from genbench.gate.formats.rows import FINE, HEADINGS, rows
from genbench.gate.verdict import Check, Outcome
from genbench.pages.escape import one_line

if TYPE_CHECKING:
    from junitparser import TestCase, TestSuite

NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML 1.0 has no character for


def write_junit(check: Check, path: Path, *, strict: bool = False) -> None:
    """In one step."""
    files.write_atomic(path, as_junit(check, strict=strict))


def as_junit(check: Check, *, strict: bool = False) -> str:
    """A document with one suite."""
    from junitparser import JUnitXml

    document = JUnitXml(name="genbench check")
    document.add_testsuite(_suite(check, strict))
    document.update_statistics()
    return str(document.tostring().decode()) + "\n"


def _suite(check: Check, strict: bool) -> TestSuite:
    from junitparser import TestSuite

    suite = TestSuite(_clean(f"genbench check {check.name}"))
    cells = rows(check)
    for outcome, row in zip(check.outcomes, cells, strict=True):
        shown = "\n".join(f"{heading}: {cell}" for heading, cell in zip(HEADINGS, row, strict=True))
        suite.add_testcase(_case(check, outcome, shown, strict))
    return suite


def _case(check: Check, outcome: Outcome, shown: str, strict: bool) -> TestCase:
    from junitparser import Error, Failure, Properties, Property, Skipped, TestCase

    case = TestCase(name=_clean(outcome.name), classname=_clean(f"genbench.{check.name}"))
    properties = Properties()
    for name, value in _properties(outcome).items():
        properties.add_property(Property(name, _clean(str(value))))
    case.append(properties)
    kind = {"regressed": Failure, "inconclusive": Failure if strict else Skipped}.get(outcome.verdict, Error)
    if outcome.verdict not in FINE and outcome.counts:
        verdict = kind(message=_clean(outcome.reason), type_=outcome.verdict)
        verdict.text = "\n".join(map(_clean, shown.splitlines()))
        case.result = verdict
    else:
        case.system_out = _clean(f"{outcome.verdict}: {outcome.reason}")
    return case


def _properties(outcome: Outcome) -> dict[str, Any]:
    """What is known of the gate, by name."""
    difference, measured = outcome.difference, outcome.current or outcome.base
    interval = difference.interval() if difference else None
    found = {
        "verdict": outcome.verdict,
        "protocol": measured.protocol if measured else None,
        "n": outcome.current.n if outcome.current else None,
        "baseline": outcome.base.value if outcome.base else None,
        "current": outcome.current.value if outcome.current else None,
        "difference": difference.value if difference else None,
        "se": difference.se if difference else None,
        "ci_low": interval[0] if interval else None,
        "ci_high": interval[1] if interval else None,
        "margin": outcome.margin,
        "p": outcome.p,
        "detectable": outcome.detectable,
        "needs_n": outcome.needs_n,
    }
    return {name: value for name, value in found.items() if value is not None}


def _clean(text: str) -> str:
    """One line of characters that XML 1.0 has; its own signs are escaped by the writer."""
    return NO_XML.sub("�", one_line(text))
