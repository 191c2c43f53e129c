"""How much of its codebook a model of discrete codes uses.

    usage       exp(entropy of the codes of the test images) / number of codes; 1 if all are used equally often
    dead codes  share of the codes that no test image uses

A codebook collapses because only chosen codes learn: one that starts far from the encoder's outputs is never chosen and never
moves (van den Oord et al. 2017, https://arxiv.org/abs/1711.00937). The few that are left carry everything, and the
reconstructions show it.

Few images cannot show many codes, so a share of dead codes is too high. `bias_corrected` is the first-order jackknife of
Burnham and Overton 1978, made for the number of species in a sample: codes that a single image uses hint at others not seen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from genbench.diagnostics._passes import at_rest, in_blocks
from genbench.diagnostics.base import Diagnostic, Reading, Subject
from genbench.estimate import Estimate, Influence, normal_interval
from genbench.models.base import GenerativeModel, Quantizes


def applies(model: GenerativeModel) -> bool:
    """Whether images are described by indices into a codebook."""
    return isinstance(model, Quantizes)


def compute(subject: Subject) -> Mapping[str, Estimate]:
    """On the codes of the test images."""
    model = subject.model
    assert isinstance(model, Quantizes)
    with at_rest(subject.model):
        indices = in_blocks(model.encode, subject.real.x).flatten(1).cpu()
    counts = torch.stack([row.bincount(minlength=model.codes) for row in indices]).double()
    return {"codebook_usage": usage(counts), "dead_codes": dead_codes(counts)}


def usage(counts: Tensor) -> Estimate:
    """Perplexity over the number of codes K, from how often each image uses each code, (N, K) float64.

    The error is that of the entropy, by its influence function, image by image: codes within an image depend on each other.
    """
    n, codes = counts.shape
    shares = counts / counts.sum(1, keepdim=True)
    overall = shares.mean(0)
    logs = torch.where(overall > 0, overall, 1).log()
    entropy = -float((overall * logs).sum())
    value = math.exp(entropy) / codes
    details = {"perplexity": math.exp(entropy), "codes": float(codes)}
    if n < 2:
        return Estimate(value=value, n=n, better="higher", reason="one image has no spread", details=details)
    pull = value * (-(shares @ logs) - entropy)
    se = float(pull.std()) / math.sqrt(n)
    return Estimate(
        value=value,
        se=se,
        ci=normal_interval(value, se),
        method="influence",
        n=n,
        better="higher",
        details=details,
        influence=Influence(fake=pull),
    )


def dead_codes(counts: Tensor) -> Estimate:
    """Share of the K codes that none of the N images uses, from counts (N, K); jackknife over the images."""
    n, codes = counts.shape
    users = (counts > 0).sum(0)
    value = float((users == 0).double().mean())
    if n < 2:
        return Estimate(value=value, n=n, better="lower", reason="one image has no spread")
    # Without image i also those codes are dead that nobody else uses.
    alone = ((counts > 0) & (users == 1)).sum(1).double() / codes
    se = math.sqrt((n - 1) / n * float((alone - alone.mean()).square().sum()))
    return Estimate(
        value=value,
        se=se,
        ci=normal_interval(value, se),
        method="jackknife",
        n=n,
        better="lower",
        bias_corrected=max(0.0, value - (n - 1) * float(alone.mean())),
        details={"codes": float(codes)},
    )


diagnostic = Diagnostic(
    applies=applies,
    compute=compute,
    reports={
        "codebook_usage": Reading(
            meaning="perplexity of the codes of test images over the size of the codebook: 1 if all are used equally often, "
            "1 / size if one does everything",
            usual=(0.2, None),
            advice="codebook collapse: put codes that nobody uses where the encoder's outputs lie, follow these by moving "
            "averages, start from k-means, look up in fewer dimensions, or take a smaller codebook",
        ),
        "dead_codes": Reading(
            meaning="share of the codes that none of the test images uses",
            usual=(None, 0.2),
            advice="as for codebook_usage; compare bias_corrected where images are few",
        ),
    },
    quick=True,
    source="van den Oord et al. 2017, https://arxiv.org/abs/1711.00937",
)
