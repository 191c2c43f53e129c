"""The intervals of diagnostics of sampling: a trimmed mean, a ratio of means, and a ratio of Fréchet distances.

Path lengths are drawn as log-normal numbers; a ratio is of two positive numbers of each walk that go together. For few against
many steps, real features are N(0, I) in 16 dimensions, and the samples of both are 0.6 and 0.75 times the same noise.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from genbench.diagnostics._estimates import ratio_of_means
from genbench.diagnostics.path_length import steady_mean
from genbench.diagnostics.sampler_steps import ratio_of_distances
from genbench.estimate import Estimate, mean_estimate
from genbench.metrics import fid
from genbench.metrics.base import FeatureSet
from interval_studies.harness import Row, gaussian, repeat


def path_length(n: int, repeats: int) -> Iterator[Row]:
    def draw(generator: torch.Generator) -> Estimate:
        lengths = gaussian(n, generator, dim=1, scale=0.5).double().exp().flatten()
        return mean_estimate(steady_mean(lengths), better="lower")

    yield from repeat("path_length", n, repeats, draw)


def path_length_ratio(n: int, repeats: int) -> Iterator[Row]:
    def draw(generator: torch.Generator) -> Estimate:
        shared, own = gaussian(n, generator, dim=2, scale=0.5).double().unbind(1)
        below = shared.exp()
        return ratio_of_means(steady_mean((shared + own).exp()), below, better="lower", nothing="")

    yield from repeat("path_length_ratio", n, repeats, draw)


def few_steps(n: int, repeats: int) -> Iterator[Row]:
    def draw(generator: torch.Generator) -> Estimate:
        real, noise = gaussian(n, generator, dim=16), gaussian(n, generator, dim=16)
        few, many = (
            fid.compute(real=FeatureSet(features=real), fake=FeatureSet(features=scale * noise))["fd"] for scale in (0.6, 0.75)
        )
        return ratio_of_distances(few, many)

    yield from repeat("few_steps_fd", n, repeats, draw)


STUDIES = [path_length, path_length_ratio, few_steps]
