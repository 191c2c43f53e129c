"""Whether a variational autoencoder uses its latents, or its posterior has collapsed to the prior.

    active units   latents u with Var_x E[u | x] > 0.01 (Burda et al. 2015, https://arxiv.org/abs/1509.00519, section 5.2)
    rate           mean over x of KL(q(z|x) || N(0, I)), what the bound charges for an image's code
    information    I(x; z) = mean over x of log q(z|x) / q(z),  z ~ q(z|x),  q(z) = mean over x of q(z|x)

The rate bounds the information from above; the rest of it is paid for codes that as a whole are not like the prior (Hoffman
and Johnson 2016, ELBO surgery). q(z) is the mixture over the n images at hand. So this is the information about which of them
was encoded, at most log n nats, and a latent that says more than that cannot be told from one that says just that.

A decoder that can do without z does: the cheapest code is none, and an image then costs nothing in the rate and all in the
reconstruction. Usual causes are a strong autoregressive decoder, a divergence switched on too early, or its weight beta > 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from genbench.diagnostics._estimates import finite_mean
from genbench.diagnostics._passes import at_rest, blocks
from genbench.diagnostics.base import Diagnostic, Reading, Subject
from genbench.estimate import Estimate, normal_interval
from genbench.models.base import GenerativeModel, Infers

ACTIVE = 0.01  # variance of a latent's mean over the images from which it counts as active
ROWS = 256  # of the densities of all codes under all posteriors at a time


def applies(model: GenerativeModel) -> bool:
    """Whether there is a Gaussian posterior to look at."""
    return isinstance(model, Infers)


def posteriors(model: Infers, x: Tensor) -> tuple[Tensor, Tensor]:
    """(N, C, H, W) -> mean and standard deviation (N, L) of q(z|x), float64 on the CPU."""
    parts = [model.posterior(x[block]) for block in blocks(len(x))]
    return torch.cat([mean for mean, _ in parts]).double().cpu(), torch.cat([std for _, std in parts]).double().cpu()


def compute(subject: Subject) -> Mapping[str, Estimate]:
    """On test images; the codes are one draw from each image's posterior."""
    model = subject.model
    assert isinstance(model, Infers)
    with at_rest(subject.model):
        mean, std = posteriors(model, subject.real.x)
    normal = subject.noise(len(mean), "posterior_collapse/codes").normal(mean.shape[1]).double().cpu()
    return {"active_units": active_units(mean), "rate": rate(mean, std), "information": information(mean, std, normal)}


def active_units(mean: Tensor) -> Estimate:
    """Number of latents whose posterior mean (N, L) varies over the images, by the rule of Burda et al.

    details: `latents`, how many there are; `undecided`, those whose variance is not two standard errors from the threshold.
    """
    n, latents = mean.shape
    if not mean.isfinite().all():
        return Estimate(value=None, n=n, better="higher", reason="posterior means are not finite")
    squares = (mean - mean.mean(0)).square()
    variance = squares.mean(0)
    error = squares.std(0) / math.sqrt(n) if n > 1 else torch.zeros_like(variance)
    undecided = ((variance - ACTIVE).abs() < 2 * error).sum()
    return Estimate(
        value=float((variance > ACTIVE).sum()),
        n=n,
        better="higher",
        reason="a count of latents above a threshold; details say how many lie too near to it to be sure",
        details={"latents": float(latents), "undecided": float(undecided)},
    )


def rate(mean: Tensor, std: Tensor) -> Estimate:
    """Mean KL(q(z|x) || N(0, I)) in nats per image of posteriors (N, L); details: that of each latent, the largest first."""
    each = 0.5 * (mean.square() + std.square() - 1) - std.log()
    found = finite_mean(each.sum(1), better="higher")
    if found.value is None:
        return found
    largest = each.mean(0).sort(descending=True).values
    details = {f"latent_{place:02d}": float(value) for place, value in enumerate(largest)}
    return replace(found, details=details)


def information(mean: Tensor, std: Tensor, normal: Tensor) -> Estimate:
    """I(x; z) in nats between an image drawn from the N and its code mean + std * normal; all (N, L) float64.

    An image pulls at the value by its own logarithm and by what its posterior adds to q(z) at the codes of the others.
    """
    n = len(mean)
    z = mean + std * normal
    if not (z.isfinite().all() and bool((std > 0).all())):
        return Estimate(value=None, n=n, better="higher", reason="posteriors are not finite")
    precision = std.square().reciprocal()
    constant = (mean.square() * precision).sum(1) + 2 * std.log().sum(1)
    logs, weight = [], torch.zeros(n, dtype=torch.float64)
    for start in range(0, n, ROWS):
        rows = torch.arange(start, min(start + ROWS, n))
        part = z[rows]
        # The exponent's square in full would need (ROWS, N, L) numbers.
        densities = -0.5 * (part.square() @ precision.T - 2 * part @ (mean * precision).T + constant)
        mixture = densities.logsumexp(1)
        logs.append(densities[torch.arange(len(rows)), rows] - mixture + math.log(n))
        weight += (densities - mixture[:, None]).exp().sum(0)
    each = torch.cat(logs)
    value = float(each.mean())
    if n < 2:
        return Estimate(value=value, n=n, better="higher", reason="one value has no spread")
    pull = each - value - (weight - 1)
    se = float(pull.std()) / math.sqrt(n)
    return Estimate(
        value=value,
        se=se,
        ci=normal_interval(value, se),
        method="influence",
        n=n,
        better="higher",
        details={"ceiling": math.log(n)},
    )


diagnostic = Diagnostic(
    applies=applies,
    compute=compute,
    reports={
        "active_units": Reading(
            meaning="number of latents whose posterior mean changes with the image; the others are noise that the decoder has "
            "learned to ignore",
            usual=(2.0, None),
            advice="posterior collapse: switch the divergence on more slowly, lower its weight beta, leave each latent some "
            "free nats, or give the decoder less power of its own",
        ),
        "rate": Reading(
            meaning="divergence of the posterior from the prior in nats per image, what the bound pays for the code; 0 says "
            "that every image has the same code",
            usual=(1.0, None),
            advice="near 0: posterior collapse, see active_units",
        ),
        "information": Reading(
            meaning="nats that a drawn code tells about which of the n images it is of, between 0 and log n",
            usual=(1.0, None),
            advice="near 0 while the rate is not: all images share one posterior away from the prior, so the rate buys "
            "nothing; near 0 with it: posterior collapse",
        ),
    },
    quick=True,
    source="Burda et al. 2015, https://arxiv.org/abs/1509.00519",
)
