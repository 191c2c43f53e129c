"""Every format of a check says the same, and no name from outside does harm in any of them."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from genbench.comparison.difference import Difference
from genbench.evaluation.result import Extractor, Images, MetricResult, Result, Timing
from genbench.gate.formats import FORMATS, render
from genbench.gate.formats.document import document
from genbench.gate.formats.github import SUMMARY_BYTES, annotate, append_summary, at_most, command, summarise
from genbench.gate.formats.junit import as_junit, write_junit
from genbench.gate.formats.text import as_text
from genbench.gate.policy import Gate
from genbench.gate.verdict import Check, Outcome, Verdict

TINY = {"extractor": "tiny", "version": 1, "weights_sha256": "a" * 64, "preprocess": "as_is", "precision": "fp32"}
HOSTILE = [
    "<img src=x onerror=alert(1)>.png",
    '"|pipe',
    "</script>",
    "=cmd",
    "%0A::error",
    "two\nlines",
    "a\r::error title=x::y",
    "\x1b[31mred",
    "::set-output name=a::b",
    "##[add-mask]e",
    "[x](javascript:alert(1))",
    "\u202egnp.exe",
    "\ufffe\ud800 no XML",
    "@everyone `code` | **bold**",
]


def metric(name: str, value: float | None, better: str = "lower", se: float = 0.02) -> MetricResult:
    return MetricResult(
        name=name,
        value=value,
        se=se,
        ci=None if value is None else (value - 2 * se, value + 2 * se),
        level=0.95,
        method="influence",
        n=599,
        n_real=1198,
        better=better,  # type: ignore[arg-type]
        protocol=f"{name}@tiny/1",
        layer=None,
        extractor=Extractor(**TINY),
        reason=None if value is not None else "not a number",
    )


def result(name: str = "samples") -> Result:
    timing = Timing(wall_s=1, cpu_s=1, extract_s=1, metrics_s=0, images_extracted=0)
    subject = Images(name=name, kind="folder", digest="sha256:ab", n=599, listed=599)
    return Result(created="2026-10-02T12:00:00Z", subject=subject, reference=None, metrics=[], env={}, timing=timing)


def outcome(
    name: str, verdict: Verdict, base: float | None, current: float | None, *, better: str = "lower", **rest: Any
) -> Outcome:
    severity = rest.pop("severity", "error")
    one, other = (metric(name, value, better) for value in (base, current))
    found = None
    if base is not None and current is not None:
        change = current - base
        worsening = change if better == "lower" else -change
        found = Difference(
            name=name,
            protocol=one.protocol,
            better=one.better,
            base=one,
            current=other,
            value=change,
            worsening=worsening,
            se=0.0312,
        )
    filled = {"reason": f"{name} is {verdict}", "margin": 0.15, "p": 0.002, "detectable": 0.098} | rest
    gate = Gate(metric=name, max_increase=0.15, severity=severity)
    return Outcome(gate=gate, name=name, verdict=verdict, base=one, current=other, difference=found, **filled)


def check(*outcomes: Outcome, name: str = "tiny-ddpm", **rest: Any) -> Check:
    return Check(name=name, baseline=result("before"), current=result(), outcomes=outcomes, alpha=0.01, **rest)


EXAMPLE = check(
    outcome("fd", "inconclusive", 5.12, 5.31, needs_n=16_000),
    outcome("kd", "regressed", 1.0, 1.5),
    outcome("precision", "ok", 0.681, 0.68, better="higher"),
    hurt={"fd": [("a.png", 0.9)], "kd": [("0012.png", 3.5), ("0007.png", 2.0)]},
)


def hostile(name: str) -> Check:
    """A check in which everything that comes from outside is `name`: the check, its metric, its images, its sentences."""
    kinds: list[Verdict] = ["regressed", "incomparable"]
    measured = name.encode("utf-8", "replace").decode()  # documents hold no half characters; names of files may
    outcomes = [outcome(measured, kind, 1.0, 2.0, reason=f"{name} against {name}") for kind in kinds]
    return check(*outcomes, name=name, hurt={measured: [(name, 1.0)]}, notes=(name,))


def test_text_says_it_in_a_dozen_lines() -> None:
    lines = as_text(EXAMPLE, against="genbench-baseline.json, a1b2c3d").splitlines()
    assert len(lines) <= 13
    assert "fd@tiny/1, kd@tiny/1" in lines[0]
    assert "baseline genbench-baseline.json, a1b2c3d, 2026-10-02" in lines[0]
    fd = next(line for line in lines if line.startswith("fd ↓"))
    assert re.split(r"\s{2,}", fd)[1:] == [
        "5.120",
        "5.310",
        "+0.190 [+0.129, +0.251]",
        "0.15",
        "inconclusive (decided by about 16,000 images)",
    ]
    assert next(line for line in lines if line.startswith("kd ↓")).endswith("REGRESSED")
    assert next(line for line in lines if line.startswith("precision ↑")).endswith("ok")
    assert "smallest worsening found with 80 % power, n = 599: fd 0.098, kd 0.098, precision 0.098" in lines
    assert "images that hurt kd most: 0012.png, 0007.png" in lines
    assert lines[-1] == "1 regressed, 1 inconclusive, 1 ok → exit 1   to accept: genbench check … --update-baseline"


def test_columns_stand_below_each_other() -> None:
    lines = as_text(EXAMPLE).splitlines()
    table = [lines[1], *lines[3:6]]
    ends = {line.index(cell) + len(cell) for line, cell in zip(table, ["margin", *["0.15"] * 3], strict=True)}
    assert len(ends) == 1


def test_the_exit_status_is_the_same_everywhere() -> None:
    undecided = check(outcome("fd", "inconclusive", 5.12, 5.31))
    for strict, status in ((False, 0), (True, 4)):
        assert f"exit {status}" in render(undecided, "text", strict=strict)
        assert f"exit {status}" in render(undecided, "markdown", strict=strict)
        assert json.loads(render(undecided, "json", strict=strict))["exit"] == status


def test_a_check_without_anything_renders() -> None:
    empty = Check(name="x", baseline=None, current=EXAMPLE.current, outcomes=(), alpha=0.01)
    for format in FORMATS:
        render(empty, format)
    as_junit(empty)
    assert "no baseline" in as_text(empty)


def test_a_value_that_is_none_is_shown_as_none() -> None:
    broken = check(outcome("fd", "invalid", 5.0, None, reason="fd has no value: not a number"))
    assert "fd has no value: not a number" in as_text(broken)
    assert "nan" not in as_text(broken).replace("n = ", "")
    assert ET.fromstring(as_junit(broken).encode()).get("errors") == "1"


def test_json_has_no_nan() -> None:
    odd = check(outcome("fd", "ok", 1.0, 1.1, p=math.nan, detectable=math.inf), hurt={"fd": [("a", math.nan)]})
    gate = document(odd)["gates"][0]
    assert (gate["p"], gate["detectable"]) == (None, None)
    assert json.loads(render(odd, "json"))["hurt"] == {"fd": [{"image": "a", "pull": None}]}
    assert "NaN" not in render(odd, "json")


def test_json_holds_every_number() -> None:
    read = json.loads(render(EXAMPLE, "json"))
    assert read["schema"] == "genbench.check/1"
    assert (read["exit"], read["alpha"], read["current"]["subject"]["n"]) == (1, 0.01, 599)
    gate = read["gates"][0]
    assert gate["difference"]["value"] == pytest.approx(0.19)
    assert gate["difference"]["ci"] == pytest.approx([0.12885, 0.25115], abs=1e-4)
    assert gate["gate"] == {"metric": "fd", "max_increase": 0.15, "severity": "error"}
    assert (gate["needs_n"], gate["baseline"]["value"]) == (16_000, 5.12)


def test_markdown_is_a_table() -> None:
    lines = [line for line in render(EXAMPLE, "markdown").splitlines() if line.startswith("|")]
    assert len(lines) == 5
    assert {line.count("|") for line in lines} == {7}
    assert "❌" in render(EXAMPLE, "markdown")
    assert "baseline old.json, " in render(EXAMPLE, "markdown", against="old.json")
    assert "✅" in render(check(outcome("fd", "ok", 1.0, 1.0)), "markdown")


def test_junit_has_a_case_per_gate() -> None:
    suite = ET.fromstring(as_junit(EXAMPLE).encode())
    assert [suite.get(key) for key in ("tests", "failures", "errors", "skipped")] == ["3", "1", "0", "1"]
    fd, kd, precision = suite.findall("testsuite/testcase")
    assert fd.find("skipped") is not None
    failure = kd.find("failure")
    assert failure is not None
    assert failure.get("message") == "kd is regressed"
    assert "difference [95 % CI]: +0.500 [+0.439, +0.561]" in (failure.text or "")
    assert [precision.find(kind) for kind in ("failure", "error", "skipped")] == [None] * 3
    properties = {item.get("name"): item.get("value") for item in kd.iter("property")}
    assert (properties["difference"], properties["margin"], properties["verdict"]) == ("0.5", "0.15", "regressed")


@pytest.mark.parametrize(
    ("verdict", "strict", "severity", "expected"),
    [
        ("regressed", False, "error", "failure"),
        ("regressed", False, "warning", "system-out"),
        ("inconclusive", False, "error", "skipped"),
        ("inconclusive", True, "error", "failure"),
        ("missing", False, "error", "error"),
        ("incomparable", False, "error", "error"),
        ("invalid", False, "error", "error"),
        ("improved", True, "error", "system-out"),
    ],
)
def test_junit_of_each_verdict(verdict: Verdict, strict: bool, severity: str, expected: str) -> None:
    one = check(outcome("fd", verdict, 1.0, 2.0, severity=severity))
    case = ET.fromstring(as_junit(one, strict=strict).encode()).find("testsuite/testcase")
    assert case is not None
    assert {child.tag for child in case} == {"properties", expected}


def test_warnings_never_look_like_failures() -> None:
    warned = check(outcome("fd", "regressed", 1.0, 2.0, severity="warning"))
    assert "regressed (warning)" in as_text(warned)
    assert render(warned, "github").startswith("::warning ")
    assert "to accept" not in as_text(warned)


def test_accepting_is_offered_only_where_it_helps() -> None:
    limit = replace(outcome("fd", "regressed", 1.0, 2.0), gate=Gate(metric="fd", max=1.5, test="none"))
    assert "to accept" not in as_text(check(limit))
    assert "to accept" not in as_text(check(outcome("fd", "invalid", 1.0, None), outcome("kd", "regressed", 1.0, 2.0)))
    assert "to accept" in as_text(check(limit, outcome("kd", "regressed", 1.0, 2.0)))


def test_images_that_pull_alike_are_not_called_the_worst() -> None:
    tied = check(outcome("recall", "regressed", 0.9, 0.5), hurt={"recall": [(f"{k}.png", 0.01) for k in range(12)]})
    assert "images that hurt recall all alike, such as: 0.png, 1.png, 2.png" in as_text(tied).splitlines()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_in_text(name: str) -> None:
    text = as_text(hostile(name))
    assert all(character == "\n" or character.isprintable() for character in text.replace("\ufffe", ""))
    assert len(text.splitlines()) == len(as_text(hostile("plain")).splitlines())
    assert "##[" not in text
    assert not [line for line in text.splitlines() if line.lstrip().startswith("::")]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_in_json(name: str) -> None:
    text = render(hostile(name), "json")
    assert text.isascii()
    assert next(iter(json.loads(text)["hurt"].values()))[0]["image"] == name
    assert "\x1b" not in text


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_in_markdown(name: str) -> None:
    text = render(hostile(name), "markdown")
    assert not re.search(r"(?<!\\)(<|`|\]\()", text)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {7}
    assert len(text.splitlines()) == len(render(hostile("plain"), "markdown").splitlines())
    assert "\x1b" not in text


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_in_junit(name: str, tmp_path: Path) -> None:
    write_junit(hostile(name), tmp_path / "junit.xml")
    root = ET.parse(tmp_path / "junit.xml").getroot()
    assert {element.tag for element in root.iter()} <= {
        "testsuites",
        "testsuite",
        "testcase",
        "properties",
        "property",
        "failure",
        "error",
    }
    for value in [value for element in root.iter() for value in (*element.attrib.values(), element.text or "")]:
        assert all(character == "\n" or ord(character) >= 32 for character in value)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_in_annotations(name: str) -> None:
    lines = render(hostile(name), "github").split("\n")
    assert len(lines) == 2
    for line in lines:
        assert re.fullmatch(r"::error title=([^:,\r\n]|%3A|%2C)*::[^\r\n]*", line)
        assert "%0A" not in line.replace("%250A", "")


def test_percent_signs_come_back_as_they_were() -> None:
    assert command("error", "50%: a, b", "50% worse: %0A::error") == "::error title=50%25%3A a%2C b::50%25 worse: %250A::error"


def test_at_most_ten_annotations_of_a_type() -> None:
    many = check(
        *(outcome(f"m{k}", "regressed", 1.0, 2.0) for k in range(25)),
        *(outcome(f"w{k}", "inconclusive", 1.0, 2.0) for k in range(11)),
    )
    lines = render(many, "github").splitlines()
    assert [line.split()[0] for line in lines] == ["::error"] * 10 + ["::warning"] * 10
    assert "16 more gates" in lines[9]
    assert "2 more gates" in lines[19]
    assert at_most(lines) == lines


def test_github_gets_annotations_and_a_summary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    annotate(EXAMPLE)
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("::error "), printed.err.count("::warning ")) == ("", 1, 1)
    summarise(render(EXAMPLE, "markdown"))
    assert summary.read_text().startswith("before\n### ❌ genbench check tiny-ddpm")


def test_the_summary_keeps_below_the_limit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = tmp_path / "summary.md"
    for _ in range(4):
        append_summary(summary, "äöü and a line\n" * 30_000)
    assert summary.stat().st_size <= SUMMARY_BYTES
    assert summary.read_text().rstrip().endswith("does not fit into the summary of a step.*")
    append_summary(tmp_path, "a folder")
    assert "W-SUMMARY" in capsys.readouterr().err


def test_formats_load_nothing_heavy() -> None:
    code = (
        "import sys, genbench.gate.formats;"
        "print(sorted({'torch', 'pandas', 'matplotlib', 'scipy', 'junitparser', 'PIL'} & set(sys.modules)))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
