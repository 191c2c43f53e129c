"""How loose a variational bound is: what importance sampling with K draws gains over the evidence lower bound.

    L_K = E log (1/K) sum_k p(x, z_k) / q(z_k|x),   ELBO = L_1 <= L_8 <= L_64 <= log p(x)

The gain is at most KL(q(z|x) || p(z|x)), and close to it for large K: how badly the encoder knows its own decoder.
Source: Burda et al. 2015, https://arxiv.org/abs/1509.00519, theorem 1.
"""

from __future__ import annotations

import dataclasses
from functools import partial

from genbench.batch import Batch
from genbench.diagnostics._bits import bits
from genbench.diagnostics._estimates import finite_mean
from genbench.diagnostics.base import Diagnostic, Reading, Subject
from genbench.estimate import Estimate
from genbench.models.base import GenerativeModel, Tightens

DRAWS = (1, 8, 64)
IMAGES = 256  # at most
CHANCE = "importance_bound/draws"


def applies(model: GenerativeModel) -> bool:
    """A bound that importance sampling tightens."""
    return isinstance(model, Tightens)


def compute(subject: Subject) -> dict[str, Estimate]:
    """{"importance_gain"}; bits per dimension of the bound and with 1, 8 and 64 draws in the details."""
    model = subject.model
    assert isinstance(model, Tightens)
    n = min(IMAGES, len(subject.real))
    some = Batch(x=subject.real.x[:n], condition=subject.real.condition.select(slice(0, n)))
    bound = bits(subject, model.log_prob, some, CHANCE)
    tighter = {draws: bits(subject, partial(model.importance_bound, draws=draws), some, CHANCE) for draws in DRAWS}
    gain = finite_mean(bound - tighter[max(DRAWS)], better="lower")
    if gain.value is None:
        return {"importance_gain": gain}
    details = {"bound": float(bound.mean())} | {f"bits@{draws}": float(values.mean()) for draws, values in tighter.items()}
    return {"importance_gain": dataclasses.replace(gain, details=details, influence=None)}


diagnostic = Diagnostic(
    applies=applies,
    compute=compute,
    reports={
        "importance_gain": Reading(
            meaning=(
                "Bits per dimension of the evidence lower bound less those with 64 importance samples: how far the encoder's "
                "posterior is from the decoder's. Nearly 0 also where the latents are not used at all."
            ),
            usual=(-0.02, 0.1),
            advice="above: train the encoder longer or widen it; clearly below 0, a density is computed wrongly",
        )
    },
    quick=False,
    source="Burda et al. 2015, https://arxiv.org/abs/1509.00519",
)
