"""The images that make a metric worse: those whose influence pulls it to the bad side."""

from __future__ import annotations

import math
from collections.abc import Sequence

from genbench.estimate import badness
from genbench.evaluation.result import MetricResult, Result
from genbench.gate.verdict import Outcome

MOST = 12  # images named of each metric
OPEN = ("regressed", "inconclusive")


def hurt_most(current: Result, outcomes: Sequence[Outcome]) -> dict[str, list[tuple[str, float]]]:
    """Per metric that is regressed or open, the worst images first, with the part of the value that each makes worse."""
    found = {}
    for outcome in outcomes:
        if outcome.current is not None and outcome.verdict in OPEN and (images := worst_images(current, outcome.current)):
            found[outcome.name] = images
    return found


def worst_images(result: Result, metric: MetricResult) -> list[tuple[str, float]]:
    """(name, pull) of the images that pull the value to the bad side, the worst first; pull is in units of the metric.

    Without the image the value would be better by about its pull. Nothing where influence is not known.
    """
    import numpy as np

    influence = result.influence.get(f"{metric.protocol} {metric.name}")
    if influence is None:
        return []
    direction = math.copysign(1.0, float(metric)) if metric.better == "zero" else badness(1.0, metric.better)
    pulls = direction * np.asarray(influence.fake, dtype=np.float64) / len(influence.fake)
    names = result.names if len(result.names) == len(pulls) else [f"image {i}" for i in range(len(pulls))]
    order = np.argsort(-pulls, kind="stable")[:MOST]
    return [(names[i], float(pulls[i])) for i in order if pulls[i] > 0]
