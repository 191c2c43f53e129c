"""Two parallel lines: the Jensen-Shannon divergence says "different", the Wasserstein distance says how far.

    python examples/games/parallel_lines.py [-o picture.png]

Real points are (0, u), fake ones (theta, u), with u uniform in [0, 1]: example 1 of Arjovsky et al. 2017,
https://arxiv.org/abs/1701.07875. In nats,

    JS = 0 for theta = 0 and log 2 for every other theta; its slope in theta is 0 wherever there is one
    W1 = |theta|; its slope is 1

Beside the theory stand what a GAN has of it. From a discriminator that minimises its loss L, JS >= log 2 - L / 2, with equality
for the best one. From a WGAN-GP critic, the difference of its mean values; as the penalty lambda is soft, the best critic has
the slope 1 + |theta| / (2 lambda), a little too steep, and the difference is |theta| + theta² / (2 lambda).
Takes about twenty seconds on one core.
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

from genbench.models.gan.base import minimax_critic, wasserstein_critic
from genbench.models.gan.wgan_gp import gradient_penalty

DISTANCES = (-1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0)
BATCH, RATE, PENALTY = 256, 2e-3, 10.0


@dataclass(frozen=True)
class Measured:
    """sorted_w1: from samples, by sorting; js, w1: estimates of the trained discriminator and critic."""

    theta: float
    sorted_w1: float
    js: float
    w1: float


def jensen_shannon(theta: float) -> float:
    """Of the two lines, in nats."""
    return 0.0 if theta == 0 else math.log(2)


def wasserstein(theta: float) -> float:
    """Of the two lines."""
    return abs(theta)


def penalised(theta: float, penalty: float = PENALTY) -> float:
    """What the best critic of WGAN-GP says: max over slopes s of s |theta| - penalty (s - 1)², with that s, times |theta|."""
    return abs(theta) * (1 + abs(theta) / (2 * penalty))


def line(theta: float, n: int, chance: torch.Generator) -> Tensor:
    """(n, 2) points (theta, u)."""
    return torch.cat([torch.full((n, 1), theta), torch.rand(n, 1, generator=chance)], dim=1)


def wasserstein_by_sorting(a: Tensor, b: Tensor) -> float:
    """W1 of two samples (n,) of numbers: on a line the best plan moves the i-th smallest to the i-th smallest."""
    return float((a.sort().values - b.sort().values).abs().mean())


def network() -> nn.Sequential:
    """(B, 2) -> (B,)."""
    return nn.Sequential(
        nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1), nn.Flatten(0)
    )


def estimated_js(theta: float, *, steps: int, seed: int = 0) -> float:
    """log 2 - L / 2 of a discriminator trained for so many steps, on points that it has not seen."""
    torch.manual_seed(seed)
    chance = torch.Generator().manual_seed(seed)
    discriminator = network()
    optimizer = torch.optim.Adam(discriminator.parameters(), lr=RATE)
    for _ in range(steps):
        real, fake = line(0.0, BATCH, chance), line(theta, BATCH, chance)
        _minimise(minimax_critic(discriminator(real), discriminator(fake)), optimizer)
    with torch.no_grad():
        loss = minimax_critic(discriminator(line(0.0, 4096, chance)), discriminator(line(theta, 4096, chance)))
    return math.log(2) - float(loss) / 2


def estimated_w1(theta: float, *, steps: int, seed: int = 0) -> float:
    """The difference of the mean values of a WGAN-GP critic trained for so many steps, on points that it has not seen."""
    torch.manual_seed(seed)
    chance = torch.Generator().manual_seed(seed)
    critic = network()
    optimizer = torch.optim.Adam(critic.parameters(), lr=RATE, betas=(0.0, 0.9))
    decay = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, total_iters=steps)
    for _ in range(steps):
        real, fake = line(0.0, BATCH, chance), line(theta, BATCH, chance)
        penalty = PENALTY * gradient_penalty(critic, real=real, fake=fake)
        _minimise(wasserstein_critic(critic(real), critic(fake)) + penalty, optimizer)
        decay.step()
    with torch.no_grad():
        return -float(wasserstein_critic(critic(line(0.0, 4096, chance)), critic(line(theta, 4096, chance))))


def _minimise(loss: Tensor, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def measure(distances: Sequence[float] = DISTANCES, *, steps: int = 1000) -> Iterator[Measured]:
    for theta in distances:
        chance = torch.Generator().manual_seed(1)
        real, fake = line(0.0, 4096, chance), line(theta, 4096, chance)
        # Moving along the first coordinate alone is a plan, and looking at it alone shortens no distance: so it is W1.
        by_sorting = wasserstein_by_sorting(real[:, 0], fake[:, 0])
        yield Measured(theta, by_sorting, estimated_js(theta, steps=steps), estimated_w1(theta, steps=steps))


def slope(measured: Sequence[Measured]) -> float:
    """Of the critic's estimate against |theta|: least squares through 0."""
    return sum(abs(row.theta) * row.w1 for row in measured) / sum(row.theta**2 for row in measured)


