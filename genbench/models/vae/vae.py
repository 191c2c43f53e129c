"""The variational autoencoder with a Gaussian, a Bernoulli or a categorical decoder.

    log p(x) >= E_q(z|x) [log p(x|z)] - KL(q(z|x) || N(0, I)),   q(z|x) = N(mean(x), diag var(x))

Both terms are sums over an image's values and its latents, with every constant: a squared error that is averaged over pixels
while the divergence is summed would be another model (a silent beta). The divergence is switched on over the first fifth of
training, so that the latents are not switched off before the decoder can use them.

Samples show the mean of p(x|z) by default, as figures and FIDs of VAEs in the literature do: given z the pixels are
independent, so a draw adds noise that no image has. The knob `pixel_noise` = 1 gives the draw, which is what the likelihood
is of. Networks are small: convolutions without normalisation, a perceptron for 8x8.

The decoder begins at the data's averages, and the encoder drops hidden units: with neither, a short training leaves the
latents far from the prior, and a long one on a thousand images makes the encoder sure of those and wrong on others (on
scikit-learn's digits the held-out bound of the categorical decoder was 5.6 bits per dimension without and 3.1 with them).
What it reaches is measured: benchmarks/README.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from genbench import images
from genbench.batch import Batch, Condition, DataSpec
from genbench.models.base import GenerativeModel, Knob, Likelihood
from genbench.models.stages import Phase, Recipe, Stage
from genbench.models.vae.base import (
    BernoulliObservation,
    CategoricalObservation,
    GaussianObservation,
    Network,
    Observation,
    decoder_network,
    default_network,
    encoder_network,
    gaussian_kl,
    gaussian_log_prob,
)
from genbench.seeding import Noise

WARMUP = 0.2  # share of training over which the divergence's weight rises from 0 to 1
DROPOUT = 0.3  # of the encoder, which otherwise becomes too sure of a thousand images it has seen often, and wrong on others

OBSERVATIONS: Mapping[str, type[Observation]] = {
    "gaussian": GaussianObservation,
    "bernoulli": BernoulliObservation,
    "categorical": CategoricalObservation,
}


class VAE(GenerativeModel):
    """z ~ N(0, I), x ~ p(x|z).

    decoder: "gaussian" with a learned standard deviation, on dequantised values; "bernoulli", on binarised images;
        "categorical", on the exact levels. `observation.observed` says which, and numbers of different kinds do not compare.
    network: None chooses by size; "linear" makes probabilistic PCA of the Gaussian decoder.
    """

    title = "VAE"
    paper = "Kingma and Welling 2013, https://arxiv.org/abs/1312.6114"
    recipe = Recipe(lr=1e-3, batch_size=64, warmup=100, decay="cosine")
    tiny: ClassVar[Mapping[str, Any]] = {"latents": 4, "channels": 4}
    likelihood: Likelihood = "lower bound"
    knobs: ClassVar[Mapping[str, Knob]] = {
        "pixel_noise": Knob(0.0, (0.0, 0.5, 1.0), "from the mean of p(x|z), smooth, to a draw from it, with independent noise"),
        "temperature": Knob(1.0, (0.5, 0.7, 0.85, 1.0), "standard deviation of z: more variety, fewer typical images"),
    }

    typical: Tensor

    def __init__(
        self,
        spec: DataSpec,
        *,
        decoder: Literal["gaussian", "bernoulli", "categorical"] = "gaussian",
        latents: int = 16,
        channels: int = 32,
        network: Network | None = None,
    ) -> None:
        super().__init__(spec)
        if spec.levels == 0 and decoder != "gaussian":
            raise ValueError(f"the data are continuous and a {decoder} decoder is for levels; use decoder='gaussian'")
        network = network or default_network(spec)
        self.latents = latents
        self.observation = OBSERVATIONS[decoder](spec)
        if self.observation.observed == "binarised images":
            self.likelihood = "lower bound, binarised"
        outputs = (spec.channels * self.observation.per_value, spec.height, spec.width)
        self.register_buffer("typical", torch.zeros(outputs))
        self.encoder = encoder_network(spec, 2 * latents, network=network, channels=channels, dropout=DROPOUT)
        self.decoder = decoder_network(spec, latents, per_value=self.observation.per_value, network=network, channels=channels)

    def stages(self) -> list[Stage]:
        phase = Phase(name="elbo", modules=(self.encoder, self.decoder, self.observation), loss=self._loss)
        return [Stage(phases=(phase,), prepare=self._prepare)]

    def _prepare(self, batch: Batch) -> None:
        """Let the decoder begin at the data's averages. It would learn them slowly, and until then the encoder would shift
        the latents away from the prior to make up for it."""
        self.typical.copy_(self.observation.typical(self.observation.observe(batch.x, torch.rand_like(batch.x))))

    def _outputs(self, z: Tensor) -> Tensor:
        """(B, latents) -> what `observation` takes, (B, C * per_value, H, W)."""
        return self.decoder(z) + self.typical

    def _loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        observed = self.observation.observe(batch.x, torch.rand_like(batch.x))
        mean, log_var = self._posterior(observed)
        z = mean + (0.5 * log_var).exp() * torch.randn_like(mean)
        fit = self.observation.log_prob(self._outputs(z), observed).mean()
        kl = gaussian_kl(mean, log_var).sum(1).mean()
        loss = min(1.0, progress / WARMUP) * kl - fit
        return {"loss": loss, "elbo": (fit - kl).detach(), "kl": kl.detach()}

    def _posterior(self, observed: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance (B, latents) of q(z|x)."""
        mean, log_var = self.encoder(observed).float().chunk(2, dim=1)
        return mean, log_var

    def sample(
        self, noise: Noise, condition: Condition, *, pixel_noise: float = 0.0, temperature: float = 1.0, **knobs: float
    ) -> Tensor:
        outputs = self._outputs(temperature * self.draw_latents(noise))
        x = self.observation.mean(outputs)
        if pixel_noise:
            x = x.lerp(self.observation.draw(outputs, noise), pixel_noise)
        levels = self.spec.levels
        return images.from_levels(images.to_levels(x, levels), levels) if levels else x

    @torch.no_grad()
    def log_prob(self, batch: Batch, noise: Noise) -> Tensor:
        """(B,) evidence lower bound of the log probability of `observation.observed`, in nats.

        The divergence is in closed form, the fit that of one draw of z.
        """
        observed = self.observation.observe(batch.x, noise.uniform(*self.spec.shape))
        mean, log_var = self._posterior(observed)
        fit, _ = self._fit_at_draw(observed, mean, log_var, noise)
        return fit - gaussian_kl(mean, log_var).sum(1)

    @torch.no_grad()
    def importance_bound(self, batch: Batch, noise: Noise, draws: int) -> Tensor:
        """(B,) lower bound in nats, tighter the more draws: log of the mean of p(x, z) / q(z|x) over them.

        Source: Burda et al. 2015, https://arxiv.org/abs/1509.00519, equation 8.
        """
        observed = self.observation.observe(batch.x, noise.uniform(*self.spec.shape))
        mean, log_var = self._posterior(observed)
        weights = [self._log_weight(observed, mean, log_var, noise) for _ in range(draws)]
        return torch.stack(weights).logsumexp(0) - math.log(draws)

    def _fit_at_draw(self, observed: Tensor, mean: Tensor, log_var: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
        """log p(x|z) (B,) at a draw z (B, latents) from q(z|x), and z."""
        z = mean + (0.5 * log_var).exp() * noise.normal(self.latents)
        return self.observation.log_prob(self._outputs(z), observed), z

    def _log_weight(self, observed: Tensor, mean: Tensor, log_var: Tensor, noise: Noise) -> Tensor:
        """(B,) log of p(x, z) / q(z|x) at a draw from q."""
        fit, z = self._fit_at_draw(observed, mean, log_var, noise)
        prior = gaussian_log_prob(z, torch.zeros_like(z), torch.zeros_like(z))
        return fit + prior - gaussian_log_prob(z, mean, log_var)

    def draw_latents(self, noise: Noise) -> Tensor:
        """(len(noise), latents) standard normal."""
        return noise.normal(self.latents)

    def from_latents(self, z: Tensor, condition: Condition) -> Tensor:
        """(B, latents) -> (B, C, H, W), the mean of p(x|z)."""
        return self.decode(z)

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of q(z|x) for what is observed of x when chance takes its middle value."""
        mean, log_var = self._posterior(self.observation.observe(x, torch.full_like(x, 0.5)))
        return mean, (0.5 * log_var).exp()

    def encode(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, latents), the mean of `posterior`."""
        return self.posterior(x)[0]

    def decode(self, z: Tensor) -> Tensor:
        """(B, latents) -> (B, C, H, W), the mean of p(x|z)."""
        return self.observation.mean(self._outputs(z))
