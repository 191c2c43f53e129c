"""The hole problem: whether the codes of real images lie where samples start, and what it costs if they do not.

A decoder has learned what to do with the codes of images. Samples start from a distribution that the model chose, and where
that puts draws that no image has a code for, the decoder makes something up (Tomczak and Welling 2018,
https://arxiv.org/abs/1705.07120; Dai and Wipf 2019, https://arxiv.org/abs/1903.05789).

    latent_c2st  accuracy of a classifier that tells codes of test images from draws (Lopez-Paz and Oquab 2017,
                 https://arxiv.org/abs/1610.06545), trained on one half and asked about the other
    latent_fd    FD(training images, samples) - FD(training images, reconstructions of test images)

The classifier compares the densities of two Gaussians, one fitted to either kind; it sees shifts and scales of the latents
and, where half of the images are more than the latents, correlations, but not the shape beyond. Codes of a Gaussian posterior
are one draw from it each, as it is their mixture that the prior is to match, not their means.

Both Fréchet distances have as many images and the same reference, so their biases from few images cancel but for little. Their
difference can be below 0: a decoder that blurs makes livelier images of codes further out than any image's, so codes that are
too wide may come nearer to the data than reconstructions do, while latent_c2st says that they are none of theirs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from genbench.diagnostics._estimates import share_of
from genbench.diagnostics._passes import at_rest, blocks
from genbench.diagnostics.base import Diagnostic, Reading, Subject
from genbench.estimate import Estimate, normal_interval
from genbench.metrics import fid
from genbench.metrics.base import FeatureSet
from genbench.models.base import Encodes, GenerativeModel, HasLatents, Infers, device_of
from genbench.seeding import Noise

FLOOR = 1e-6  # of a latent's variance, in units of that of the draws: some autoencoders have latents that never change


def applies(model: GenerativeModel) -> bool:
    """Whether images are encoded into the very space that samples start from."""
    if not (isinstance(model, Encodes) and isinstance(model, HasLatents)):
        return False
    with at_rest(model):
        device = device_of(model)
        code = model.encode(torch.zeros(1, *model.spec.shape, device=device))
        return code.shape == model.draw_latents(Noise(0, [0], device=device)).shape


def compute(subject: Subject) -> Mapping[str, Estimate]:
    """On test images and as many draws; both sides of the Fréchet distances are measured against training images."""
    model, real = subject.model, subject.real
    assert isinstance(model, Encodes)
    assert isinstance(model, HasLatents)
    with at_rest(subject.model):
        codes = torch.cat([_codes(subject, block) for block in blocks(len(real))])
        draws = model.draw_latents(subject.noise(len(codes), "latent_gap/prior"))
        rebuilt = torch.cat([model.decode(codes[block]) for block in blocks(len(codes))])
        distance = _latent_fd(subject, rebuilt)
    return {
        "latent_c2st": latent_c2st(codes.flatten(1).double().cpu(), draws.flatten(1).double().cpu()),
        "latent_fd": distance,
    }


def _codes(subject: Subject, block: slice) -> Tensor:
    model, x = subject.model, subject.real.x[block]
    if not isinstance(model, Infers):
        assert isinstance(model, Encodes)
        return model.encode(x)
    mean, std = model.posterior(x)
    return mean + std * subject.noise(block, "latent_gap/posterior").normal(*mean.shape[1:])


def latent_c2st(codes: Tensor, draws: Tensor) -> Estimate:
    """Share of N latents, half of either kind, whose origin is told right, 0.5 by guessing; codes and draws (N, D) float64.

    details: `length`, the root mean square of the codes over that of the draws, both from the middle of the draws.
    """
    n = len(codes)
    if not (codes.isfinite().all() and draws.isfinite().all()):
        return Estimate(value=None, n=n, better="lower", reason="some latents are not finite")
    if n < 4:
        return Estimate(value=None, n=n, better="lower", reason="too few images for two halves of either kind")
    # One split: were the halves to change places, what is told right would depend on one another, and the interval fall short.
    found = share_of(_told_right(codes, draws, torch.arange(n) % 2 == 0), better="lower")
    middle = draws.mean(0)
    length = (codes - middle).square().mean().sqrt() / (draws - middle).square().mean().sqrt().clamp(min=1e-12)
    return Estimate(
        value=found.value,
        se=found.se,
        ci=found.ci,
        method=found.method,
        n=n,
        better="lower",
        details={"length": float(length)},
    )


def _told_right(codes: Tensor, draws: Tensor, learned: Tensor) -> Tensor:
    """(M,) bool for the latents of both kinds outside of the half that is learned from, (N,) bool."""
    middle, scale = draws[learned].mean(0), draws[learned].std(0).clamp(min=1e-12)
    a, b = ((side - middle) / scale for side in (codes, draws))

    def leaning(x: Tensor) -> Tensor:
        return _log_density(x, like=a[learned]) - _log_density(x, like=b[learned])

    return torch.cat([leaning(a[~learned]) > 0, leaning(b[~learned]) < 0])


def _log_density(x: Tensor, *, like: Tensor) -> Tensor:
    """(N, D) -> (N,) but for a constant, under the Gaussian with the moments of `like` (M, D).

    The covariances shrink by the share D / (D + M), and are left out for D >= M (regularised discriminants, Friedman 1989).
    """
    m, dim = like.shape
    mean, variance = like.mean(0), like.var(0) + FLOOR
    if dim >= m:
        return -0.5 * ((x - mean).square() / variance + variance.log()).sum(1)
    covariance = like.T.cov().view(dim, dim) * (m / (dim + m))
    covariance.diagonal().copy_(variance)
    factor = torch.linalg.cholesky(covariance)
    whitened = torch.linalg.solve_triangular(factor, (x - mean).T, upper=False)
    return -0.5 * whitened.square().sum(0) - factor.diagonal().log().sum()


def _latent_fd(subject: Subject, rebuilt: Tensor) -> Estimate:
    """Of the subject's samples, and of its test images as they come back (N, C, H, W)."""
    samples = subject.samples
    if not (samples.isfinite().all() and rebuilt.isfinite().all()):
        reason = "some samples or reconstructions are not finite"
        return Estimate(value=None, n=len(rebuilt), better="lower", reason=reason)
    trained, made, back = (subject.features(x) for x in (subject.trained_on.x, samples, rebuilt))
    return latent_fd(reference=trained, samples=made, reconstructions=back)