def table(measured: Sequence[Measured]) -> str:
    lines = [
        f"{'':7} | {'Jensen-Shannon, nats':^21} | {'Wasserstein distance W1':^42}",
        f"{'theta':>7} | {'theory':>7} {'discriminator':>13} | {'theory':>8} {'sorting':>9} {'WGAN-GP':>7} {'at its best':>15}",
    ]
    for row in measured:
        theta, by_sorting, js, w1 = astuple(row)
        left = f"{theta:7.2f} | {jensen_shannon(theta):7.4f} {js:13.4f}"
        lines.append(f"{left} | {wasserstein(theta):8.4f} {by_sorting:9.4f} {w1:7.4f} {penalised(theta):15.4f}")
    lines.append(f"slope of the critic's estimate in |theta|: {slope(measured):.3f}, theory 1")
    return "\n".join(lines)


def draw(output: Path, measured: Sequence[Measured]) -> None:
    """Both distances against theta, theory as lines and estimates as dots."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    thetas = [row.theta for row in measured]
    reach = max(abs(theta) for theta in thetas)
    for side in (-1, 1):
        left.plot([0, side * reach], [math.log(2)] * 2, color="tab:red", label="theory" if side > 0 else None)
    left.plot(0, math.log(2), "o", color="tab:red", markerfacecolor="white")
    left.plot(0, 0, "o", color="tab:red")
    left.plot(thetas, [row.js for row in measured], "kx", label="discriminator")
    left.set(xlabel="theta", ylabel="JS in nats", title="Jensen-Shannon: the same at every distance")
    right.plot([-reach, 0, reach], [reach, 0, reach], color="tab:green", label="theory")
    fine = [reach * (i / 20 - 1) for i in range(41)]
    right.plot(fine, [penalised(theta) for theta in fine], "k:", label="best critic of WGAN-GP")
    right.plot(thetas, [row.w1 for row in measured], "kx", label="trained critic of WGAN-GP")
    right.set(xlabel="theta", ylabel="W1", title="Wasserstein: the distance")
    for axes in (left, right):
        axes.set_xticks([-reach, -reach / 2, 0, reach / 2, reach])
        axes.legend(loc="center right" if axes is left else "upper center")
    figure.savefig(output, dpi=120)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1000, help="of each discriminator and of each critic")
    parser.add_argument("-o", "--output", type=Path, help="write a picture")
    options = parser.parse_args(arguments)
    if options.output and (options.output.suffix != ".png" or not options.output.absolute().parent.is_dir()):
        parser.error(f"-o {options.output}: the picture is a .png in a folder that exists")
    measured = list(measure(steps=options.steps))
    print(table(measured))
    if options.output:
        draw(options.output, measured)
    return 0


if __name__ == "__main__":
    sys.exit(main())
