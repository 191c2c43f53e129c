"""Documents by what they say of themselves: a run, a result, or neither."""

from __future__ import annotations

from pathlib import Path

import pytest

from genbench.bench.record import Record, opened, records_below
from genbench.errors import DataError
from genbench.evaluation.result import Images, Result, Timing


def result() -> Result:
    timing = Timing(wall_s=0, cpu_s=0, extract_s=0, metrics_s=0, images_extracted=0)
    return Result(created="", subject=Images(name="a", kind="array"), reference=None, metrics=[], env={}, timing=timing)


def record(label: str) -> Record:
    return Record(label=label, family="vae", task="unconditional", config={})


def test_a_document_is_opened_by_its_schema(tmp_path: Path) -> None:
    record("A").save(tmp_path)
    (tmp_path / "b.json").write_text(record("B").model_dump_json(by_alias=True, indent=4))
    (tmp_path / "c.json").write_text(result().to_json())
    (tmp_path / "d.json").write_text('{"schema": "genbench.vote/1"}')
    kinds = {name: opened(tmp_path / name) for name in ("result.json", "b.json", "c.json", "d.json", "none.json")}
    assert isinstance(kinds["result.json"], Record)
    assert isinstance(kinds["b.json"], Record)
    assert (kinds["result.json"].label, kinds["b.json"].label) == ("A", "B")
    assert isinstance(kinds["c.json"], Result)
    assert kinds["d.json"] is kinds["none.json"] is None
    folder = opened(tmp_path)
    assert isinstance(folder, Record)
    assert folder.label == "A"


def test_a_run_is_known_wherever_its_schema_stands(tmp_path: Path) -> None:
    """Not by its first bytes: JSON has no order."""
    text = record("A").model_dump_json(by_alias=True, exclude={"schema_"}).removesuffix("}")
    (tmp_path / "result.json").write_text(text + " " * 300 + ',"schema": "genbench.run/1"}')
    assert [one.label for one in records_below(tmp_path)] == ["A"]


def test_a_damaged_record_says_where(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"schema": "genbench.run/1", "label": 3}')
    with pytest.raises(DataError, match=r"run.json is no genbench.run/1: label: Input should be a valid string"):
        opened(tmp_path / "run.json")
