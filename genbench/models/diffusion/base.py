"""What diffusion models in discrete time share: the path from data to noise, and the way back when the data are known.

x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) eps with eps standard normal; a_t, "alpha bar" in the papers, falls from a_0 = 1 to nearly
0 at t = T. Time is counted as in Ho et al. 2020, https://arxiv.org/abs/2006.11239: t = 0 are data, t = 1..T are noised.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class NoisePath(nn.Module):
    """q(x_t | x_0) and q(x_s | x_t, x_0), s < t, for variances `betas` (T,) of the single steps, in float64.

    Everywhere t and s are int64 (B,) in 0..T and x are (B, ...).
    """

    betas: Tensor  # (T + 1,), the first 0
    signal: Tensor  # (T + 1,) sqrt(a_t)
    noise: Tensor  # (T + 1,) sqrt(1 - a_t)

    def __init__(self, betas: Tensor) -> None:
        super().__init__()
        betas = torch.cat((betas.new_zeros(1), betas))
        kept = (1 - betas).cumprod(0)
        self.register_buffer("betas", betas.float(), persistent=False)
        # Roots of both, taken in float64: 1 - a_1 = 1e-4 would lose half of its digits in float32.
        self.register_buffer("signal", kept.sqrt().float(), persistent=False)
        self.register_buffer("noise", (1 - kept).sqrt().float(), persistent=False)

    @property
    def steps(self) -> int:
        """T."""
        return len(self.signal) - 1

    def diffuse(self, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """x_t (Ho et al. 2020, equation 4)."""
        return _like(self.signal[t], x0) * x0 + _like(self.noise[t], x0) * eps

    def x0_from_eps(self, xt: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """The data that `eps` made into x_t (Ho et al. 2020, below equation 8), for t >= 1."""
        return (xt - _like(self.noise[t], xt) * eps) / _like(self.signal[t], xt)

    def posterior(self, x0: Tensor, xt: Tensor, s: Tensor, t: Tensor, eta: float = 1.0) -> tuple[Tensor, Tensor]:
        """Mean, and standard deviation (B, 1, ...), of x_s given x_t and x_0 (Song et al. 2021, equations 7 and 16).

        eta = 1: the posterior of the path, which for s = t - 1 is Ho et al. 2020, equations 6 and 7; eta = 0: no chance, DDIM
        (https://arxiv.org/abs/2010.02502). Every eta in between leads through the same q(x_t | x_0).
        """
        signal_s, noise_s, signal_t, noise_t = (
            _like(c, xt) for c in (self.signal[s], self.noise[s], self.signal[t], self.noise[t])
        )
        eps = (xt - signal_t * x0) / noise_t
        # The variance of x_t given x_s, relative to that of x_t: 1 - (a_t / a_s) (1 - a_s) / (1 - a_t).
        std = eta * noise_s * (1 - (signal_t * noise_s / (signal_s * noise_t)).square()).clamp(min=0).sqrt()
        return signal_s * x0 + (noise_s.square() - std.square()).clamp(min=0).sqrt() * eps, std


def linear_betas(steps: int, first: float = 1e-4, last: float = 0.02) -> Tensor:
    """(steps,) float64, evenly spaced: the schedule of Ho et al. 2020, section 4, for 1000 steps."""
    return torch.linspace(first, last, steps, dtype=torch.float64)


def _like(coefficient: Tensor, x: Tensor) -> Tensor:
    return coefficient.view(-1, *[1] * (x.ndim - 1))
