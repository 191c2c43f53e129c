"""What a page is about: the very document that was named, and never its neighbour."""

from __future__ import annotations

from pathlib import Path

import pytest

from genbench.bench.record import Measurement, Quality, Record
from genbench.errors import DataError
from genbench.report.source import open_source
from genbench.report.write import write_report


def record(label: str) -> Record:
    points = {"w2": Measurement(value=0.5, se=0.1, n=10, better="lower")}
    return Record(label=label, family="flow", task="unconditional", config={"seed": 0}, final=Quality(points=points))


def test_a_run_of_another_name_is_not_its_neighbour(tmp_path: Path) -> None:
    for name in ("good", "bad"):
        (tmp_path / name).mkdir()
        record(name).save(tmp_path / name)
    (tmp_path / "bad" / "result.json").rename(tmp_path / "good" / "bad.json")
    own, other = (open_source(tmp_path / "good" / name) for name in ("result.json", "bad.json"))
    assert own.record is not None
    assert other.record is not None
    assert (own.record.label, other.record.label) == ("good", "bad")
    assert (own.folder, other.folder) == (tmp_path / "good", None)
    page = write_report(tmp_path / "good" / "bad.json", tmp_path / "page.html").read_text()
    assert "<title>bad" in page
    assert "without its folder" in page


def test_a_damaged_document_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_text('{"schema": "genbench.result/1"')
    with pytest.raises(DataError, match=r"is no genbench\.result/1"):
        open_source(tmp_path)
