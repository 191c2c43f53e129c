"""A discriminator that is right leaves its generator without a gradient; which loss one minimises decides how badly.

    python examples/games/vanishing_gradients.py [-o picture.png]

The experiment of Arjovsky and Bottou 2017, https://arxiv.org/abs/1701.04862, figure 2, on lines in the plane: real points are
(0, u) with u uniform in [0, 1], and the generator, an affine map G(z) = W z + b, is kept at (theta, z). Against it a
discriminator is trained from scratch, longer and longer. At each stage the norm of the generator's gradient is taken for

    minimax          mean log(1 - D(G(z)))     gradient: mean of      D  times the logit's, so it dies as D(G(z)) -> 0
    non-saturating   -mean log D(G(z))         gradient: mean of 1 - D  times the logit's, which a sure D leaves alone
    Wasserstein      -mean f(G(z))             of a critic of its own, trained as WGAN-GP; the distance |theta| between the
                                               lines has the gradient (1, 1/2) in (b, W), of norm √1.25, wherever they are

The lines do not meet, so that a perfect discriminator exists. A GAN's real data are no lines, but as thin in their space.
Takes about ten seconds on one core.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from genbench.models.gan.base import (
    minimax_critic,
    minimax_generator,
    non_saturating_generator,
    wasserstein_critic,
    wasserstein_generator,
)
from genbench.models.gan.wgan_gp import gradient_penalty

STAGES = (1, 10, 30, 100, 200, 400, 700, 1000, 1500, 2000)  # steps of the discriminator
BATCH, RATE, PENALTY = 256, 1e-3, 10.0
WASSERSTEIN = math.log10(math.sqrt(1.25))  # of the exact distance


@dataclass(frozen=True)
class Measured:
    """log10 of the norm of the generator's gradient after so many steps; `fooled`: mean D(G(z))."""

    steps: int
    minimax: float
    non_saturating: float
    wasserstein: float
    fooled: float


def generator(theta: float) -> nn.Linear:
    """z (B, 1) in [0, 1] -> the line at distance theta, (theta, z)."""
    affine = nn.Linear(1, 2)
    affine.weight.data = torch.tensor([[0.0], [1.0]])
    affine.bias.data = torch.tensor([theta, 0.0])
    return affine


def network() -> nn.Sequential:
    """(B, 2) -> (B,)."""
    return nn.Sequential(
        nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1), nn.Flatten(0)
    )


def real_points(n: int, chance: torch.Generator) -> Tensor:
    """(n, 2) points of the line at 0."""
    return torch.cat([torch.zeros(n, 1), torch.rand(n, 1, generator=chance)], dim=1)


def log_norm(loss: Tensor, model: nn.Module) -> float:
    """log10 of the norm of the gradient of `loss` in all parameters of `model`."""
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    norm = float(torch.cat([gradient.flatten() for gradient in gradients]).double().norm())
    return math.log10(max(norm, 1e-300))


def measure(theta: float, stages: Sequence[int] = STAGES, seed: int = 0) -> Iterator[Measured]:
    """The gradients at each stage, on 1,024 fixed z; discriminator and critic start from the same weights."""
    torch.manual_seed(seed)
    chance = torch.Generator().manual_seed(seed)
    frozen, discriminator, critic = generator(theta), network(), network()
    critic.load_state_dict(discriminator.state_dict())
    step_discriminator = torch.optim.Adam(discriminator.parameters(), lr=RATE)
    step_critic = torch.optim.Adam(critic.parameters(), lr=RATE, betas=(0.0, 0.9))
    z = (torch.arange(1024)[:, None] + 0.5) / 1024
    for step in range(1, max(stages) + 1):
        real = real_points(BATCH, chance)
        with torch.no_grad():
            fake = frozen(torch.rand(BATCH, 1, generator=chance))
        _minimise(minimax_critic(discriminator(real), discriminator(fake)), step_discriminator)
        penalty = PENALTY * gradient_penalty(critic, real=real, fake=fake)
        _minimise(wasserstein_critic(critic(real), critic(fake)) + penalty, step_critic)
        if step in stages:
            yield Measured(
                step,
                log_norm(minimax_generator(discriminator(frozen(z))), frozen),
                log_norm(non_saturating_generator(discriminator(frozen(z))), frozen),
                log_norm(wasserstein_generator(critic(frozen(z))), frozen),
                float(discriminator(frozen(z)).detach().sigmoid().mean()),
            )


def _minimise(loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def decades_lost(measured: Sequence[Measured]) -> float:
    """Decades that the minimax gradient falls per 1,000 steps of the discriminator, from where it is largest to the end."""
    peak, last = max(measured, key=lambda row: row.minimax), measured[-1]
    return (peak.minimax - last.minimax) / max(1, last.steps - peak.steps) * 1000


def table(measured: Sequence[Measured], theta: float) -> str:
    lines = [
        f"log10 |gradient| of a generator kept at distance {theta}, against discriminators trained for ever longer",
        f"{'steps':>6} {'minimax':>9} {'non-saturating':>15} {'Wasserstein':>12} {'mean D(G(z))':>13}",
    ]
    for row in measured:
        steps, minimax, non_saturating, wasserstein, fooled = astuple(row)
        lines.append(f"{steps:6d} {minimax:9.2f} {non_saturating:15.2f} {wasserstein:12.2f} {fooled:13.1e}")
    lines.append(f"theory {'-> -inf':>8} {'does not die':>15} {WASSERSTEIN:12.2f} {'-> 0':>13}")
    lines.append(f"minimax loses {decades_lost(measured):.1f} decades per 1,000 steps")
    return "\n".join(lines)


def draw(output: Path, measured: Sequence[Measured], theta: float) -> None:
    """The three gradients against the discriminator's steps."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 4.4), layout="constrained")
    axes = figure.subplots()
    steps = [row.steps for row in measured]
    axes.plot(steps, [row.minimax for row in measured], "o-", color="tab:red", label="minimax")
    axes.plot(steps, [row.non_saturating for row in measured], "o-", color="tab:blue", label="non-saturating")
    axes.plot(steps, [row.wasserstein for row in measured], "o-", color="tab:green", label="Wasserstein (WGAN-GP)")
    axes.axhline(WASSERSTEIN, color="tab:green", linestyle=":", label="exact Wasserstein distance")
    axes.set(
        xlabel="steps of the discriminator",
        ylabel="log10 |gradient of the generator|",
        title=f"A frozen generator at distance {theta}",
    )
    axes.legend()
    figure.savefig(output, dpi=120)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--theta", type=float, default=0.5, help="distance of the generator's line from the real one")
    parser.add_argument("--steps", type=int, default=max(STAGES), help="of the discriminator and of the critic")
    parser.add_argument("-o", "--output", type=Path, help="write a picture")
    options = parser.parse_args(arguments)
    if options.output and (options.output.suffix != ".png" or not options.output.absolute().parent.is_dir()):
        parser.error(f"-o {options.output}: the picture is a .png in a folder that exists")
    stages = sorted({stage for stage in STAGES if stage < options.steps} | {options.steps})
    measured = list(measure(options.theta, stages))
    print(table(measured, options.theta))
    if options.output:
        draw(options.output, measured, options.theta)
    return 0


if __name__ == "__main__":
    sys.exit(main())
