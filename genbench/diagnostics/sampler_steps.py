"""What the number of steps costs: a sampler at a quarter to four times its steps, from the same noise.

A deterministic sampler follows a curve from noise to image, and its error falls with a power of the number of steps: 1 for
Euler's and DDIM's rule, 2 for Heun's (Karras et al. 2022, https://arxiv.org/abs/2206.00364, section 3). The slope of log error
over log evaluations is in the details, as are all Fréchet distances. A sampler with chance on the way has no such limit, so of
it only the distances between distributions are given.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from torch import Tensor

from genbench.diagnostics._estimates import ratio_of_means
from genbench.diagnostics.base import Diagnostic, Reading, Subject
from genbench.errors import DataError
from genbench.estimate import Estimate, normal_interval
from genbench.metrics import fid
from genbench.metrics.base import FeatureSet
from genbench.models.base import HasLatents

IMAGES = 256  # at most
SHARES = (0.25, 0.5, 1, 2, 4)  # of the default number of steps


def compute(subject: Subject) -> dict[str, Estimate]:
    """{"few_steps_fd", "few_steps_change"} at the default number of steps, against up to four times as many."""
    default, most = counts(subject)[0], counts(subject)[-1]
    drawn = {count: _drawn(subject, count) for count in counts(subject)[1:]}
    if default == most:
        none = Estimate(value=None, n=len(drawn[most]), better="lower", reason="by default it takes the most steps there are")
        return {"few_steps_fd": none, "few_steps_change": none}
    return {"few_steps_fd": _excess(subject, drawn, default), "few_steps_change": _change(subject, drawn, default)}


def counts(subject: Subject) -> list[float]:
    """The default number of steps, then all that are compared, ascending; none above the largest that the model sweeps."""
    knob = subject.model.knobs["steps"]
    largest = max(knob.default, *knob.sweep)
    tried = {min(max(1, math.floor(knob.default * share)), largest) for share in SHARES}
    return [knob.default, *sorted(tried)]


def _drawn(subject: Subject, count: float) -> Tensor:
    drawn = subject.sample(min(subject.n, IMAGES), steps=count)
    if not drawn.isfinite().all():
        raise DataError("E-NON-FINITE", f"samples of {subject.model.title} with {count:g} steps are not finite")
    return drawn


def _excess(subject: Subject, drawn: dict[float, Tensor], default: float) -> Estimate:
    real = FeatureSet(features=subject.features(subject.real.x))
    distances = {
        count: fid.compute(real=real, fake=FeatureSet(features=subject.features(made)))["fd"] for count, made in drawn.items()
    }
    details = {f"fd@{count:g}": float(distance) for count, distance in distances.items()}
    return replace(ratio_of_distances(distances[default], distances[max(drawn)]), details=details)


def ratio_of_distances(few: Estimate, many: Estimate) -> Estimate:
    """The ratio of two Fréchet distances to the same images, of samples from the same noise: most of their errors cancels."""
    if not float(many) > 0 or few.influence is None or many.influence is None:
        reason = "at most steps the distance to the test images is zero"
        return Estimate(value=None, n=few.n, n_real=few.n_real, better="lower", reason=reason)
    ratio = float(few) / float(many)
    pulls = [(few.influence.fake, many.influence.fake), (few.influence.real, many.influence.real)]
    spreads = [(one - ratio * other).var() / len(one) for one, other in pulls if one is not None and other is not None]
    se = math.sqrt(sum(map(float, spreads))) / float(many)
    return Estimate(
        value=ratio,
        se=se,
        ci=normal_interval(ratio, se),
        method="influence",
        n=few.n,
        n_real=few.n_real,
        better="lower",
    )


def _change(subject: Subject, drawn: dict[float, Tensor], default: float) -> Estimate:
    """Squared distance to the sample of most steps from the same noise, over that between samples of different noise."""
    most = drawn[max(drawn)].cpu().double()
    if not isinstance(subject.model, HasLatents):
        return Estimate(value=None, n=len(most), better="lower", reason="the sampler draws chance on its way")
    unrelated = _apart(most, most.roll(1, 0))
    moved = {count: _apart(made.cpu().double(), most) for count, made in drawn.items() if count != max(drawn)}
    changes = {
        count: ratio_of_means(squared, unrelated, better="lower", nothing="all samples are the same")
        for count, squared in moved.items()
    }
    if changes[default].value is None:
        return changes[default]
    details = {f"change@{count:g}": float(change) for count, change in changes.items()}
    evaluations = [subject.model.evaluations(steps=count) for count in moved]
    errors = [math.sqrt(details[f"change@{count:g}"]) for count in moved]
    if min(errors) > 0 and len(errors) > 2:
        # The two least numbers of steps bend the line less: the one next to the yardstick is left out.
        details["slope"] = float(np.polyfit(np.log(evaluations[:-1]), np.log(errors[:-1]), 1)[0])
    return replace(changes[default], details=details)


def _apart(one: Tensor, other: Tensor) -> Tensor:
    """(N,) squared distance of each image to its partner."""
    return (one - other).square().flatten(1).sum(1)


diagnostic = Diagnostic(
    applies=lambda model: "steps" in model.knobs and not model.spec.frames,
    compute=compute,
    reports={
        "few_steps_fd": Reading(
            meaning=(
                "Fréchet distance to test images, in features of `tiny`, at the default number of steps over that at up to "
                "four times as many; 1: more steps gain nothing."
            ),
            usual=(None, 1.1),
            advice="more steps would improve the samples: raise the knob `steps`, or take a sampler of higher order",
        ),
        "few_steps_change": Reading(
            meaning=(
                "Squared distance between the sample at the default number of steps and that at up to four times as many "
                "from the same noise, over the squared distance between two samples; 0: converged."
            ),
            usual=(None, 0.1),
            advice="samples still change with the number of steps: raise the knob `steps`, or take a sampler of higher order",
        ),
    },
    quick=False,
    source="Karras et al. 2022, https://arxiv.org/abs/2206.00364",
)
