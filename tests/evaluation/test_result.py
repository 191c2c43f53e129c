"""The document of a result: what it may be asked by, where it may be read from, and what it refuses to say."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from genbench.bench.record import Measurement, Quality, Record
from genbench.errors import DataError
from genbench.estimate import Influence
from genbench.evaluation.result import MAX_BYTES, Extractor, Images, MetricResult, Result, Timing, schema_of

TINY = Extractor(extractor="tiny", version=1, weights_sha256="a" * 64, preprocess="as_is", precision="fp32")


def metric(name: str = "fd", value: float = 1.0, **changes: Any) -> MetricResult:
    fields: dict[str, Any] = {
        "se": 0.1,
        "ci": (value - 0.2, value + 0.2),
        "level": 0.95,
        "method": "influence",
        "n": 3,
        "n_real": 500,
        "better": "lower",
        "protocol": f"{name}@tiny/1",
        "layer": "pool",
        "extractor": TINY,
    }
    return MetricResult(name=name, value=value, **{**fields, **changes})


def result(*metrics: MetricResult, name: str = "samples") -> Result:
    timing = Timing(wall_s=0, cpu_s=0, extract_s=0, metrics_s=0, images_extracted=0)
    subject = Images(name=name, kind="array")
    made = Result(created="", subject=subject, reference=None, metrics=list(metrics or [metric()]), env={}, timing=timing)
    return made.with_influence({one.key: Influence(fake=[0.1, 0.0, -0.1]) for one in made.metrics})  # type: ignore[arg-type]


def saved_run(folder: Path, final: Quality | None, **changes: Any) -> Path:
    """The folder of a run, as `genbench run` leaves it."""
    folder.mkdir(parents=True)
    Record(label="VAE", family="vae", task="unconditional", config={}, final=final, **changes).save(folder)
    return folder


def test_every_name_of_a_metric_finds_it() -> None:
    found = result(metric("fd"), metric("precision", protocol="prdc@tiny:k5/1", better="higher"))
    one = found.metrics[1]
    assert one.key == "prdc@tiny:k5/1 precision"
    assert {"precision", "precision@tiny", "precision@tiny:k5", "prdc@tiny:k5/1", one.key} == set(one.names)
    assert all(found[name] is one for name in one.names)
    assert list(found.by_protocol) == [one.key for one in found.metrics]


# -- documents of runs -----------------------------------------------------------------------------------------------------


def test_of_a_run_its_evaluation_is_read(tmp_path: Path) -> None:
    folder = saved_run(tmp_path / "run", Quality(evaluation=result()))
    for path in (folder, folder / "result.json", str(folder)):
        found = Result.load(path)
        assert found.to_json() == result().to_json()
        assert found.label == "VAE"
        assert set(found.influence) == {"fd@tiny/1 fd"}
    assert Result.load(result().save(tmp_path / "plain")).label == "samples"


def test_a_document_of_another_name_is_read_itself(tmp_path: Path) -> None:
    """Neither the document nor the influence of a neighbour is taken for its own."""
    folder = saved_run(tmp_path / "run", Quality(evaluation=result(metric(value=1.0))))
    other = saved_run(tmp_path / "other", Quality(evaluation=result(metric(value=9.0))))
    (folder / "bad.json").write_bytes((other / "result.json").read_bytes())
    found = Result.load(folder / "bad.json")
    assert float(found["fd"]) == 9.0
    assert dict(found.influence) == {}
    record = Record.load(folder / "bad.json")
    assert record.final is not None
    assert record.final.evaluation is not None
    assert float(record.final.evaluation["fd"]) == 9.0
    assert dict(record.final.evaluation.influence) == {}


@pytest.mark.parametrize(
    ("final", "error", "said"),
    [
        (None, "loss became NaN\nTraceback", "has no evaluation: loss became NaN"),
        (Quality(points={"w2": Measurement(value=1, n=10, better="lower")}), None, "measured on points"),
    ],
)
def test_a_run_without_an_evaluation_says_why(final: Quality | None, error: str | None, said: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        Result.load(saved_run(tmp_path / "run", final, error=error))
    assert (caught.value.code, "\n" in caught.value.message) == ("E-NO-RESULT", False)
    assert said in caught.value.message


# -- what no result says ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"level": 1e-300}, "level"),
        ({"level": 1 - 1e-16}, "level"),
        ({"se": -0.1}, "se"),
        ({"se": 1e200}, "se"),
        ({"value": 1e200}, "value"),
        ({"value": -1e200}, "value"),
        ({"ci": (-1e308, 1e308)}, "ci"),
        ({"n": -1}, "n"),
        ({"n": 10**400}, "n"),
        ({"n_real": -1}, "n_real"),
        ({"extractor": None}, "which network"),
    ],
)
def test_bounds(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    document = json.loads(result().to_json())
    document["metrics"][0] |= changes
    (tmp_path / "result.json").write_text(json.dumps(document))
    with pytest.raises(DataError, match=f"no genbench.result/1: metrics.0.*{said}"):
        Result.load(tmp_path)


def test_a_file_that_is_too_large_is_told_the_limit_and_the_remedy(tmp_path: Path) -> None:
    path = result().save(tmp_path)
    os.truncate(path, MAX_BYTES + 1)
    with pytest.raises(DataError, match=r"has 67,108,865 bytes, and a genbench.result/1 has at most 67,108,864") as caught:
        Result.load(path)
    assert "genbench evaluate" in caught.value.hint


def test_a_table_of_pandas_has_a_row_per_metric() -> None:
    table = result(metric(value=2.0), metric("kd", value=3.0)).to_pandas()
    assert list(table["name"]) == ["fd", "kd"]
    assert list(table["value"]) == [2.0, 3.0]
    assert {"se", "ci", "n", "protocol"} <= set(table.columns)


def test_one_key_is_one_metric() -> None:
    with pytest.raises(ValidationError, match="two metrics are called fd@tiny/1 fd"):
        result(metric(value=100.0), metric(value=1.0))
    assert len(result(metric(), metric(protocol="fd@tiny:other/1")).by_protocol) == 2


@pytest.mark.parametrize(
    "text", ["", "[", '{"schema": 3}', "[]", "[" * 100_000, '{"a":' * 5000 + "1" + "}" * 5000, '{"n": 1' + "0" * 5000 + "}"]
)
def test_documents_that_are_none(text: str, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(text)
    assert schema_of(path) == ""
    with pytest.raises(DataError) as caught:
        Result.load(path)
    assert caught.value.code == "E-RESULT"
    with pytest.raises(DataError):
        Record.load(path)
