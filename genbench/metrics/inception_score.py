"""Inception Score: how sure a classifier is of each image, and how evenly its answers spread over the classes.

    IS = mean over ten splits of exp(mean over a split's images of KL(p(class | image) | the split's mean p)), 1 to #classes

Source: Salimans et al. 2016, https://arxiv.org/abs/1606.03498, section 4.

The order of the images, the splits and the float64 softmax are torch-fidelity 0.4's. With few images the score is too low,
because each split's mean p follows its own images; `bias_corrected` is the jackknife's answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from genbench.errors import UsageError
from genbench.estimate import Estimate, Influence, normal_interval
from genbench.metrics._checks import check_rows
from genbench.metrics.base import Metric


def compute(*, fake: Tensor, splits: int = 10, seed: int = 2020) -> dict[str, Estimate]:
    """{"inception_score": Estimate} of `fake`, (N, classes) logits of any classifier.

    details["split_std"] (divisor: splits) is the ± that other tools print; it tells how much splits of N/10 images differ.
    Raises UsageError for less than one split, DataError for fewer than two images in a split or numbers that are not finite.
    """
    if splits < 1:
        raise UsageError("E-USAGE", f"splits={splits}; the Inception Score needs at least one split")
    check_rows(fake, side="fake", metric="inception_score", at_least=2 * splits)
    n = len(fake)
    order = torch.from_numpy(np.random.RandomState(seed).permutation(n)).to(fake.device)
    pull = torch.empty(n, dtype=torch.float64, device=fake.device)
    scores, biases, variance = [], [], 0.0
    for i in range(splits):
        members = order[i * n // splits : (i + 1) * n // splits]
        split = _score(fake[members].to(torch.float64))
        deviation = (len(members) - 1) * (split.left_out.mean() - split.left_out)
        pull[members] = deviation * n / (splits * len(members))
        scores.append(split.score)
        biases.append((len(members) - 1) * (float(split.left_out.mean()) - split.score))
        variance += float(deviation.square().sum()) / (len(members) * (len(members) - 1)) / splits**2
    value, se = float(np.mean(scores)), variance**0.5
    return {
        "inception_score": Estimate(
            value=value,
            se=se,
            ci=normal_interval(value, se),
            method="jackknife",
            n=n,
            better="higher",
            bias_corrected=value - float(np.mean(biases)),
            details={"split_std": float(np.std(scores))},
            influence=Influence(fake=pull),
        )
    }


@dataclass(frozen=True)
class _Split:
    score: float
    left_out: Tensor  # (m,) the score of the split without each of its images


def _score(logits: Tensor) -> _Split:
    """exp(mean of Σ p log p - Σ q log q) with q = mean p, of one split (m, classes); and the same without each image.

    Leaving image i out changes q to (m q - p_i) / (m - 1), so all m scores follow from sums that are known already.
    """
    m = len(logits)
    p = logits.softmax(1)
    certainty = (p * logits.log_softmax(1)).sum(1)  # Σ p log p, finite also where p rounds to 0
    q = p.mean(0)
    q_without = ((m * q - p) / (m - 1)).clamp(min=0)
    certainty_without = (certainty.sum() - certainty) / (m - 1)
    return _Split(
        score=float((certainty.mean() - torch.xlogy(q, q).sum()).exp()),
        left_out=(certainty_without - torch.xlogy(q_without, q_without).sum(1)).exp(),
    )


metric = Metric(
    compute=compute,
    takes="sample",
    layer="logits",
    reports={"inception_score": "higher"},
    min_n=500,
    error_bar=(
        "Delete-one jackknife within each split, exact; the bias-corrected value is the same jackknife's. "
        "The spread over splits that other tools print as ± is in details as split_std."
    ),
    summary="Inception Score: certainty of a classifier about each generated image, and diversity of its answers",
    sees="certainty of the classifier about each image, and how evenly its answers spread",
    blind="the real images, variety inside a class, anything outside the classifier's classes",
    source="Salimans et al. 2016, https://arxiv.org/abs/1606.03498",
)
