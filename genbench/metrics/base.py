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


Takes = Literal[
    "distributions",
    "features",
    "sample",
    "held_out",
    "classes",
    "pairs",
    "own_pairs",
    "text",
    "descriptions",
    "videos",
    "points",
]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One file, one metric. `compute` opens no file, loads no network and prints nothing.

    compute: keyword-only. By `takes`:
        "distributions"   compute(real=FeatureSet, fake=FeatureSet, **settings)
        "features"        compute(real=(M, D), fake=(N, D), **settings), where moments alone do not do
        "sample"          compute(fake=(N, D), **settings), no reference: logits for the Inception Score, features for Vendi
        "held_out"        compute(real=(M, D), held_out=(K, D), fake=(N, D), **settings): `real` was trained on, `held_out` not
        "classes"         compute(real=(M, D), fake=(N, D), real_classes=(M,) int64, fake_classes=(N,) int64, **settings)
        "text"            compute(images=(N, D), captions=N strings, references=N lists of strings or None, embed=,
                          **settings); embed: list of T strings -> (T, D), in the space of the images
        "descriptions"    compute(shown=N descriptions, asked=N descriptions, **settings), of `genbench.data.sets.shapes`
        "videos"          compute(real=(M, C, T, H, W), fake=(N, C, T, H, W), **settings), uint8
        "points"          compute(fake=(N, 2), modes=(K, 2), sigma=...), points of a known mixture; suites on point sets use it
    and it returns one `Estimate` for each name in `reports`. Chance enters by settings only (a seed).
    per_pair: instead of `compute`, for metrics that are a mean over pairs:
        "pairs"           per_pair(x=(B, ...), y=(B, ...), **settings), images and what each should be
        "own_pairs"       the same, where x and y are two images of one set, of the same class where classes are known
    It is asked batch by batch, so that any number of pairs needs the memory of one batch, and returns one number per pair,
    (B,) float64, for each name in `reports`; the value is their mean. x and y are features where `extractor` is named, else
    uint8 images (B, 3, H, W).
    reports: name -> which direction is better.
    on: place -> {reported name: what it is called there}, such as {"inception": {"fd": "fid"}}; a place is EXTRACTOR or
        EXTRACTOR.LAYER.
    extractor, layer, variant: the default ones; extractor None: the images themselves; variant "": the extractor's first.
    protocols: name -> settings of `compute`; the first is the default. Never edited after a release: add a new one.
    min_n: images needed on either side (or pairs) for a value that may be compared; below it is an error unless small sets are
        allowed.
    error_bar: one sentence for the documentation on how the error is made, or why there is none.
    sees, blind: what moves the value, and what does not, in a few words for the documentation.
    version: raised when the numbers of the same protocol change.
    """

    compute: Callable[..., dict[str, Estimate]] | None = None
    per_pair: Callable[..., dict[str, Tensor]] | None = None
    takes: Takes
    reports: Mapping[str, Better]
    on: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    extractor: str | None = "inception"
    layer: str = "pool"
    variant: str = ""
    protocols: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"": {}})
    min_n: int
    error_bar: str
    summary: str
    sees: str
    blind: str
    source: str
    version: int = 1

    def __post_init__(self) -> None:
        if (self.compute is None) == (self.per_pair is None) or self.of_pairs != (self.per_pair is not None):
            raise TypeError("a metric of pairs has per_pair, every other has compute, and none has both")

    @property
    def name(self) -> str:
        """The name in the catalogue, which is the file's."""
        return (self.compute or self.per_pair).__module__.rpartition(".")[2]

    @property
    def of_pairs(self) -> bool:
        """Whether the value is a mean over pairs."""
        return self.takes in ("pairs", "own_pairs")

    @property
    def needs_reference(self) -> bool:
        """Whether there must be real images to compare with."""
        return self.takes in ("distributions", "features", "held_out", "classes", "videos")
