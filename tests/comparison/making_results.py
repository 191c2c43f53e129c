"""Results made by hand, for tests of comparisons: estimates go in, a `Result` comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from genbench.estimate import Estimate, mean_estimate
from genbench.evaluation.result import Extractor, Images, MetricResult, Reference, Result, Timing
from genbench.metrics import fid, kid, prdc
from genbench.metrics.base import FeatureSet

EXTRACTOR = {"extractor": "tiny", "version": 1, "weights_sha256": "a" * 64, "preprocess": "as_is", "precision": "fp32"}
REFERENCE = Reference(name="digits/train", kind="set", digest="sha256:" + "1" * 64, n=500, made="images")


def result_of(
    estimates: Mapping[str, Estimate],
    *,
    names: Sequence[str] = (),
    reference: Reference | None = REFERENCE,
    subject: str = "samples",
    **changes: Any,
) -> Result:
    """`changes` are fields of the result; "protocol", "extractor", "notes" and "comparable" are fields of its metrics."""
    extractor = Extractor(**{**EXTRACTOR, **changes.pop("extractor", {})})
    of_metrics = {key: changes.pop(key) for key in ("notes", "comparable") if key in changes}
    version = changes.pop("version", 1)
    metrics = [
        MetricResult.of(name, one, protocol=f"{name}@tiny/{version}", layer="pool", extractor=extractor, **of_metrics)
        for name, one in estimates.items()
    ]
    timing = Timing(wall_s=0, cpu_s=0, extract_s=0, metrics_s=0, images_extracted=0)
    fields = {"created": "", "subject": Images(name=subject, kind="array"), "reference": reference, "env": {}, "timing": timing}
    result = Result(metrics=metrics, **{**fields, **changes})
    influence = {f"{name}@tiny/{version} {name}": one.influence for name, one in estimates.items() if one.influence}
    return result.with_influence(influence, names)


def key_of(name: str) -> str:
    return f"{name}@tiny/1 {name}"


def numbered(n: int) -> list[str]:
    return [f"{number:04d}.png" for number in range(n)]


def scored(values: Tensor, *, clusters: Tensor | None = None, **rest: Any) -> Result:
    """A result of a mean over the images, "score", higher is better."""
    return result_of({"score": mean_estimate(values, better="higher", clusters=clusters)}, **{"reference": None, **rest})


def measured(real: Tensor, fake: Tensor, **rest: Any) -> Result:
    """Fréchet and kernel distance, and precision to coverage."""
    estimates = fid.compute(real=FeatureSet(features=real), fake=FeatureSet(features=fake))
    return result_of({**estimates, **kid.compute(real=real, fake=fake), **prdc.compute(real=real, fake=fake)}, **rest)


def random(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def gaussian(n: int, generator: torch.Generator, *, shift: float = 0.0, scale: float = 1.0) -> Tensor:
    """Features (n, 8)."""
    return shift + scale * torch.randn(n, 8, generator=generator)
