"""Class histogram: the modes that a classifier's answers know, and how evenly the generated images fall on them.

    classes_found = number of classes among the answers to real images that some generated image is given too
    class_kl      = KL(q ‖ p) = Σ q_c log(q_c / p_c),  q: shares of the classes among generated, p: among real images, in nats

An image's class is its largest logit. Sources: Metz et al. 2017, https://arxiv.org/abs/1611.02163 (stacked MNIST: modes found
and the reverse KL); Srivastava et al. 2017 (VEEGAN), https://arxiv.org/abs/1705.07761.

The shares are those counted, as in the papers. A class that generated images are given and no real one would make the
divergence infinite; it counts as half a real image, so what such classes add is no more than a sign that they are there
(details["unknown"] is their share among the generated images). From 0 for equal shares to about log(2M).

Shares of finite counts are uneven by chance, which raises the value by about (classes - 1) / 2 · (1/N + 1/M) for equal
distributions. `bias_corrected` is a delete-one jackknife over both sides. It helps as long as images are several to a class.
Where many are alone in theirs, as many of the next ones would be of classes that were not seen (Good 1953), no correction is of
use, and there is no value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from genbench.estimate import Estimate, Influence, normal_interval
from genbench.metrics._checks import check_pair
from genbench.metrics.base import Metric

UNKNOWN = 0.5  # real images of a class that only generated ones have
ALONE = 0.05  # of the images of a side, at most so many may be the only ones of their class; then some 0.06 of bias is left


def compute(*, real: Tensor, fake: Tensor) -> dict[str, Estimate]:
    """{"classes_found", "class_kl"} of (M, classes) and (N, classes) logits; the first is at most details["classes_real"].

    class_kl has no value where more than a twentieth of the images of a side are alone in their class.
    Raises DataError for fewer than 2 images or numbers that are not finite; IncomparableError for different widths.
    """
    check_pair(real=real, fake=fake, metric="class_histogram")
    real_class, fake_class = real.argmax(1), fake.argmax(1)
    of_real, of_fake = (classes.bincount(minlength=real.shape[1]) for classes in (real_class, fake_class))
    found = int(((of_real > 0) & (of_fake > 0)).sum())
    return {
        "classes_found": Estimate(
            value=float(found),
            reason="a count; it can only grow with the number of images",
            n=len(fake),
            n_real=len(real),
            better="higher",
            details={"classes_real": float((of_real > 0).sum())},
        ),
        "class_kl": _divergence(real_class=real_class, fake_class=fake_class, of_real=of_real, of_fake=of_fake),
    }


def _divergence(*, real_class: Tensor, fake_class: Tensor, of_real: Tensor, of_fake: Tensor) -> Estimate:
    """KL(q ‖ p) with a jackknife over the images of both sides."""
    n, m = len(fake_class), len(real_class)
    details = {"unknown": float(of_fake[of_real == 0].sum()) / n}
    for side, counts, images in (("real", of_real, m), ("generated", of_fake, n)):
        alone = int((counts == 1).sum())
        if alone > ALONE * images:
            reason = f"{alone} of {images} {side} images are alone in their class: too few for so many classes"
            return Estimate(value=None, n=n, n_real=m, better="lower", reason=reason, details=details)
    kl = _Divergence.of(of_real, of_fake)
    without_fake, without_real = kl.without_fake()[fake_class], kl.without_real()[real_class]
    pull_fake = (n - 1) * (without_fake.mean() - without_fake)
    pull_real = (m - 1) * (without_real.mean() - without_real)
    bias = (n - 1) * (float(without_fake.mean()) - kl.value) + (m - 1) * (float(without_real.mean()) - kl.value)
    se = float(pull_fake.var() / n + pull_real.var() / m) ** 0.5
    low, high = normal_interval(kl.value, se)
    return Estimate(
        value=kl.value,
        se=se,
        ci=(min(kl.value, max(0.0, low)), high),
        method="jackknife",
        n=n,
        n_real=m,
        better="lower",
        bias_corrected=kl.value - bias,
        details=details,
        influence=Influence(fake=pull_fake, real=pull_real),
    )


@dataclass(frozen=True, kw_only=True)
class _Divergence:
    """KL = (Σ a log a - Σ a log b) / n - log n + log Σ b, of the counts a of n generated and b of real images, all (classes,).

    b has UNKNOWN for classes that only a has. Without one image of class c two of the terms change, so all classes are left
    short of an image at once.
    """

    a: Tensor
    b: Tensor
    own: Tensor  # Σ a log a
    cross: Tensor  # Σ a log b
    n: int

    @classmethod
    def of(cls, of_real: Tensor, of_fake: Tensor) -> _Divergence:
        a, b = of_fake.double(), of_real.double()
        b = torch.where((a > 0) & (b == 0), UNKNOWN, b)
        return cls(a=a, b=b, own=torch.xlogy(a, a).sum(), cross=torch.xlogy(a, b).sum(), n=int(of_fake.sum()))

    @property
    def value(self) -> float:
        if torch.equal(self.a * self.b.sum(), self.b * self.n):  # the same shares: 0 without rounding
            return 0.0
        return max(0.0, float((self.own - self.cross) / self.n - math.log(self.n) + self.b.sum().log()))

    def without_fake(self) -> Tensor:
        """(classes,) the divergence without one generated image of each class."""
        less = (self.a - 1).clamp(min=0)
        own = self.own - torch.xlogy(self.a, self.a) + torch.xlogy(less, less)
        cross = self.cross - self.b.clamp(min=UNKNOWN).log()
        total = self.b.sum() - torch.where((self.a == 1) & (self.b == UNKNOWN), UNKNOWN, 0.0)
        return (own - cross) / (self.n - 1) - math.log(self.n - 1) + total.log()

    def without_real(self) -> Tensor:
        """(classes,) the divergence without one real image of each class."""
        less = torch.where((self.a > 0) & (self.b <= 1), UNKNOWN, (self.b - 1).clamp(min=0))
        cross = self.cross - torch.xlogy(self.a, self.b) + torch.xlogy(self.a, less)
        return (self.own - cross) / self.n - math.log(self.n) + (self.b.sum() - self.b + less).log()


metric = Metric(
    compute=compute,
    takes="features",
    layer="logits",
    reports={"classes_found": "higher", "class_kl": "lower"},
    min_n=100,
    error_bar="Delete-one jackknife over the images of both sides for class_kl; none for the count.",
    summary="Classes of a classifier that the generated images reach, and KL(generated ‖ real) of the class shares, in nats",
    sees="classes that are missing or too frequent: mode collapse between classes",
    blind="variety inside a class, how the images look, anything outside the classifier's classes",
    source="Metz et al. 2017, https://arxiv.org/abs/1611.02163; Srivastava et al. 2017, https://arxiv.org/abs/1705.07761",
)
