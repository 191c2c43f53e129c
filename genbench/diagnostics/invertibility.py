"""Whether a flow's way back is its inverse in the arithmetic that it runs in, not on paper alone.

    inversion error = max |x - g(f(x))|,  x dequantised test images in [-1, 1], f into the latents, g back

An invertible layer may stretch so much that rounding decides what comes back; the likelihood then still looks fine, and is that
of another model (Behrmann et al. 2021, https://arxiv.org/abs/2006.09347). It shows first in samples, which start where no
image has been, and in determinants that grow without bound: a density that has found a way to be infinite.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from genbench import images
from genbench.batch import Condition
from genbench.diagnostics._estimates import share_of
from genbench.diagnostics._passes import at_rest, blocks
from genbench.diagnostics.base import Diagnostic, Reading, Subject
from genbench.estimate import Estimate
from genbench.models.base import GenerativeModel, Inverts


def applies(model: GenerativeModel) -> bool:
    """Whether there is a map into the latents with an inverse."""
    return isinstance(model, Inverts)


def compute(subject: Subject) -> Mapping[str, Estimate]:
    """On test images, and on as many draws of the latents for what is not finite."""
    model, real = subject.model, subject.real
    assert isinstance(model, Inverts)
    spec, n = subject.model.spec, len(real)
    x = images.dequantize(real.x, spec.levels, subject.noise(n, "invertibility/dequantisation").uniform(*spec.shape))
    with at_rest(subject.model):
        parts = [_there_and_back(model, x[block], real.condition.select(block)) for block in blocks(n)]
        z = model.draw_latents(subject.noise(n, "invertibility/latents"))
        drawn = torch.cat([_finite(model.from_latents(z[block], real.condition.select(block))) for block in blocks(n)]).cpu()
    errors, log_dets = (torch.cat([part[place] for part in parts]).double().cpu() for place in (0, 1))
    broken = ~torch.cat([errors.isfinite() & log_dets.isfinite(), drawn])
    return {
        "inversion_error": _inversion_error(errors),
        "not_finite": share_of(broken, better="lower"),
        "least_log_det": _least_log_det(log_dets / spec.dimensions),
    }


def _there_and_back(model: Inverts, x: Tensor, condition: Condition) -> tuple[Tensor, Tensor]:
    """(B,) largest difference of each image from what comes back, and log |det|."""
    z, log_det = model.to_latents(x)
    return (model.from_latents(z, condition) - x).abs().flatten(1).amax(1), log_det


def _finite(x: Tensor) -> Tensor:
    return x.isfinite().flatten(1).all(1)


def _inversion_error(errors: Tensor) -> Estimate:
    if not errors.isfinite().all():
        return Estimate(
            value=None, n=len(errors), better="lower", reason="some images come back as numbers that are not finite"
        )
    return Estimate(
        value=float(errors.max()),
        n=len(errors),
        better="lower",
        reason="a maximum over the images has no error bar",
        details={"median": float(errors.median())},
    )


def _least_log_det(per_value: Tensor) -> Estimate:
    if not per_value.isfinite().all():
        return Estimate(value=None, n=len(per_value), better="zero", reason="some determinants are not finite")
    return Estimate(
        value=float(per_value.min()),
        n=len(per_value),
        better="zero",
        reason="a minimum over the images has no error bar",
        details={"mean": float(per_value.mean()), "largest": float(per_value.max())},
    )


diagnostic = Diagnostic(
    applies=applies,
    compute=compute,
    reports={
        "inversion_error": Reading(
            meaning="largest difference between a dequantised test image in [-1, 1] and what comes back from its latents; a "
            "level of 8 bits is 0.008",
            usual=(None, 1e-3),
            advice="the map stretches too much for its arithmetic: bound the scales of the couplings (tanh, or a sigmoid as in "
            "Glow), normalise activations, clip gradients, evaluate in float32 or float64",
        ),
        "not_finite": Reading(
            meaning="share of test images and of draws of the latents for which a latent, a determinant or an image is not "
            "finite",
            usual=(None, 0.0),
            advice="exploding inverse: as for inversion_error; lower the temperature to sample from what is there",
        ),
        "least_log_det": Reading(
            meaning="smallest logarithm of the determinant of df/dx, over the test images, in nats per value: how much f "
            "shrinks at most",
            usual=(-10.0, None),
            advice="f all but flattens some directions, and the way back must stretch them: bound the scales",
        ),
    },
    quick=True,
    source="Behrmann et al. 2021, https://arxiv.org/abs/2006.09347",
)
