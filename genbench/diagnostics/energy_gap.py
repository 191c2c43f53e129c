"""Whether an energy-based model's samples and real images have the same energy, and noise a higher one.

    energy_gap        mean E(test images) - mean E(samples)
    energy_contrast   mean E(uniform noise) - mean E(test images)
    energy_memory     mean E(test images) - mean E(training images)

The gradient of the log likelihood is that of -gap: with samples from the model itself the gap is 0 at the optimum. Far above 0
the chains find valleys where no image is, the way to oversaturated pictures; far below 0 they do not reach the images' valley
in the steps they have (Du and Mordatch 2019, https://arxiv.org/abs/1903.08689; Nijkamp et al. 2020,
https://arxiv.org/abs/1903.12370, on chains that are too short).

Energies have no unit of their own, so the gap is also given relative to the contrast, in the details.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from genbench.diagnostics._estimates import finite_difference
from genbench.diagnostics._passes import at_rest, in_blocks
from genbench.diagnostics.base import Diagnostic, Reading, Subject
from genbench.estimate import Estimate
from genbench.models.base import GenerativeModel, HasEnergy


def applies(model: GenerativeModel) -> bool:
    """Whether images have an energy."""
    return isinstance(model, HasEnergy)


def compute(subject: Subject) -> Mapping[str, Estimate]:
    """Of test images, training images, samples and as much uniform noise in [-1, 1]."""
    model, real = subject.model, subject.real.x
    assert isinstance(model, HasEnergy)
    samples = subject.samples
    uniform = 2 * subject.noise(len(real), "energy_gap/uniform").uniform(*real.shape[1:]) - 1
    with at_rest(subject.model):
        test, trained, sampled, noise = (energies(model, x) for x in (real, subject.trained_on.x, samples, uniform))
    gap, contrast = finite_difference(test, sampled), finite_difference(noise, test, better="higher")
    if gap.value is not None and contrast.value:
        gap = replace(gap, details={"relative": gap.value / contrast.value})
    return {
        "energy_gap": gap,
        "energy_contrast": contrast,
        "energy_memory": finite_difference(test, trained),
    }


def energies(model: HasEnergy, x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N,) float64 on the CPU."""
    return in_blocks(model.energy, x).double().cpu()


diagnostic = Diagnostic(
    applies=applies,
    compute=compute,
    reports={
        "energy_gap": Reading(
            meaning="mean energy of test images less that of samples, in the model's own units; details give it relative to "
            "energy_contrast",
            usual=(-0.5, 0.5),
            advice="below 0: samples stay above the images' energies, so take more steps or larger ones; above 0: they fall "
            "into valleys without images, so add noise to the dynamics, weigh squared energies, bound the gradient, renew the "
            "buffer",
        ),
        "energy_contrast": Reading(
            meaning="mean energy of uniform noise less that of test images; above 0, real images are the likelier ones",
            usual=(0.1, None),
            advice="the energy is flat or upside down: train longer, or with more steps to an update",
        ),
        "energy_memory": Reading(
            meaning="mean energy of test images less that of training images; above 0 the energy has wells at what it was "
            "shown",
            usual=(None, 0.2),
            advice="overfitting: noise on real images, augmentation, weight decay, stop earlier",
        ),
    },
    quick=True,
    source="Du and Mordatch 2019, https://arxiv.org/abs/1903.08689",
)
