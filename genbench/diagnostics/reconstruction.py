"""How much of an image survives the way into the latents and back, on test images and on those trained on.

    mean squared error = mean over an image's values of (decode(encode(x)) - x)²,  x in [-1, 1]
    PSNR = 10 log10 (2² / mean squared error) decibels, the mean over images

What is lost here no sampler can bring back: a model of the latents can at best be as good as the reconstructions. The rounding
of 8 bits is added to the error in the PSNR, so that a perfect way back has 58.9 dB and not infinitely many. A test error that
is much above that of the training images says that the code has learned these by heart.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from genbench.diagnostics._decibels import decibels
from genbench.diagnostics._estimates import finite_difference, finite_mean
from genbench.diagnostics._passes import at_rest, in_blocks
from genbench.diagnostics.base import Diagnostic, Reading, Subject
from genbench.estimate import Estimate
from genbench.models.base import Encodes, GenerativeModel


def applies(model: GenerativeModel) -> bool:
    """Whether images can be encoded and decoded."""
    return isinstance(model, Encodes)


def squared_errors(model: Encodes, x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N,) float64 mean squared error of each image's reconstruction, in units of images in [-1, 1]."""

    def of_block(part: Tensor) -> Tensor:
        return (model.decode(model.encode(part)).double() - part.double()).square().flatten(1).mean(1)

    return in_blocks(of_block, x).cpu()


def compute(subject: Subject) -> Mapping[str, Estimate]:
    """Errors of test images, and how far they lie above those of as many training images."""
    model = subject.model
    assert isinstance(model, Encodes)
    with at_rest(subject.model):
        test, trained = squared_errors(model, subject.real.x), squared_errors(model, subject.trained_on.x)
    return {
        "reconstruction_error": finite_mean(test, better="lower"),
        "reconstruction_psnr": _psnr(test, subject.model.spec.levels),
        "reconstruction_gap": finite_difference(test, trained),
    }


def _psnr(errors: Tensor, levels: int) -> Estimate:
    if levels == 0:
        reason = "continuous data have no largest value, which a PSNR is relative to"
        return Estimate(value=None, n=len(errors), better="higher", reason=reason)
    return finite_mean(decibels(errors), better="higher")


diagnostic = Diagnostic(
    applies=applies,
    compute=compute,
    reports={
        "reconstruction_error": Reading(
            meaning="mean squared error of a reconstructed test image, for values in [-1, 1]; 0 is perfect",
            usual=(None, 0.05),
            advice="too little gets through the latents: more of them or a wider decoder, train longer, a smaller weight on "
            "what pulls the latents towards the prior",
        ),
        "reconstruction_psnr": Reading(
            meaning="peak signal-to-noise ratio of reconstructed test images in decibels: 20 is plainly blurred, 30 looks "
            "fine, 58.9 is perfect to 8 bits",
            usual=(18.0, None),
            advice="as for the error: samples cannot become sharper than the reconstructions",
        ),
        "reconstruction_gap": Reading(
            meaning="mean squared error of test images less that of training images; above 0 the code fits what it has seen",
            usual=(None, 0.01),
            advice="overfitting: more data or augmentation, dropout or weight decay in the encoder, fewer latents, stop "
            "earlier",
        ),
    },
    quick=True,
    source="Hinton and Salakhutdinov 2006, https://doi.org/10.1126/science.1127647",
)
