"""Run folders with planted values: what a leaderboard makes of them is known without training anything."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genbench.bench.record import Cost, Quality, Record
from genbench.estimate import Influence, normal_interval
from genbench.evaluation.result import Extractor, MetricResult, Reference, Result

REFERENCE = "sha256:" + "ab" * 32
TINY = {"extractor": "tiny", "version": 1, "precision": "fp32", "preprocess": "bilinear-antialias-32,x/127.5-1"}

MakeResult = Callable[..., Result]
MakeRun = Callable[..., Path]


@pytest.fixture(scope="session")
def make_result() -> MakeResult:
    """make_result({"fd": 2.0, "precision": 0.7}, se=0.1, n=500, seed=0) -> a result with influence that makes these errors."""

    def make(
        values: dict[str, float],
        *,
        se: float = 0.1,
        n: int = 500,
        seed: int = 0,
        shared: float = 0.0,
        reference: str = REFERENCE,
        name: str = "samples",
        comparable: bool = True,
        **changes: Any,
    ) -> Result:
        metrics, influence = [], {}
        for metric, value in values.items():
            own = _pulls(np.random.default_rng((seed, 1)), n, (se**2 - shared**2) ** 0.5)
            real = _pulls(np.random.default_rng(99), 400, shared)  # the same images for everybody
            influence[f"{metric}@tiny/1 {metric}"] = Influence(fake=own, real=real)
            metrics.append(
                MetricResult(
                    name=metric,
                    value=value,
                    se=se,
                    ci=normal_interval(value, se),
                    level=0.95,
                    method="influence",
                    n=n,
                    n_real=400,
                    better="higher" if metric == "precision" else "lower",
                    protocol=changes.get("protocol", f"{metric}@tiny/1"),
                    layer="pool",
                    extractor=Extractor(**(TINY | {"weights_sha256": changes.get("weights", "d5164d9361d6" + "0" * 52)})),
                    comparable=comparable,
                    notes=[] if comparable else ["too few images"],
                )
            )
        document = {
            "created": f"2026-11-{1 + seed:02d}T00:00:00+00:00",
            "subject": {"name": name, "kind": "array", "n": n, "listed": n, "digest": f"sha256:{seed:064x}"},
            "reference": Reference(name="photos", kind="folder", made="images", digest=reference, n=400, listed=400),
            "metrics": metrics,
            "env": {"device": "cpu", "cpu": "a processor"},
            "timing": {"wall_s": 1, "cpu_s": 1, "extract_s": 1, "metrics_s": 0, "images_extracted": n},
        }
        return Result.model_validate(document).with_influence(influence, [f"{i:04d}.png" for i in range(n)])

    return make


def _pulls(rng: np.random.Generator, n: int, se: float) -> np.ndarray:
    """(n,) numbers of mean 0 whose mean has the standard error `se`, exactly."""
    drawn = rng.normal(size=n)
    drawn -= drawn.mean()
    return drawn / drawn.std(ddof=1) * se * n**0.5


@pytest.fixture(scope="session")
def make_run(make_result: MakeResult) -> MakeRun:
    """make_run(folder, "VAE", {"fd": 2.0}, seed=0, ms=1.0) -> the folder of a finished run."""

    def make(
        folder: Path,
        label: str,
        values: dict[str, float] | None,
        *,
        seed: int = 0,
        family: str = "vae",
        ms: float = 1.0,
        seconds: float = 10.0,
        config: dict[str, Any] | None = None,
        **rest: Any,
    ) -> Path:
        place = folder / f"{zlib.crc32(label.encode()):08x}" / f"seed{seed}"
        place.mkdir(parents=True)
        result = None if values is None else make_result(values, seed=seed + rest.pop("draw", 0), **rest)
        Record(
            label=label,
            family=family,
            task="unconditional",
            config={"dataset": "photos", "version": 1, "seed": seed} | (config or {}),
            error="RuntimeError: loss is nan\nTraceback" if result is None else None,
            final=None if result is None else Quality(evaluation=result),
            cost=Cost(
                parameters=1000,
                steps=5,
                images=50,
                train_seconds=seconds,
                train_cpu_seconds=seconds,
                peak_memory=0,
                sample_seconds=ms / 1000,
                evaluations=1,
            ),
            environment={"device": "cpu", "cpu": "a processor"},
            made=f"2026-11-{1 + seed:02d}T00:00:00+00:00",
        ).save(place)
        return place

    return make


HOSTILE = '<img src=x onerror=alert(1)>.png "|pipe</script> =cmd\n%0A::error\x1b[31m $x^2_{a} \\input{x}'


@pytest.fixture(scope="session")
def runs(make_run: MakeRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five systems that compare, one on other images, one of fewer, one that failed, and one with a name that attacks."""
    folder = tmp_path_factory.mktemp("board") / "runs"
    make_run(folder, "Best", {"fd": 1.0, "precision": 0.8}, ms=10, seconds=100, draw=10)
    make_run(folder, "Close", {"fd": 1.1, "precision": 0.5}, ms=1, seconds=200, draw=20, family="gan")
    for seed, value in enumerate((2.9, 3.0, 3.1)):
        make_run(folder, "Three seeds", {"fd": value, "precision": 0.6}, seed=seed, ms=5, draw=30, family="flow")
    make_run(folder, HOSTILE, {"fd": 5.0, "precision": 0.4}, draw=40, ms=0.1, family="=cmd|x")
    make_run(folder, "=1+1", {"fd": 6.0}, draw=50, ms=20, family="gan")
    make_run(folder, "real", {"fd": 0.1, "precision": 0.95}, draw=60, family="data")
    make_run(folder, "Fewer", {"fd": 0.5}, n=300, draw=70)
    make_run(folder, "Elsewhere", {"fd": 0.2}, reference="sha256:" + "cd" * 32, draw=80)
    make_run(folder, "Crashed", None)
    return folder


@pytest.fixture
def hostile() -> str:
    return HOSTILE


@pytest.fixture
def rewrite() -> Callable[[Path, Callable[[dict[str, Any]], None]], None]:
    """rewrite(document, change): edit a JSON document on disk."""

    def edit(document: Path, change: Callable[[dict[str, Any]], None]) -> None:
        found = json.loads(document.read_text())
        change(found)
        document.write_text(json.dumps(found))

    return edit
