"""The 95 % intervals cover what they promise in 91 to 98.5 % of 400 draws; the benchmark of that name has the table."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
# Rather too wide than too narrow: jackknives of counts, sums over bins, and few images in many dimensions.
WIDE = ("coverage", "vendi", "class_kl", "dead_codes", "ndb", "few_steps_fd", "w1")


@pytest.fixture
def studied(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(FOLDER))
    yield
    for name in [name for name in sys.modules if name.startswith("interval_studies")]:
        del sys.modules[name]


@pytest.mark.slow
@pytest.mark.usefixtures("studied")
@pytest.mark.parametrize(
    "group", sorted(path.stem for path in (FOLDER / "interval_studies").glob("*.py") if path.stem != "harness")
)
def test_coverage_of_intervals(group: str) -> None:
    for study in importlib.import_module(f"interval_studies.{group}").STUDIES:
        rows = list(study(1000, 400))
        assert any(row.promised for row in rows)
        for row in rows:
            if row.promised:
                assert 0.91 <= row.covered <= (1 if row.metric.startswith(WIDE) else 0.985), row
