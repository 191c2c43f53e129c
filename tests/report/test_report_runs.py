"""The page of a run: its samples drawn again, between floor and ceiling, with its training and its diagnostics."""

from __future__ import annotations

import json
import math
import tomllib
from pathlib import Path
from typing import Any

import pytest

from genbench import catalog
from genbench.bench.jobs import plan
from genbench.bench.record import Record, Value
from genbench.bench.suite import load_suite
from genbench.errors import DataError, UsageError
from genbench.estimate import Better
from genbench.evaluation.evaluate import evaluate
from genbench.report import provenance, training
from genbench.report.source import open_source


def the_run(digit_runs: Path) -> Path:
    return next(path.parent for path in sorted(digit_runs.rglob("model.json")) if path.parent.name == "seed0")


def test_a_run_is_shown_with_the_samples_that_were_measured(digit_runs: Path, page_of: Any) -> None:
    folder = the_run(digit_runs)
    record = Record.load(folder)
    assert record.final is not None
    text, left_out = page_of(folder)
    assert "pictures" not in left_out
    assert text.count("generated image image ") > 64
    assert "VAE &lt;/title&gt;&lt;script&gt;" in text
    for value in record.final.evaluation.metrics:  # type: ignore[union-attr]
        assert str(value) in text
    assert "held-out data, the ceiling" in text
    assert "untrained, the floor" in text
    assert "validation: fd@tiny ↓" in text
    assert "features of <code>tiny</code>" in text
    assert "`" not in text[text.index('id="diagnostics"') : text.index('id="data"')]
    assert all(name in text for name, value in record.diagnostics.items())


def test_the_held_out_data_have_a_page_too(digit_runs: Path, page_of: Any) -> None:
    text, left_out = page_of(digit_runs / "held-out")
    assert "generated image" in text
    assert "pictures" not in left_out


def test_the_suite_on_the_page_is_the_suite_of_the_run(digit_runs: Path, tmp_path: Path) -> None:
    record = Record.load(the_run(digit_runs))
    text = provenance.suite_toml(record.label, record.config)
    tomllib.loads(text)
    (tmp_path / "suite.toml").write_text(text)
    (job,) = plan(load_suite(tmp_path / "suite.toml"), "suite", tmp_path)
    assert json.loads(json.dumps(job.config())) == record.config
    assert job.entry.label == record.label


@pytest.mark.parametrize("odd", [-1, "x", [1], None])
def test_an_odd_config_still_has_a_page(digit_runs: Path, tmp_path: Path, page_of: Any, odd: Any) -> None:
    document = json.loads((the_run(digit_runs) / "result.json").read_text())
    document["config"] = dict.fromkeys(document["config"], odd)
    (tmp_path / "result.json").write_text(json.dumps(document))
    assert "Between floor and ceiling" in page_of(tmp_path, pictures=False)[0]


def test_training_curves_are_those_of_the_log(tmp_path: Path) -> None:
    lines = [
        {"stage": "main", "step": i, "steps": i, "images": i, "loss": 1.0 / i, "kl": math.nan if i == 3 else i}
        for i in range(1, 6)
    ]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = training.training(tmp_path)
    assert found is not None
    assert len(found.figures) == 2
    assert "From 1 at the start to 0.2 after 5 steps" in found.figures[0]
    assert training.training(tmp_path / "nowhere") is None


@pytest.mark.parametrize(("better", "name"), [("lower", "m"), ("higher", "−m"), ("zero", "|m|")])
def test_the_validation_is_called_by_its_metric(tmp_path: Path, better: Better, name: str) -> None:
    (tmp_path / "log.jsonl").write_text("".join(json.dumps({"steps": i, "validation": 1.0 / i}) + "\n" for i in (1, 2)))
    found = training.training(tmp_path, {"m": Value(1.0, 0.1, better), "other": Value(1.0, 0.1, "lower")})
    assert found is not None
    assert f"validation: {name} ↓" in found.figures[0]


@pytest.mark.parametrize(
    ("kind", "unit", "shown"),
    [
        ("lower bound", "bits/dim", "≤ 2.610 ± 0.030 bound (bits/dim; lower is better; 20 test images"),
        ("lower bound", "nats", "≥ 2.610 ± 0.030 bound (log density; higher is better; 20 test images"),
        ("exact", "bits/dim", "test images: 2.610 ± 0.030 exact (bits/dim"),
        ("<b>odd", "bits/dim", "&lt;b&gt;odd (bits/dim"),
    ],
)
def test_a_bound_of_the_likelihood_says_which_way(
    digit_runs: Path, tmp_path: Path, page_of: Any, kind: str, unit: str, shown: str
) -> None:
    document = json.loads((the_run(digit_runs) / "result.json").read_text())
    measured = {"value": 2.61, "se": 0.03, "n": 20, "better": "lower" if unit == "bits/dim" else "higher"}
    document["likelihood"] = {"kind": kind, "unit": unit, "measured": measured}
    (tmp_path / "result.json").write_text(json.dumps(document))
    assert shown in page_of(tmp_path, pictures=False)[0]


def test_unusual_diagnostics_come_first_with_advice() -> None:
    readings = {
        name: reading
        for entry in catalog.names("diagnostics")
        for name, reading in catalog.find("diagnostics", entry).reports.items()
    }
    name, reading = next(
        (name, reading) for name, reading in readings.items() if reading.usual[1] is not None and reading.advice
    )
    other = next(key for key, value in readings.items() if value.usual == (None, None))
    found = training.findings({other: 1.0, "unheard_of": 2.0, "lost": None, name: reading.usual[1] + 1})
    assert [finding.name for finding in found] == [name, other, "unheard_of"]
    assert found[0].unusual
    assert found[0].advice
    assert not found[1].advice


def test_what_is_no_result_is_said(tmp_path: Path, digit_runs: Path, page_of: Any) -> None:
    with pytest.raises(DataError, match="no such file"):
        open_source(tmp_path / "nowhere")
    with pytest.raises(DataError, match="holds no result"):
        open_source(tmp_path)
    with pytest.raises(UsageError, match="2 results"):
        open_source(digit_runs)
    with pytest.raises(UsageError, match="--images and --ref are for results"):
        page_of(the_run(digit_runs), images="digits")
    with pytest.raises(UsageError, match="--data is for runs"):
        page_of(evaluate("digits/test", ref="digits", metrics="fd@tiny", device="cpu"), data="digits")
