"""Results for tests of checks, made from numbers instead of images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from genbench.estimate import Estimate, Influence, mean_estimate, normal_interval
from genbench.evaluation.result import Extractor, Images, MetricResult, Reference, Result, Timing
from genbench.metrics import fid
from genbench.metrics.base import FeatureSet

TINY = Extractor(extractor="tiny", version=1, weights_sha256="0" * 64, preprocess="none", precision="fp32")
NAMES = {"fd": "fd@tiny/1", "kd": "kd@tiny/1", "precision": "prdc@tiny:k5/1", "recall": "prdc@tiny:k5/1"}


def result_of(
    estimates: Mapping[str, Estimate],
    *,
    names: Sequence[str] = (),
    digest: str = "sha256:r",
    protocols: Mapping[str, str] = NAMES,
) -> Result:
    """As `genbench.evaluate` makes of images. A name without a protocol is a metric of the images themselves."""
    made = [
        MetricResult.of(
            name,
            one,
            protocol=protocols.get(name, f"{name}/1"),
            layer="pool" if name in protocols else None,
            extractor=TINY if name in protocols else None,
        )
        for name, one in estimates.items()
    ]
    n = max((one.n for one in estimates.values()), default=0)
    result = Result(
        created="2026-11-21T00:00:00+00:00",
        subject=Images(name="images", kind="folder", n=n, listed=n),
        reference=Reference(name="digits/train", kind="dataset", digest=digest, n=1198, made="images"),
        metrics=made,
        env={},
        timing=Timing(wall_s=1, cpu_s=2, extract_s=3, metrics_s=4, images_extracted=5),
    )
    influence = {
        metric.key: one.influence for metric, one in zip(made, estimates.values(), strict=True) if one.influence is not None
    }
    return result.with_influence(influence, names)


def fixed(
    value: float | None, se: float | None = 0.1, *, better: str = "lower", n: int = 1000, method: str = "influence"
) -> Estimate:
    """An estimate without influence."""
    ci = None if value is None or se is None else normal_interval(value, se)
    reason = "because" if value is None or se is None else None
    return Estimate(value=value, se=se, ci=ci, n=n, n_real=1198, better=better, method=method, reason=reason)  # type: ignore[arg-type]


def even(estimate: Estimate) -> Estimate:
    """With influences of as much noise as its error, half of them to either side, so that the error stays as it worsens."""
    half = (estimate.se or 0.0) * math.sqrt(estimate.n - 1)
    return replace(estimate, influence=Influence(fake=half * torch.tensor([1.0, -1.0]).repeat(estimate.n // 2)))


def values(mean: float, *, seed: int, n: int = 400) -> Estimate:
    """The mean of n draws with a spread of 1, higher is better."""
    chance = torch.Generator().manual_seed(seed)
    return mean_estimate(mean + torch.randn(n, generator=chance, dtype=torch.float64), better="higher")


def frechet(real: torch.Tensor, fake: torch.Tensor) -> Estimate:
    return fid.compute(real=FeatureSet(features=real), fake=FeatureSet(features=fake))["fd"]
