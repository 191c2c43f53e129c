"""Nearest training images of generated ones: whether the model made something new."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from genbench.estimate import wilson_interval
from genbench.evaluation.neighbours import Nearness, nearness
from genbench.metrics.near_copies import RATIO
from genbench.pages import plots
from genbench.pages.pictures import Picture, picture
from genbench.report.features import Features
from genbench.report.headline import percent, significant
from genbench.report.reopen import Pictures

ROWS, NEAREST = 6, 5
BINS = 40


@dataclass(frozen=True, kw_only=True)
class Line:
    """A generated image, in words how near the training set it is, and its nearest training images."""

    generated: Picture
    ratio: str
    neighbours: tuple[Picture, ...]


@dataclass(frozen=True, kw_only=True)
class Nearest:
    """Lines of images drawn by the seed, and of those closest to the training set; median ratio and copies in words."""

    drawn: tuple[Line, ...]
    closest: tuple[Line, ...]
    seed: int
    median: str
    copies: str
    figure: Any


def nearest_training(features: Features, pictures: Pictures, seed: int, side: int) -> Nearest:
    """Some images drawn by the seed and those nearest to the training set, as `genbench neighbours` finds them.

    The features' reference must be at hand as images.
    """
    assert features.real is not None, "its caller has asked"
    found = nearness(real=features.real, fake=features.fake, k=NEAREST)

    def lines(worst: bool) -> tuple[Line, ...]:
        return tuple(_line(found, row, features, pictures, side) for row in found.choose(ROWS, worst=worst, seed=seed))

    return Nearest(
        drawn=lines(worst=False),
        closest=lines(worst=True),
        seed=seed,
        median="" if found.ratios is None else f"{float(found.ratios.median()):.2f}",
        copies="" if found.ratios is None else _copies(found),
        figure=_figure(found),
    )


def _line(found: Nearness, row: int, features: Features, pictures: Pictures, side: int) -> Line:
    assert features.training is not None, "there are its features"
    ratios, name = found.ratios, pictures.name(row)
    ratio = "" if ratios is None else f"ratio {float(ratios[row]):.2f}"
    neighbours = []
    for distance, index in zip(found.distances[row].tolist(), found.index[row].tolist(), strict=True):
        shown = significant(distance, 3)
        alt = f"training image {features.training.name(index)}, at distance {shown}"
        neighbours.append(picture(features.training.pixels(index), alt=alt, note=shown, side=side))
    alt = f"generated image {name}" + (f", {ratio}" if ratio else "")
    generated = picture(pictures.pixels(row), alt=alt, note=name, side=side)
    return Line(generated=generated, ratio=ratio, neighbours=tuple(neighbours))


def _copies(found: Nearness) -> str:
    """How many images are nearer than a third of what is usual around their neighbour, with Wilson's interval."""
    assert found.ratios is not None, "its caller has asked"
    n, count = len(found.ratios), int((found.ratios < RATIO).sum())
    low, high = wilson_interval(count / n, n)
    interval = f"{percent(low, 1)} to {percent(high, 1)}"
    return f"{count:,} of {n:,} images ({percent(count / n, 1)}; 95 % interval {interval})"


def _figure(found: Nearness) -> Any:
    """Distances from generated images to training images, over those between training images."""
    to_training, between = found.distances[:, 0].numpy(), found.training.numpy()
    edges = np.linspace(0, float(np.quantile(np.concatenate([to_training, between]), 0.995)) or 1.0, BINS + 1)
    with plots.drawing(4.4, 2.9) as (figure, axes):
        for number, (values, label) in enumerate(((to_training, "generated to training"), (between, "training to training"))):
            shares = np.histogram(np.clip(values, 0, edges[-1]), edges)[0] / len(values)
            style = ("-", "--")[number]
            axes.stairs(shares, edges, color=plots.COLOURS[number], linestyle=style, linewidth=1.6, label=label)
        axes.set(
            xlabel="distance to the nearest different training image",
            ylabel="share of images",
            xlim=(0, edges[-1]),
            ylim=(0, None),
        )
        axes.legend(frameon=False)
        medians = (
            f"{np.median(to_training):.3g} from generated to training images, {np.median(between):.3g} between training images"
        )
        return plots.svg(figure, title="Distances to the nearest training image", description=f"Median: {medians}.")
