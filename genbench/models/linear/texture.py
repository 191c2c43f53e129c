"""Stationary textures from one image: asymptotic discrete spot noise and random phase noise.

Both keep what the Fourier transform's modulus says and draw the phase anew. Random phase noise adds a uniform phase to each
frequency; spot noise convolves the image with white noise, which makes its samples Gaussian. All channels receive the same
phase or the same white noise: that keeps the correlation of the colours. The example is first made periodic (Moisan 2011),
or the jump between opposite borders would show as a cross in every sample.

Micro-textures without edges (clouds, sand, bark) come out; anything with a shape does not. A sample is clipped to [-1, 1].

What it reaches is measured: benchmarks/README.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar, Literal

import torch
from torch import Tensor

from genbench.batch import Condition, DataSpec, Examples
from genbench.models.base import GenerativeModel, Task
from genbench.models.stages import Log, Stage
from genbench.seeding import Noise


class Texture(GenerativeModel):
    """mean + the periodic part of the only example with another phase; the same size as the example.

    kind: "random_phase" keeps the modulus exactly; "gaussian" (spot noise) keeps it in the mean over samples.
    """

    title = "Texture from one image"
    paper = "Galerne, Gousseau and Morel 2011, https://doi.org/10.1109/TIP.2010.2052822"
    task: ClassVar[Task] = "single_image"

    mean: Tensor
    spot: Tensor

    def __init__(self, spec: DataSpec, *, kind: Literal["gaussian", "random_phase"] = "random_phase") -> None:
        super().__init__(spec)
        self.kind = kind
        self.register_buffer("mean", torch.zeros(spec.channels, 1, 1))
        impulse = torch.zeros(spec.shape)
        impulse[..., 0, 0] = 0.3 * math.sqrt(spec.height * spec.width)
        self.register_buffer("spot", impulse)  # white noise until there is an example

    def stages(self) -> list[Stage]:
        return [Stage(fit=self._fit)]

    def _fit(self, examples: Examples) -> Iterator[Log]:
        example = examples.batch(slice(0, 1)).x[0].to(self.mean)
        periodic = periodic_part(example)
        self.mean.copy_(periodic.mean((1, 2), keepdim=True))
        self.spot.copy_(periodic - self.mean)
        # No likelihood and no error is minimised; what is logged is how much of the image periodicity takes away.
        yield {"smooth_part": float((example - periodic).square().mean())}

    def sample(self, noise: Noise, condition: Condition, **knobs: float) -> Tensor:
        return self.texture(noise).clamp(-1, 1)

    def evaluations(self, **knobs: float) -> int:
        return 0

    def texture(self, noise: Noise) -> Tensor:
        """len(noise) textures (N, C, H, W) before they are clipped."""
        white = torch.fft.rfft2(noise.normal(1, self.spec.height, self.spec.width))  # the same for all channels
        if self.kind == "random_phase":
            # The phase of white noise is uniform, and odd as that of a real image must be.
            field = torch.polar(torch.ones_like(white.real), white.angle())
        else:
            field = white / math.sqrt(self.spec.height * self.spec.width)
        spectrum = torch.fft.rfft2(self.spot) * field
        return self.mean + torch.fft.irfft2(spectrum, s=(self.spec.height, self.spec.width))


def periodic_part(image: Tensor) -> Tensor:
    """(C, H, W) -> its periodic component, with the same mean; the rest is smooth and carries the jump at the borders.

    Source: Moisan 2011, Periodic plus smooth image decomposition, https://doi.org/10.1007/s10851-010-0227-1: the smooth part
    solves the periodic Poisson equation whose right side is the jump.
    """
    _, height, width = image.shape
    jump = torch.zeros_like(image)
    across_rows, across_columns = image[:, -1] - image[:, 0], image[:, :, -1] - image[:, :, 0]
    jump[:, 0] += across_rows
    jump[:, -1] -= across_rows
    jump[:, :, 0] += across_columns
    jump[:, :, -1] -= across_columns
    rows = torch.fft.fftfreq(height, device=image.device).mul(2 * math.pi).cos()
    columns = torch.fft.rfftfreq(width, device=image.device).mul(2 * math.pi).cos()
    laplacian = 2 * rows.unsqueeze(1) + 2 * columns - 4
    laplacian[0, 0] = 1  # the jump has mean 0, and so has the smooth part
    smooth = torch.fft.rfft2(jump) / laplacian
    smooth[:, 0, 0] = 0
    return image - torch.fft.irfft2(smooth, s=(height, width))
