"""Generalization gap: how much nearer generated images are to the training images than to held-out ones, as Fréchet distance.

    gap = FD(held-out, generated) - FD(training, generated)

A generator that has learned the distribution is as far from either; one that repeats training images is nearer to these.
`real` is the training set. Source: a comparison of train and test FID, as in Jiralerspong et al. 2023,
https://arxiv.org/abs/2302.04440; the distance is that of genbench.metrics.fid.

A Fréchet distance between finite samples is too large by about a constant / n. So both references get the same number of
images: of the larger one, as many as the smaller has, drawn by a seed. Then this bias cancels in the difference, that of the
references and that of the generated images.

What repeating M training images adds is a term of that kind: the gap of a generator that does nothing else is about that bias
at M images, and shrinks like 1/M. So a gap within its error is no proof that nothing was copied; see near_copies and c_t.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genbench.estimate import Estimate, Influence, normal_interval
from genbench.metrics import fid
from genbench.metrics._checks import check_three
from genbench.metrics._order import subsample
from genbench.metrics.base import FeatureSet, Metric


def compute(*, real: Tensor, held_out: Tensor, fake: Tensor, seed: int = 0) -> dict[str, Estimate]:
    """{"fd_gap": Estimate} of (M, D) training, (K, D) held-out and (N, D) generated features, in squared units of these.

    details: the two distances, how many images each reference had, and how many are held out. There is no bias-corrected
    value: a jackknife takes the generated images to be independent of the training images, and would remove what copying adds.
    Raises DataError for fewer than 2 images or numbers that are not finite; IncomparableError for different widths.
    """
    check_three(real=real, held_out=held_out, fake=fake, metric="generalization_gap")
    n = min(len(real), len(held_out))
    generated = FeatureSet(features=fake)
    far = fid.compute(real=_reference(held_out, n, seed), fake=generated)["fd"]
    near = fid.compute(real=_reference(real, n, seed), fake=generated)["fd"]
    pull, variance = _difference(far, near)
    value, se = float(far) - float(near), variance**0.5
    return {
        "fd_gap": Estimate(
            value=value,
            se=se,
            ci=normal_interval(value, se),
            method="influence",
            n=len(fake),
            n_real=len(real),
            better="zero",
            details={
                "fd_held_out": float(far),
                "fd_training": float(near),
                "images_per_reference": n,
                "held_out": len(held_out),
            },
            influence=Influence(fake=pull),
        )
    }


def _reference(features: Tensor, n: int, seed: int) -> FeatureSet:
    return FeatureSet(features=subsample(features, n, seed=seed, purpose="generalization_gap/reference"))


def _difference(far: Estimate, near: Estimate) -> tuple[Tensor, float]:
    """How much each generated image pulls at far - near, and the variance of that difference.

    The generated images are shared, so their pulls are subtracted before they are squared; the two references are independent.
    """
    of_far, of_near = far.influence, near.influence
    assert of_far is not None
    assert of_near is not None
    assert of_far.real is not None
    assert of_near.real is not None
    pull = torch.as_tensor(of_far.fake - of_near.fake)
    references = float(of_far.real.var() + of_near.real.var()) / len(of_far.real)
    return pull, float(pull.var()) / len(pull) + references


metric = Metric(
    compute=compute,
    takes="held_out",
    reports={"fd_gap": "zero"},
    on={"inception": {"fd_gap": "fid_gap"}},
    protocols={"": {"seed": 0}},
    min_n=500,
    error_bar=(
        "Influence functions of both distances: the difference of those of the shared generated images, and those of the "
        "held-out and the training images. Conservative where both distances are near zero."
    ),
    summary="Fréchet distance of the generated images to held-out images less that to as many training images",
    sees="overfitting as a whole: positive where generated images are nearer to the training set than to held-out images",
    blind="a few copies, and any number of copies of a very large training set; quality and diversity",
    source="Jiralerspong et al. 2023, https://arxiv.org/abs/2302.04440",
)
