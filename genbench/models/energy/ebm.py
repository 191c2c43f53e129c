"""Energy-based model: a network gives every image an energy, low for real ones, and Langevin dynamics descends it.

Source: Du and Mordatch 2019, Implicit Generation and Generalization in Energy-Based Models, https://arxiv.org/abs/1903.08689.
Training lowers the energy of real images and raises that of the model's own (contrastive divergence). These come from a
replay buffer of chains that each update takes some steps further; a small share starts again at noise.

The probability is exp(-E(x)) / Z with an unknown Z, so there is no likelihood.

Samples: a chain of its own for every index, from uniform noise, and not the buffer's chains, of which there is a fixed number
and to which the network was fitted. Those are 400 steps old on average; a sample takes 200, or as many as `steps` says.

Smaller than the paper: a plain convolutional network instead of a residual one with spectral normalisation, and 20 steps per
update instead of 60; what keeps it stable is the weight on squared energies, the bound of the gradient, and a noise of 0.03
on real images. As in the paper, the noise of the dynamics is far below what theory asks of the step size, which samples at a
low temperature.

What it reaches is measured: benchmarks/README.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn

from genbench.batch import Batch, Condition, DataSpec
from genbench.models.base import GenerativeModel, Knob
from genbench.models.stages import Phase, Recipe, Stage
from genbench.nn.conv_codec import ConvEncoder
from genbench.nn.mlp import MLP
from genbench.seeding import Noise

STEP_SIZE = 10.0
NOISE = 0.005  # standard deviation of what each step of the dynamics adds
LARGEST_GRADIENT = 0.03  # of the energy, for each value of an image
FRESH = 0.05  # share of the chains that start again at noise
TRAINING_STEPS = 20  # that an update takes its chains further
SMALL_ENERGIES = 0.1  # weight of the squared energies
REAL_NOISE = 0.03  # standard deviation, so that the energy has no infinitely steep wells


class EBM(GenerativeModel):
    """channels: of the network's first layer; chains: in the replay buffer."""

    title = "EBM"
    paper = "Du and Mordatch 2019, https://arxiv.org/abs/1903.08689"
    recipe = Recipe(lr=1e-3, betas=(0.0, 0.999), batch_size=32, warmup=20, decay="cosine", clip=0.1)
    tiny: ClassVar = {"channels": 8, "chains": 64}
    knobs: ClassVar = {"steps": Knob(200, (50, 100, 200, 400), "longer chains: further from noise, at more cost")}
    chains: Tensor

    def __init__(self, spec: DataSpec, *, channels: int = 32, chains: int = 1024) -> None:
        super().__init__(spec)
        self.network = _network(spec, channels)
        self.register_buffer("chains", 2 * torch.rand(chains, *spec.shape) - 1)

    def stages(self) -> list[Stage]:
        # Marked for its gradients inside the loss, which want float32 and cannot be compiled.
        phase = Phase(name="contrast", modules=(self.network,), loss=self._loss, second_order=True)
        return [Stage(phases=(phase,))]

    def energy(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B,)."""
        energies: Tensor = self.network(x)
        return energies[:, 0]

    def sample(self, noise: Noise, condition: Condition, *, steps: float = 200, **knobs: float) -> Tensor:
        """Langevin dynamics from uniform noise."""
        start = 2 * noise.uniform(*self.spec.shape) - 1
        return self._descend(start, int(steps), lambda: noise.normal(*self.spec.shape))

    def evaluations(self, *, steps: float = 200, **knobs: float) -> int:
        return int(steps)

    def _loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        """E(real) - E(fake), whose gradient is that of the negative log likelihood, and the regulariser of the energies."""
        fake = self._continue_chains(len(batch))
        real = batch.x + REAL_NOISE * torch.randn_like(batch.x)
        energy_real, energy_fake = self.energy(torch.cat([real, fake])).split([len(real), len(fake)])
        gap = energy_real.mean() - energy_fake.mean()
        square = energy_real.square().mean() + energy_fake.square().mean()
        return {"loss": gap + SMALL_ENERGIES * square, "energy_gap": gap.detach(), "energy_real": energy_real.detach().mean()}

    @torch.no_grad()
    def _continue_chains(self, n: int) -> Tensor:
        """Take n chains of the buffer further; (n, C, H, W), which the buffer holds too."""
        rows = torch.randperm(len(self.chains), device=self.chains.device)[:n]
        held = self.chains[rows]
        fresh = torch.rand(len(rows), *[1] * len(self.spec.shape), device=held.device) < FRESH
        start = torch.where(fresh, 2 * torch.rand_like(held) - 1, held)
        moved = self._descend(start, TRAINING_STEPS, lambda: torch.randn_like(held))
        self.chains[rows] = moved
        return moved

    def _descend(self, start: Tensor, steps: int, normal: Callable[[], Tensor]) -> Tensor:
        bound = 1.0 if self.spec.levels else float("inf")
        for _ in range(steps):
            start = langevin_step(
                self.energy, start, normal(), step_size=STEP_SIZE, noise=NOISE, largest_gradient=LARGEST_GRADIENT
            ).clamp(-bound, bound)
        return start


def langevin_step(
    energy: Callable[[Tensor], Tensor],
    x: Tensor,
    normal: Tensor,
    *,
    step_size: float,
    noise: float,
    largest_gradient: float = float("inf"),
) -> Tensor:
    """x - step_size * gradient of the energy + noise * normal, whatever the gradient mode; nothing else gets a gradient.

    With noise = sqrt(2 step_size) and a small step size, x comes to be distributed as exp(-energy).
    """
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(energy(leaf).sum(), leaf)
    return x.detach() - step_size * gradient.clamp(-largest_gradient, largest_gradient) + noise * normal


def _network(spec: DataSpec, channels: int) -> nn.Module:
    if spec.is_points:
        return nn.Sequential(nn.Flatten(), MLP(spec.dimensions, [4 * channels] * 2, 1))
    halvings = 1 if spec.height < 28 else 2
    cells = (spec.height >> halvings) * (spec.width >> halvings)
    encoder = ConvEncoder(spec.channels, channels, channels=channels, halvings=halvings)
    return nn.Sequential(encoder, nn.Flatten(), MLP(cells * channels, [2 * channels], 1))
