"""The contract of a metric: mathematics on tensors that returns estimates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from torch import Tensor

from genbench.estimate import Better, Estimate
from genbench.gaussian import Moments
from genbench.gaussian import moments as moments_of


@dataclass(frozen=True, kw_only=True)
class FeatureSet:
    """What is known about one set of images through one extractor.

    features: (N, D) float32 of every image, or of a subsample of a large reference, or None where only moments are known.
    moments: of all images, computed from the features where it is not given.
    """

    features: Tensor | None = None
    moments: Moments | None = None

    @property
    def n(self) -> int | None:
        """Images behind the moments, None where a file of a peer does not say."""
        if self.moments is not None:
            return self.moments.n
        return None if self.features is None else len(self.features)

    @property
    def complete(self) -> bool:
        """Whether the features are those of every image behind the moments."""
        return self.features is not None and self.n == len(self.features)

    @cached_property
    def gaussian(self) -> Moments:
        """The moments, computed once from the features where they are not given.

        They are computed also where fewer images than dimensions are at hand, for the thin factor that comes with it.
        """
        if self.features is not None and (
            self.moments is None or (self.complete and len(self.features) <= len(self.moments.mean))
        ):
            return moments_of(self.features)
        if self.moments is None:
            raise ValueError("a feature set needs features or moments")
        return self.moments


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One file, one metric. `compute` opens no file, loads no network and prints nothing.

    compute: keyword-only. By `takes`:
        "distributions"   compute(real=FeatureSet, fake=FeatureSet, **settings)
        "features"        compute(real=(M, D), fake=(N, D), **settings), where moments alone do not do
        "probabilities"   compute(logits=(N, classes), **settings), no reference
        "points"          compute(fake=(N, 2), modes=(K, 2), sigma=...), points of a known mixture; suites on point sets use it
    and it returns one `Estimate` for each name in `reports`. Chance enters by settings only (a seed).
    reports: name -> which direction is better.
    on_inception: other names that the values bear on Inception's features alone, such as {"fd": "fid"}.
    extractor: the default one.
    protocols: name -> settings of `compute`; the first is the default. Never edited after a release: add a new one.
    min_n: images needed on either side for a value that may be compared; below it is an error unless small sets are allowed.
    error_bar: one sentence for the documentation on how the error is made.
    version: raised when the numbers of the same protocol change.
    """

    compute: Callable[..., dict[str, Estimate]]
    takes: Literal["distributions", "features", "probabilities", "points"]
    reports: Mapping[str, Better]
    on_inception: Mapping[str, str] = field(default_factory=dict)
    extractor: str = "inception"
    protocols: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"": {}})
    min_n: int
    error_bar: str
    summary: str
    source: str
    version: int = 1
