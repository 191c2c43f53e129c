"""Class histogram: the modes that a classifier's answers know, and how evenly the generated images fall on them.

    classes_found = number of classes among the answers to real images that some generated image is given too
    class_kl      = KL(q ‖ p) = Σ q_c log(q_c / p_c),  q: shares of the classes among generated, p: among real images, in nats

An image's class is its largest logit. Sources: Metz et al. 2017, https://arxiv.org/abs/1611.02163 (stacked MNIST: modes found
and the reverse KL); Srivastava et al. 2017 (VEEGAN), https://arxiv.org/abs/1705.07761.

A class without real images would make the divergence infinite. Each class that either side has is counted half a time more on
both sides (Krichevsky and Trofimov 1981): the value stays finite, and it is 0 for equal counts.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genbench.estimate import Estimate, Influence, normal_interval
from genbench.metrics._checks import check_pair
from genbench.metrics.base import Metric

EXTRA = 0.5  # images added to each class of each side


def compute(*, real: Tensor, fake: Tensor) -> dict[str, Estimate]:
    """{"classes_found", "class_kl"} of (M, classes) and (N, classes) logits; the first is at most details["classes_real"].

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
    """KL(q ‖ p) with the delta method: its derivative is log(q / p) + 1 by q, and -q / p by p."""
    n, m = len(fake_class), len(real_class)
    known = (of_real > 0) | (of_fake > 0)
    p, q = (torch.where(known, counts + EXTRA, 0.0).double() for counts in (of_real, of_fake))
    p, q = p / p.sum(), q / q.sum()
    ratio = torch.where(known, q / p.masked_fill(~known, 1), 1.0)
    value = float(torch.xlogy(q, ratio).sum())
    by_fake, by_real = ratio.log()[fake_class], -ratio[real_class]
    by_fake, by_real = by_fake - by_fake.mean(), by_real - by_real.mean()
    se = float(by_fake.var() / n + by_real.var() / m) ** 0.5
    low, high = normal_interval(value, se)
    return Estimate(
        value=value,
        se=se,
        ci=(min(value, max(0.0, low)), high),
        method="influence",
        n=n,
        n_real=m,
        better="lower",
        influence=Influence(fake=by_fake, real=by_real),
    )


metric = Metric(
    compute=compute,
    takes="features",
    layer="logits",
    reports={"classes_found": "higher", "class_kl": "lower"},
    min_n=100,
    error_bar="Delta method on the shares of the classes, both sides, for class_kl; none for the count.",
    summary="Classes of a classifier that the generated images reach, and KL(generated ‖ real) of the class shares, in nats",
    sees="classes that are missing or too frequent: mode collapse between classes",
    blind="variety inside a class, how the images look, anything outside the classifier's classes",
    source="Metz et al. 2017, https://arxiv.org/abs/1611.02163; Srivastava et al. 2017, https://arxiv.org/abs/1705.07761",
)
