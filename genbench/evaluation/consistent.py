"""Whether a result says what can be true: the parts of its document against each other and against the influence beside it.

Without the images nothing more can be seen. Loads no torch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from genbench.estimate import Influence, group_sums, influence_variance, normal_interval
from genbench.evaluation.result import Images, MetricResult, Result

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
PRINTING = 1e-6  # relative: what printing and reading a number may change
OF_INFLUENCE = 0.02  # relative: by how much more it may tell than the error bar; it is kept with 24 bits
OF_FEW = 0.3  # by how much less: errors of means over few images each, such as of classes or splits, are corrected one by one
OF_SAMPLE = 0.25  # how much more where the pulls of a sample of the reference stand for those of all of it


def check_value(metric: MetricResult, result: Result) -> Iterator[str]:
    """All that is wrong with one value of a result, as sentences."""
    yield from check_metric(metric, result)
    influence = result.influence.get(metric.key)
    if influence is not None:
        yield from check_influence(metric, influence, result)


def check_images(result: Result) -> Iterator[str]:
    """Counts and digests of every side."""
    for side in ("subject", "reference", "held_out", "paired"):
        images: Images | None = getattr(result, side)
        if images is None:
            continue
        if images.n is not None and images.listed is not None and images.n + len(images.skipped) != images.listed:
            yield f"{side}: {images.n} images and {len(images.skipped)} skipped are not the {images.listed} listed"
        if images.sizes and images.n is not None and sum(images.sizes.values()) < images.n:
            yield f"{side}: the sizes of {sum(images.sizes.values())} images, but {images.n} images"
        if images.digest is not None and not DIGEST.fullmatch(images.digest):
            yield f"{side}: {images.digest[:20]!r} is no digest"
    if not result.metrics:
        yield "no metric"


def check_metric(metric: MetricResult, result: Result) -> Iterator[str]:
    """The value, its error, its interval and its counts against each other."""
    if metric.value is None:
        return
    if metric.se is None and not metric.reason:
        yield "no error bar and no reason"
    if metric.ci is not None:
        yield from _check_interval(metric, metric.value, metric.ci)
    subject, reference = result.subject, result.reference
    if metric.n < 1 or (subject.n is not None and metric.method == "influence" and metric.n != subject.n):
        yield f"n is {metric.n:,}, and {subject.n:,} images were used"
    elif subject.listed is not None and metric.extractor is not None and metric.n > subject.listed:
        yield f"n is {metric.n:,}, more than the {subject.listed:,} images listed"
    if metric.n_real is not None and reference is not None and reference.n is not None and metric.n_real > reference.n:
        yield f"n_real is {metric.n_real:,}, more than the {reference.n:,} images of the reference"
    if not re.fullmatch(r"[^/\s]+/\d+", metric.protocol):
        yield f"{metric.protocol!r} is no protocol"


def _check_interval(metric: MetricResult, value: float, ci: tuple[float, float]) -> Iterator[str]:
    slack = PRINTING * max(abs(value), ci[1] - ci[0])
    if not ci[0] - slack <= value <= ci[1] + slack:
        yield f"the interval [{ci[0]:.4g}, {ci[1]:.4g}] does not contain the value {value:.4g}"
    elif metric.se is not None and metric.method in ("influence", "u-statistic"):
        low, high = normal_interval(value, metric.se, metric.level)
        cut = low <= ci[0] == 0  # of what cannot be negative
        if (abs(ci[0] - low) > slack and not cut) or abs(ci[1] - high) > slack:
            yield f"the interval [{ci[0]:.4g}, {ci[1]:.4g}] is not that of {value:.4g} ± {metric.se:.2g}"


def check_influence(metric: MetricResult, influence: Influence, result: Result) -> Iterator[str]:
    """The pulls of the images against the value's counts and its error."""
    import numpy as np

    fake = np.asarray(influence.fake, dtype=float)
    real = None if influence.real is None else np.asarray(influence.real, dtype=float)
    if not np.isfinite(fake).all() or (real is not None and not np.isfinite(real).all()):
        yield "its influence holds values that are no numbers"
        return
    if len(fake) != metric.n and metric.method != "none":
        yield f"n is {metric.n:,}, and the influence beside it is of {len(fake):,} images"
        return
    share = _share(fake, metric)
    if share is not None and metric.value is not None and abs(share - metric.value) > 1e-4:
        yield f"the influence of every image makes the value {share:.4g}, not {metric.value:.4g}"
    if metric.se is None or metric.method == "none":
        return
    if len(group_sums(influence)) < 2:
        yield "one independent group of images has no standard error"
        return
    free = 0 if metric.method == "binomial" else 1  # p (1 - p) / n of a share
    error = most = math.sqrt(influence_variance(influence, metric.n_real, ddof=free))
    if influence.groups is not None:  # few groups may agree by chance, but count as no better than independent images
        most = max(error, math.sqrt(influence_variance(replace(influence, groups=None), metric.n_real, ddof=0)))
    slack = OF_INFLUENCE if real is None or len(real) == metric.n_real else OF_SAMPLE
    too_small = metric.se * (1 + slack) + 1e-12 < error
    # A held-out set adds noise of its own, which no influence tells: the error may then be as large as it likes.
    too_large = metric.se * (1 - max(slack, OF_FEW)) - 1e-12 > most and result.held_out is None
    if too_small or too_large:
        yield f"its influence makes a standard error of {error:.4g}, not {metric.se:.4g}"


def _share(fake: NDArray[Any], metric: MetricResult) -> float | None:
    """The value of a share of the images, whose pulls are 1 - value and -value; None for what is none."""
    low, high = float(fake.min()), float(fake.max())
    whole = metric.method == "binomial" and abs(high - low - 1) < 1e-4 and abs(float(fake.mean())) < 1e-4
    return -low if whole else None
