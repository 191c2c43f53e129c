"""Projection: how well a model can make given test images at all, by each of its latent spaces.

Adam moves a latent until its image is as near as it gets to the test image, from several starts of which the best counts, as in
Abdal et al. 2019 (with the plain squared error, a hundred steps and small images). What a generator cannot reach by any latent,
it never samples: dropped modes show as images that come back wrong. Of a model that also encodes, the gap between this and
`reconstruction_psnr` is the encoder's.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genbench.batch import Condition
from genbench.diagnostics._decibels import decibels
from genbench.diagnostics._passes import at_rest
from genbench.diagnostics.base import Diagnostic, Reading, Subject
from genbench.estimate import Estimate, mean_estimate
from genbench.models.base import GenerativeModel, HasLatents

IMAGES, STARTS, STEPS, LR = 16, 4, 100, 0.1


def applies(model: GenerativeModel) -> bool:
    """Images from latents in one pass, through which gradients come back at little cost."""
    return isinstance(model, HasLatents) and not model.spec.is_points and model.evaluations() <= 1


def compute(subject: Subject) -> dict[str, Estimate]:
    """{"inversion_psnr"} of the first 16 test images."""
    images = subject.real.x[:IMAGES]
    condition = subject.real.condition.select(slice(0, len(images)))
    errors = inverted(subject, images, condition).cpu().double()
    errors = errors.nan_to_num(nan=4.0, posinf=4.0).clamp(max=4.0)  # no image is worse than black for white
    return {"inversion_psnr": mean_estimate(decibels(errors), better="higher", n_real=len(errors))}


def inverted(subject: Subject, images: Tensor, condition: Condition) -> Tensor:
    """(B,) mean squared error per value of the best image found for each of `images` (B, C, H, W)."""
    model = subject.model
    assert isinstance(model, HasLatents)
    rows = torch.arange(len(images), device=subject.device).repeat_interleave(STARTS)
    target, asked = images[rows], condition.select(rows)
    z = model.draw_latents(subject.noise(len(rows), "inversion/starts")).clone().requires_grad_()
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


diagnostic = Diagnostic(
    applies=applies,
    compute=compute,
    reports={
        "inversion_psnr": Reading(
            meaning=(
                "Peak signal to noise in decibels of test images made from the best latent that 100 steps of Adam find from "
                "four starts; the best latent of all may do better. Well above `reconstruction_psnr`, the encoder is at fault."
            ),
            usual=(15.0, None),
            advice="the generator cannot make what it was asked for: look for lost modes, widen it or its latents",
        ),
    },
    quick=False,
    source="Abdal et al. 2019, https://arxiv.org/abs/1904.03189",
)
