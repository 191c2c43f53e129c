"""Whether a translator that can go back has hidden the image in what it shows, in amplitudes that nobody sees.

A cycle loss asks that back(there(x)) is x even where the other domain has no room for all of x; networks then learn to write
the rest into faint patterns (Chu et al. 2017, https://arxiv.org/abs/1712.02950). Such patterns do not survive a little noise:

    fall = PSNR of back(there(x)) + noise  -  PSNR of back(there(x) + noise),   noise ~ N(0, sigma²), in decibels

The noise of the first term is as large as that of the second and comes last, where nothing can amplify it; so a perfect cycle
does not count against a model. A way back that keeps distances has a fall of 0, one that amplifies everything g-fold
20 log10 g, and a pattern of a hundredth of the image's amplitude up to 40.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from genbench.diagnostics._decibels import decibels
from genbench.diagnostics._estimates import finite_mean
from genbench.diagnostics._passes import at_rest, in_blocks
from genbench.diagnostics.base import Diagnostic, Reading, Subject
from genbench.estimate import Estimate
from genbench.models.base import Cycles, GenerativeModel

SIGMA = 0.02  # of images in [-1, 1]: 2.5 of 255 levels

Translate = Callable[[Tensor], Tensor]


def cycles(model: GenerativeModel) -> bool:
    """Whether it translates there and back."""
    return isinstance(model, Cycles)


def compute(subject: Subject) -> Mapping[str, Estimate]:
    """Of test images there and back and, where there are some, of their sources the other way round."""
    model = subject.model
    assert isinstance(model, Cycles)
    real = subject.real
    with at_rest(model):
        return {
            **_cycle("image", real.x, model.there, model.back, subject),
            **_cycle("source", real.condition.sources, model.back, model.there, subject),
        }


def _cycle(name: str, x: Tensor | None, out: Translate, home: Translate, subject: Subject) -> dict[str, Estimate]:
    psnr, fall = f"{name}_cycle_psnr", f"{name}_cycle_fall"
    if x is None:
        reason = "the data have no sources to start from"
        return {
            psnr: Estimate(value=None, n=0, better="higher", reason=reason),
            fall: Estimate(value=None, n=0, better="lower", reason=reason),
        }
    clean, noised = _errors(x, out, home, subject)
    return {
        psnr: finite_mean(decibels(clean), better="higher"),
        fall: finite_mean(decibels(clean + SIGMA**2) - decibels(noised), better="lower"),
    }


def _errors(x: Tensor, out: Translate, home: Translate, subject: Subject) -> tuple[Tensor, Tensor]:
    """Mean squared errors (N,), float64, of the cycle as it is and of that through a noised translation."""
    shown = in_blocks(out, x)
    noise = SIGMA * subject.noise(len(x), "cycle_steganography/corruption").normal(*shown.shape[1:])
    found = []
    for translation in (shown, shown + noise):
        returned = in_blocks(home, translation)
        found.append((returned - x).double().square().flatten(1).mean(1).cpu())
    return found[0], found[1]


def _psnr(what: str) -> Reading:
    return Reading(meaning=f"PSNR in dB of {what}; 58.9 is perfect to within 8 bits.")


def _fall(what: str) -> Reading:
    return Reading(
        meaning=f"Fall in dB of that PSNR when the {what} in the middle gets noise of sigma {SIGMA} instead of the result.",
        usual=(None, 10.0),
        advice="The cycle lives on amplitudes that nobody sees. Add noise to translations before the way back in training, "
        "lower the weight of the cycle loss, or let the discriminator see finer detail.",
    )


diagnostic = Diagnostic(
    applies=cycles,
    compute=compute,
    reports={
        "image_cycle_psnr": _psnr("test images translated there and back"),
        "image_cycle_fall": _fall("translation"),
        "source_cycle_psnr": _psnr("sources translated to images and back"),
        "source_cycle_fall": _fall("image"),
    },
    quick=True,
    source="Chu et al. 2017, https://arxiv.org/abs/1712.02950",
)
