"""Overfitting as a likelihood sees it: bits per dimension of training images less those of test images.

The kind of the likelihood, exact or a bound, is the model's own and the same on both sides.
"""

from __future__ import annotations

import dataclasses

from genbench.diagnostics._bits import bits
from genbench.diagnostics._estimates import finite_difference
from genbench.diagnostics.base import Diagnostic, Reading, Subject
from genbench.estimate import Estimate
from genbench.models.base import Scores


def compute(subject: Subject) -> dict[str, Estimate]:
    """{"likelihood_gap"}; bits per dimension of both sides in the details."""
    model = subject.model
    assert isinstance(model, Scores)
    train = bits(subject, model.log_prob, subject.trained_on, "likelihood_gap/train")
    test = bits(subject, model.log_prob, subject.real, "likelihood_gap/test")
    gap = finite_difference(train, test)
    if gap.value is not None:
        gap = dataclasses.replace(gap, details={"train": float(train.mean()), "test": float(test.mean())})
    return {"likelihood_gap": gap}


diagnostic = Diagnostic(
    applies=lambda model: isinstance(model, Scores),
    compute=compute,
    reports={
        "likelihood_gap": Reading(
            meaning=(
                "Bits per dimension of training images less those of test images, of whatever kind the model's likelihood is "
                "(exact, exact of dequantised values, or a lower bound). Below 0, training images are likelier: it overfits."
            ),
            usual=(-0.1, None),
            advice="train for fewer steps, with dropout, or on more images",
        )
    },
    quick=True,
    source="Theis et al. 2016, https://arxiv.org/abs/1511.01844",
)
