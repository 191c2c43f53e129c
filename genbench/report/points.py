"""Samples of a model on points of the plane, over the points that it was trained on."""

from __future__ import annotations

from typing import Any

from genbench import seeding
from genbench.pages import plots
from genbench.report.drawn import Drawn

SHOWN = 1500  # points of either kind


def cloud(drawn: Drawn, seed: int) -> Any:
    """Training points and samples side by side in one plot, as many of each."""
    real, fake = drawn.dataset.train.images.flatten(1).numpy(), drawn.samples.flatten(1).numpy()
    count = min(SHOWN, len(real), len(fake))
    chosen = [seeding.generator(seed, f"report/points/{len(side)}").permutation(len(side))[:count] for side in (real, fake)]
    with plots.drawing(4.4, 4.2) as (figure, axes):
        kinds = ((real[chosen[0]], "s", 9, 1, 0.35, "training points"), (fake[chosen[1]], "o", 6, 0, 0.6, "samples"))
        for points, marker, size, colour, alpha, label in kinds:
            style: dict[str, Any] = {
                "marker": marker,
                "color": plots.COLOURS[colour],
                "alpha": alpha,
                "linewidths": 0,
                "label": label,
            }
            axes.scatter(points[:, 0], points[:, 1], s=size, **style)
        axes.set_aspect("equal")
        axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, 1.12), ncols=2)
        words = f"{count:,} samples over {count:,} training points, drawn by seed {seed}."
        return plots.svg(figure, title="Samples over training points", description=words)
