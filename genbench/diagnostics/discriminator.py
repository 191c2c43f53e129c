"""Whether a critic still teaches its generator: unsure of what it sees, but not lost, and not reciting the training images.

Of a discriminator, whose number is a logit, D = 1 / (1 + exp(-logit)):

    the best one against a perfect generator says 1/2 everywhere (Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661);
    where it is sure of everything, it leaves the generator no gradient to follow (Arjovsky and Bottou 2017,
    https://arxiv.org/abs/1701.04862); where D of training images lies above D of test images, it knows them by heart, which
    is how GANs diverge on small data (Karras et al. 2020, https://arxiv.org/abs/2006.06676).

Of a potential: the mean difference between test images and samples. That estimates the Wasserstein-1 distance as far as the
critic is 1-Lipschitz, for which see the diagnostic `lipschitz`.

Critics that normalise by their batch judge the three kinds of images apart, as in training.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from genbench.batch import Condition
from genbench.diagnostics._estimates import finite_difference, finite_mean, finite_share
from genbench.diagnostics._passes import at_rest, blocks
from genbench.diagnostics.base import Diagnostic, Reading, Subject
from genbench.estimate import Better, Estimate, normal_interval
from genbench.models.base import GenerativeModel, Judges

SATURATED = 6.0  # |logit| from which D is within 0.0025 of an end, as is the derivative of one of the two losses of 0
OF_LOGITS: Mapping[str, Better] = {
    "critic_on_train": "lower",
    "critic_on_test": "lower",
    "critic_on_fake": "higher",
    "critic_accuracy": "lower",
    "critic_saturation": "lower",
    "critic_overfitting": "zero",
}


def applies(model: GenerativeModel) -> bool:
    """Whether there is a critic."""
    return isinstance(model, Judges)


def compute(subject: Subject) -> Mapping[str, Estimate]:
    """Of training images, test images and samples; what the critic's kind of number does not give has no value and says so."""
    model = subject.model
    assert isinstance(model, Judges)
    fakes, asked = subject.samples, (subject.conditions or Condition()).to(subject.device)
    with at_rest(subject.model):
        train, test = (judgements(model, batch.x, batch.condition) for batch in (subject.trained_on, subject.real))
        fake = judgements(model, fakes, asked)
    if model.judgement == "potential":
        reason = "the critic's numbers are a potential and no logits"
        missing = {name: Estimate(value=None, n=len(test), better=better, reason=reason) for name, better in OF_LOGITS.items()}
        return missing | {"critic_w1": of_potential(train, test, fake)}
    reason = "the critic's numbers are logits and no potential"
    return of_logits(train, test, fake) | {"critic_w1": Estimate(value=None, n=len(test), better="lower", reason=reason)}


def judgements(model: Judges, x: Tensor, condition: Condition) -> Tensor:
    """(N,) float64 on the CPU, of images (N, C, H, W) under their conditions."""
    parts = [model.judge(x[block], condition.select(block)) for block in blocks(len(x))]
    return torch.cat(parts).double().cpu()


def of_logits(train: Tensor, test: Tensor, fake: Tensor) -> dict[str, Estimate]:
    """What logits (N,), (M,) and (K,) of training images, test images and samples say."""
    return {
        "critic_on_train": finite_mean(train.sigmoid(), better=OF_LOGITS["critic_on_train"]),
        "critic_on_test": finite_mean(test.sigmoid(), better=OF_LOGITS["critic_on_test"]),
        "critic_on_fake": finite_mean(fake.sigmoid(), better=OF_LOGITS["critic_on_fake"]),
        "critic_accuracy": _accuracy(test, fake),
        "critic_saturation": finite_share(torch.cat([test, fake]), _saturated, better=OF_LOGITS["critic_saturation"]),
        "critic_overfitting": finite_difference(train.sigmoid(), test.sigmoid()),
    }


def _saturated(logits: Tensor) -> Tensor:
    return logits.abs() > SATURATED


def of_potential(train: Tensor, test: Tensor, fake: Tensor) -> Estimate:
    """mean of `test` (M,) less that of `fake` (K,); details: the same for training images (N,)."""
    found = finite_difference(test, fake, better="lower")
    trained = finite_difference(train, fake, better="lower")
    return found if found.value is None or trained.value is None else replace(found, details={"train": trained.value})


def _accuracy(test: Tensor, fake: Tensor) -> Estimate:
    """The mean of the shares of real images and of fakes that are told right; a logit of 0 is half right."""
    n, m = len(test), len(fake)
    if torch.cat([test, fake]).isnan().any():
        return Estimate(value=None, n=m, n_real=n, better="lower", reason="some logits are no numbers")
    hits = [0.5 * (1 + side.sign()) for side in (test, -fake)]
    value = float(sum(side.mean() for side in hits)) / 2
    if min(n, m) < 2:
        return Estimate(value=value, n=m, n_real=n, better="lower", reason="one image has no spread")
    se = math.sqrt(sum(float(side.var()) / len(side) for side in hits)) / 2
    low, high = normal_interval(value, se)
    interval = max(0.0, low), min(1.0, high)
    return Estimate(value=value, se=se, ci=interval, method="mean", n=m, n_real=n, better="lower")


SURE = (
    "the critic wins: fewer of its steps or a lower learning rate, real labels of 0.9, noise on its inputs, a gradient penalty "
)
LOST = "the critic has lost: more of its steps or a wider one"
diagnostic = Diagnostic(
    applies=applies,
    compute=compute,
    reports={
        "critic_on_train": Reading(
            meaning="mean probability of being real that the discriminator gives training images; 0.5 when it cannot tell",
            usual=(0.4, 0.9),
            advice=f"above: {SURE}or spectral normalisation; below: {LOST}",
        ),
        "critic_on_test": Reading(
            meaning="mean probability of being real that it gives test images, which it has not been trained on",
            usual=(0.4, 0.9),
            advice="compare critic_on_train: far below it, the discriminator has learned the training images by heart",
        ),
        "critic_on_fake": Reading(
            meaning="mean probability of being real that it gives samples; 0.5 when it cannot tell",
            usual=(0.1, 0.6),
            advice=f"below: {SURE}or spectral normalisation; above: {LOST}",
        ),
        "critic_accuracy": Reading(
            meaning="share of test images and samples, in equal parts, that it tells right; 0.5 by guessing",
            usual=(0.45, 0.95),
            advice=f"1 is a critic with nothing left to teach: {SURE}or more data",
        ),
        "critic_saturation": Reading(
            meaning="share of test images and samples with a logit beyond 6 on either side, where D is within 0.0025 of 0 or 1",
            usual=(None, 0.3),
            advice="gradients vanish or come from a few images: the non-saturating loss, a gradient penalty, spectral "
            "normalisation",
        ),
        "critic_overfitting": Reading(
            meaning="mean D of training images less mean D of test images; above 0 it knows the training images by heart",
            usual=(None, 0.1),
            advice="overfitting of the discriminator: augment what it sees, in real images and fakes alike (differentiable "
            "augmentation), a smaller one, dropout, more data, stop earlier",
        ),
        "critic_w1": Reading(
            meaning="mean potential of test images less that of samples, in units of Euclidean distance between images in [-1, "
            "1] as far as the critic's slope is at most 1",
            usual=(0.0, None),
            advice="below 0: the critic has not learned yet, more of its steps; details give the same for training images, and "
            "a much larger value there is overfitting",
        ),
    },
    quick=True,
    source="Arjovsky and Bottou 2017, https://arxiv.org/abs/1701.04862",
)
