"""Projection: how well a model can make given test images at all, by each of its latent spaces.

Adam moves a latent until its image is as near as it gets to the test image, from several starts of which the best counts, as in
Abdal et al. 2019 (with the plain squared error, a hundred steps and small images). What a generator cannot reach by any latent,
it never samples: dropped modes show as images that come back wrong. A model that also encodes makes a second, cheaper
reconstruction from the code; the gap between the two is the encoder's.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from genbench.batch import Condition
from genbench.diagnostics._passes import at_rest
from genbench.diagnostics.base import Diagnostic, Reading, Subject
from genbench.estimate import Estimate, mean_estimate
from genbench.models.base import Encodes, GenerativeModel, HasLatents

IMAGES, STARTS, STEPS, LR = 16, 4, 100, 0.1
LEAST_ERROR = 4e-10  # mean squared error that is given 100 dB; a perfect copy would have infinitely many


def applies(model: GenerativeModel) -> bool:
    """Images from latents in one pass, through which gradients come back at little cost."""
    return isinstance(model, HasLatents) and not model.spec.is_points and model.evaluations() <= 1


def compute(subject: Subject) -> dict[str, Estimate]:
    """{"inversion_psnr", "code_psnr"} of the first 16 test images."""
    model, images = subject.model, subject.real.x[:IMAGES]
    condition = subject.real.condition.select(slice(0, len(images)))
    errors = inverted(subject, images, condition)
    found = {"inversion_psnr": _psnr_estimate(errors), "code_psnr": _no_code(len(images))}
    if isinstance(model, Encodes):
        with at_rest(subject.model):
            code = model.encode(images)
            if code.is_floating_point():
                found["code_psnr"] = _psnr_estimate(_errors(model.decode(code), images))
    return found


def inverted(subject: Subject, images: Tensor, condition: Condition) -> Tensor:
    """(B,) mean squared error per value of the best image found for each of `images` (B, C, H, W)."""
    model = subject.model
    assert isinstance(model, HasLatents)
    rows = torch.arange(len(images), device=subject.device).repeat_interleave(STARTS)
    target, asked = images[rows], condition.select(rows)
    z = model.draw_latents(subject.noise(len(rows), 6)).clone().requires_grad_()
    optimizer = torch.optim.Adam([z], lr=LR)
    best = torch.full((len(rows),), torch.inf, device=subject.device)
    with at_rest(subject.model):
        for _ in range(STEPS + 1):
            with torch.enable_grad():
                errors = _errors(model.from_latents(z, asked), target)
                (z.grad,) = torch.autograd.grad(errors.sum(), z)  # a sum: no image's step depends on the others
            best = torch.fmin(best, errors.detach())
            optimizer.step()
    return best.view(len(images), STARTS).amin(1)


def _errors(made: Tensor, images: Tensor) -> Tensor:
    return (made - images).square().flatten(1).mean(1)


def psnr(errors: Tensor) -> Tensor:
    """Mean squared errors of images in [-1, 1] -> decibels, at most 100."""
    return 10 * (math.log10(4) - errors.clamp(min=LEAST_ERROR).log10())


def _psnr_estimate(errors: Tensor) -> Estimate:
    finite = errors.cpu().double().nan_to_num(nan=4.0, posinf=4.0).clamp(max=4.0)  # no image is worse than black for white
    return mean_estimate(psnr(finite), better="higher", n_real=len(finite))


def _no_code(n: int) -> Estimate:
    return Estimate(value=None, n=n, better="higher", reason="the model has no encoder with continuous codes")


diagnostic = Diagnostic(
    applies=applies,
    compute=compute,
    reports={
        "inversion_psnr": Reading(
            meaning=(
                "Peak signal to noise in decibels of test images made from the best latent that 100 steps of Adam find from "
                "four starts: what the generator can make at all."
            ),
            usual=(15.0, None),
            advice="the generator cannot make what it was asked for: look for lost modes, widen it or its latents",
        ),
        "code_psnr": Reading(
            meaning="Peak signal to noise in decibels of test images made from the code that the encoder gives them.",
            usual=(15.0, None),
            advice="where `inversion_psnr` is well above, the encoder is at fault; else code and decoder hold too little",
        ),
    },
    quick=False,
    source="Abdal et al. 2019, https://arxiv.org/abs/1904.03189",
)
