"""Generators so small that what a diagnostic should find is known in closed form."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from genbench.batch import Condition, DataSpec, Examples
from genbench.data.dataset import Dataset
from genbench.diagnostics.base import Subject
from genbench.models.base import GenerativeModel
from genbench.models.stages import Stage
from genbench.seeding import Noise

POINTS = DataSpec(channels=2, height=1, width=1, levels=0)
GREY = DataSpec(channels=1, height=8, width=8)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def points(n: int = 200) -> Dataset:
    """Draws from N(0, I) in the plane."""
    drawn = Examples(images=torch.randn(3 * n, 2, 1, 1, generator=seeded(0)))
    train, validation, test = (drawn.select(slice(part * n, (part + 1) * n)) for part in range(3))
    return Dataset(name="normal", spec=POINTS, train=train, validation=validation, test=test)


def textures(n: int, seed: int, size: int = 8) -> Tensor:
    """(n, 1, size, size) smooth random images in [-1, 1]."""
    coarse = torch.rand(n, 1, 4, 4, generator=seeded(seed))
    return 2 * F.interpolate(coarse, (size, size), mode="bilinear") - 1


def stored(x: Tensor) -> Examples:
    return Examples(images=((x + 1) * 127.5).round().clamp(0, 255).to(torch.uint8))


def grey(n: int = 200, size: int = 8) -> Dataset:
    """Smooth random images."""
    train, validation, test = (stored(textures(n, seed, size)) for seed in (1, 2, 3))
    spec = DataSpec(channels=1, height=size, width=size)
    return Dataset(name="textures", spec=spec, train=train, validation=validation, test=test)


class Toy(GenerativeModel):
    """A model that was never trained."""

    title, paper = "Toy", "none"

    def stages(self) -> list[Stage]:
        return []


class Drawing(Toy):
    """Hands out given images in turn."""

    def __init__(self, spec: DataSpec, images: Tensor) -> None:
        super().__init__(spec)
        self.images = images
        self.drawn = 0

    def sample(self, noise: Noise, condition: Condition, **knobs: float) -> Tensor:
        rows = torch.arange(self.drawn, self.drawn + len(noise)) % len(self.images)
        self.drawn += len(noise)
        return self.images[rows]


class Latent(Toy):
    """A sample is a function of `latents` normal numbers."""

    latents = 2

    def draw_latents(self, noise: Noise) -> Tensor:
        return noise.normal(self.latents)

    def from_latents(self, z: Tensor, condition: Condition) -> Tensor:
        raise NotImplementedError

    def sample(self, noise: Noise, condition: Condition, **knobs: float) -> Tensor:
        return self.from_latents(self.draw_latents(noise), condition)


class Linear(Latent):
    """x = A z in the plane, and `cliff` further across a cliff of width 1 / `steepness` at z_0 = 0."""

    def __init__(self, matrix: Tensor | None = None, *, cliff: float = 0.0, steepness: float = 1.0) -> None:
        super().__init__(POINTS)
        self.matrix = torch.eye(2) if matrix is None else matrix
        self.cliff, self.steepness = cliff, steepness

    def from_latents(self, z: Tensor, condition: Condition) -> Tensor:
        across = self.cliff * (self.steepness * z[:, :1]).tanh() * torch.tensor([1.0, 0.0])
        return (z @ self.matrix.T + across).reshape(-1, 2, 1, 1)


class Memory(Latent):
    """An average of eight images with weights softmax(sharpness * keys z): one of them alone where `sharpness` is large."""

    latents = 4

    def __init__(self, sharpness: float) -> None:
        super().__init__(GREY)
        self.sharpness = sharpness
        self.keys = torch.randn(8, self.latents, generator=seeded(5))
        self.images = textures(8, 1)

    def from_latents(self, z: Tensor, condition: Condition) -> Tensor:
        weights = (self.sharpness * z @ self.keys.T).softmax(1)
        return torch.einsum("nk,kchw->nchw", weights, self.images)


def subject(model: GenerativeModel, data: Dataset, n: int = 200, seed: int = 0) -> Subject:
    return Subject(model=model.eval(), data=data, n=n, seed=seed)
