"""The images that make a metric worse: those whose influence pulls it to the bad side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from genbench.estimate import worse_sign
from genbench.evaluation.result import MetricResult, Result
from genbench.gate.verdict import Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST = 12  # images named of each metric
OPEN = ("regressed", "inconclusive")


def hurt_most(current: Result, outcomes: Sequence[Outcome]) -> dict[str, list[tuple[str, float]]]:
    """Per metric that is regressed or open, the worst images first, with the part of the value that each makes worse."""
    found = {}
    for outcome in outcomes:
        if outcome.current is not None and outcome.verdict in OPEN:
            others = [other.current for other in outcomes if other.current is not None]
            found[outcome.name] = worst_images(current, outcome.current, others)
    return {name: images for name, images in found.items() if images}


def worst_images(result: Result, metric: MetricResult, others: Sequence[MetricResult] = ()) -> list[tuple[str, float]]:
    """(name, pull) of the images that pull the value to the bad side, the worst first; pull is in units of the metric.

    Without the image the value would be better by about its pull. Nothing where influence is not known. Images whose pulls are
    equal, as those on a share are, stand in the order of their pulls on the first of `others` that tells them apart.
    """
    import numpy as np

    pulls = _pulls(result, metric)
    if pulls is None:
        return []
    ties = [found for other in others if (found := _pulls(result, other)) is not None and len(found) == len(pulls)]
    names = result.image_names if len(result.image_names) == len(pulls) else [f"image {i}" for i in range(len(pulls))]
    order = np.lexsort([-found for found in (*reversed(ties), pulls)])[:MOST]
    return [(names[i], float(pulls[i])) for i in order if pulls[i] > 0]


def _pulls(result: Result, metric: MetricResult) -> NDArray[Any] | None:
    """(n,) by how much each image makes the value worse."""
    import numpy as np

    influence = result.influence.get(metric.key)
    if influence is None or metric.value is None:
        return None
    return worse_sign(metric.value, metric.better) * np.asarray(influence.fake, dtype=np.float64) / len(influence.fake)