def latent_fd(*, reference: Tensor, samples: Tensor, reconstructions: Tensor) -> Estimate:
    """How much further the samples (N, D) are from the reference (M, D) than the reconstructions (K, D), all features."""
    real = FeatureSet(features=reference)
    of_samples = fid.compute(real=real, fake=FeatureSet(features=samples))["fd"]
    of_rebuilt = fid.compute(real=real, fake=FeatureSet(features=reconstructions))["fd"]
    value = float(of_samples) - float(of_rebuilt)
    # The reference is one and the same: what one of its images does to both distances is not independent.
    pulls = [(of_samples, 1.0), (of_rebuilt, -1.0)]
    shared = sum(sign * found.influence.real for found, sign in pulls if found.influence and found.influence.real is not None)
    variance = float(torch.as_tensor(shared).var()) / (real.n or 1)
    variance += sum(float(found.influence.fake.var()) / found.n for found, _ in pulls if found.influence)
    se = math.sqrt(variance)
    return Estimate(
        value=value,
        se=se,
        ci=normal_interval(value, se),
        method="influence",
        n=len(samples),
        n_real=real.n,
        better="lower",
        details={"samples": float(of_samples), "reconstructions": float(of_rebuilt)},
    )


diagnostic = Diagnostic(
    applies=applies,
    compute=compute,
    reports={
        "latent_c2st": Reading(
            meaning="accuracy with which codes of test images are told from the latents that samples start from: 0.5 they "
            "agree, 1 they have nothing in common",
            usual=(None, 0.65),
            advice="holes: samples start where no image has a code. Fit the distribution of the codes (a Gaussian, a mixture, "
            "a second model), give the divergence to the prior more weight, or a learned prior",
        ),
        "latent_fd": Reading(
            meaning="Fréchet distance of samples from training images less that of reconstructions, in features of a small "
            "classifier: what is lost by starting from the prior and not from the code of an image",
            usual=(None, 5.0),
            advice="large: work on the prior, see latent_c2st; about 0 or below while samples look bad: work on the "
            "reconstructions",
        ),
    },
    quick=True,
    source="Dai and Wipf 2019, https://arxiv.org/abs/1903.05789",
)
