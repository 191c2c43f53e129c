"""A mixture of Gaussians with full covariances, fitted by expectation maximisation (Dempster, Laird and Rubin 1977).

Data are whitened first. The mixture lives in the first `subspace` principal components, where images differ most; the
remaining ones are independent Gaussians that all components share. This is a proper density over all pixels, and with one
component it is the full-covariance Gaussian. EM starts from k-means++ (Arthur and Vassilvitskii 2007). No eigenvalue of a
covariance falls below a floor, so that a component with few examples cannot collapse onto them.

What it reaches is measured: benchmarks/README.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from genbench import images
from genbench.batch import Batch, Condition, DataSpec, Examples
from genbench.models.base import GenerativeModel, Likelihood
from genbench.models.linear.base import BLOCK, Whitening, standard_normal_log_prob
from genbench.models.stages import Log, Stage
from genbench.seeding import Noise


class GMM(GenerativeModel):
    """x = mean + E Λ^(1/2) z, where the first coordinates of z follow a mixture and the others are N(0, I).

    floor: smallest variance of a component in any direction, relative to that of all data there; None: 0.3, and 1e-4 for
        points of the plane, which are many for their two dimensions.
    tolerance: EM stops when an iteration gains less log-likelihood than this, in nats per example.
    """

    title = "Gaussian mixture (EM)"
    paper = "Dempster, Laird and Rubin 1977, https://doi.org/10.1111/j.2517-6161.1977.tb01600.x"
    likelihood: ClassVar[Likelihood] = "exact, dequantised"
    tiny: ClassVar[Mapping[str, Any]] = {"components": 3, "subspace": 4, "iterations": 5}

    log_weights: Tensor
    means: Tensor
    factors: Tensor

    def __init__(
        self,
        spec: DataSpec,
        *,
        components: int = 20,
        subspace: int = 32,
        floor: float | None = None,
        iterations: int = 60,
        tolerance: float = 1e-3,
    ) -> None:
        super().__init__(spec)
        self.whitening = Whitening(spec)
        default_floor = 1e-4 if spec.is_points else 0.3
        self.floor = default_floor if floor is None else floor
        self.iterations, self.tolerance = iterations, tolerance
        dim = min(subspace, spec.dimensions)
        self.register_buffer("log_weights", torch.full((components,), -math.log(components), dtype=torch.float64))
        self.register_buffer("means", torch.zeros(components, dim, dtype=torch.float64))
        self.register_buffer("factors", torch.eye(dim, dtype=torch.float64).repeat(components, 1, 1))

    def stages(self) -> list[Stage]:
        return [Stage(fit=self._fit)]

    def _fit(self, examples: Examples) -> Iterator[Log]:
        self.whitening.fit(examples)
        z, constant = self._coordinates(examples)
        self._maximise(z, _nearest(z, _k_means_plus_plus(z, len(self.means))))
        previous = -math.inf
        for _ in range(self.iterations):
            joint = self._joint_log_prob(z)
            log_likelihood = float(joint.logsumexp(1).mean())
            yield {"loss": -(log_likelihood + constant)}
            if log_likelihood - previous < self.tolerance:
                return
            self._maximise(z, joint.softmax(1))
            previous = log_likelihood

    def _coordinates(self, examples: Examples) -> tuple[Tensor, float]:
        """The subspace's coordinates (N, dim) of one dequantised draw of each example, the same for all iterations.

        And what the mixture does not change: the mean log density of the other coordinates, with the volume.
        """
        parts, rest = [], 0.0
        for start in range(0, len(examples), BLOCK):
            x = examples.batch(slice(start, start + BLOCK)).x
            inside, outside = self._split(images.dequantize(x, self.spec.levels, torch.rand_like(x)))
            parts.append(inside)
            rest += float(standard_normal_log_prob(outside).sum())
        return torch.cat(parts), rest / len(examples) + float(self.whitening.log_volume())

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Dequantised (N, C, H, W) -> whitened coordinates: (N, dim) of the mixture, (N, D - dim) of the shared Gaussian."""
        z = self.whitening.whiten(x)
        return z[:, : self.means.shape[1]], z[:, self.means.shape[1] :]

    def _joint_log_prob(self, z: Tensor) -> Tensor:
        """(N, dim) -> (N, K) log of weight times density of each component; the E step is its softmax."""
        return torch.stack(
            [
                weight - factor.diagonal().log().sum() + standard_normal_log_prob(_solve(factor, z - mean))
                for weight, mean, factor in zip(self.log_weights, self.means, self.factors, strict=True)
            ],
            dim=1,
        )

    def _maximise(self, z: Tensor, responsibilities: Tensor) -> None:
        """The M step: weights, means and covariances in closed form.

        Raising the small eigenvalues of a covariance to the floor is the maximum under that constraint, so the
        log-likelihood never falls.
        """
        counts = responsibilities.sum(0).clamp(min=1e-12)
        self.log_weights.copy_((counts / counts.sum()).log())
        self.means.copy_(responsibilities.T @ z / counts.unsqueeze(1))
        for k, weight in enumerate((responsibilities / counts).T):
            centred = z - self.means[k]
            values, vectors = torch.linalg.eigh((centred * weight.unsqueeze(1)).T @ centred)
            self.factors[k] = torch.linalg.cholesky(vectors * values.clamp(min=self.floor) @ vectors.T)

    def sample(self, noise: Noise, condition: Condition, **knobs: float) -> Tensor:
        k = noise.categorical(self.log_weights.expand(len(noise), -1))
        z = noise.normal(self.spec.dimensions).to(self.means)
        dim = self.means.shape[1]
        z[:, :dim] = self.means[k] + (self.factors[k] @ z[:, :dim, None]).squeeze(2)
        return images.quantize(self.whitening.color(z), self.spec.levels)

    def evaluations(self, **knobs: float) -> int:
        return 0

    def log_prob(self, batch: Batch, noise: Noise) -> Tensor:
        """(B,) exact log density of one dequantised draw of each image, plus the volume of its bin; float64."""
        inside, outside = self._split(images.dequantize(batch.x, self.spec.levels, noise.uniform(*self.spec.shape)))
        mixture = self._joint_log_prob(inside).logsumexp(1)
        return mixture + standard_normal_log_prob(outside) + self.whitening.log_volume()

    def encode(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, K) responsibilities: the probability that each component made the image."""
        inside, _ = self._split(self.whitening.to_bins(x))
        return self._joint_log_prob(inside).softmax(1)

    def decode(self, z: Tensor) -> Tensor:
        """Responsibilities (B, K) -> (B, C, H, W), the mean of the components' mean images."""
        padded = self.means.new_zeros(len(z), self.spec.dimensions)
        padded[:, : self.means.shape[1]] = z.to(self.means) @ self.means
        return self.whitening.to_grid(self.whitening.color(padded))


def _solve(factor: Tensor, centred: Tensor) -> Tensor:
    """(N, dim) coordinates in which the Gaussian with covariance factor factorᵀ is standard normal."""
    return torch.linalg.solve_triangular(factor, centred.T, upper=False).T


def _k_means_plus_plus(z: Tensor, k: int) -> Tensor:
    """(K, dim) rows of z, each drawn in proportion to its squared distance from those drawn before."""
    centres = z[torch.randint(len(z), (1,), device=z.device)]
    for _ in range(k - 1):
        distances = torch.cdist(z, centres).amin(1).square()
        # Where every example is a centre already, any will do.
        centres = torch.cat([centres, z[torch.multinomial(distances + 1e-12, 1)]])
    return centres


def _nearest(z: Tensor, centres: Tensor) -> Tensor:
    """(N, K) responsibilities that are 1 for the nearest centre."""
    return F.one_hot(torch.cdist(z, centres).argmin(1), len(centres)).to(z)
