"""Generated images: some drawn by a seed, and those that pull most at the main distance, in either direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genbench import seeding
from genbench.estimate import worse_sign
from genbench.evaluation.result import MetricResult, Result
from genbench.pages.pictures import Picture, picture
from genbench.report.headline import percent, significant
from genbench.report.reopen import Pictures

RANDOM, EXTREMES = 64, 12


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """Pictures with a title, a sentence below it, and whether each has a caption to show."""

    key: str
    title: str
    about: str
    pictures: tuple[Picture, ...]
    captioned: bool


def random_rows(n: int, seed: int) -> list[int]:
    """Which images the page shows: nobody picks them."""
    return [int(row) for row in seeding.generator(seed, "report/samples").permutation(n)[:RANDOM]]


def drawn_shelf(pictures: Pictures, seed: int, side: int) -> Shelf:
    """Images that the seed draws, in that order."""
    n = len(pictures.rows)
    rows = random_rows(n, seed)
    return Shelf(
        key="random",
        title="Drawn by a seed",
        about=f"{len(rows)} of {n:,} images, drawn by seed {seed} and not picked, in the order drawn.",
        pictures=tuple(
            picture(pictures.pixels(row), alt=f"generated image {pictures.name(row)}", note=pictures.name(row), side=side)
            for row in rows
        ),
        captioned=False,
    )


def pull_of(result: Result, metric: MetricResult) -> NDArray | None:
    """(n,) how much each image pulls at the value, by row; None where nobody kept it."""
    found = result.influence.get(metric.key)
    return None if found is None else np.asarray(found.fake, dtype=np.float64)


def extremes(pull: NDArray, metric: MetricResult) -> tuple[list[int], list[int]]:
    """The rows that make the value worst, the worst first, and those that make it best, the best first."""
    order = np.argsort(pull * worse_sign(metric.value or 0.0, metric.better), kind="stable")
    rows = [int(row) for row in order]
    return rows[::-1][:EXTREMES], rows[:EXTREMES]


def influence_shelves(pictures: Pictures, pull: NDArray, metric: MetricResult, side: int) -> list[Shelf]:
    """The images without which the value would be better, and those without which it would be worse."""
    worst, best = extremes(pull, metric)
    name = metric.short_name
    n = len(pull)

    def shown(rows: Sequence[int]) -> tuple[Picture, ...]:
        return tuple(
            picture(
                pictures.pixels(row),
                alt=f"generated image {pictures.name(row)}, which {effect(pull[row] / n, name)}",
                note=_signed(pull[row] / n),
                side=side,
            )
            for row in rows
        )

    share = _share(pull, metric)
    return [
        Shelf(
            key="worst",
            title=f"Worst: what makes {name} worse",
            about=f"Below each image: by how much it alone moves {name}. {share}",
            pictures=shown(worst),
            captioned=True,
        ),
        Shelf(
            key="best",
            title=f"Best: what makes {name} better",
            about="They supply what the others lack, which need not be beauty.",
            pictures=shown(best),
            captioned=True,
        ),
    ]


def effect(change: float, name: str) -> str:
    """In words, what one image does to a value."""
    verb = "raises" if change > 0 else "lowers"
    return f"{verb} {name} by {significant(abs(change), 2)}"


def _signed(change: float) -> str:
    return ("+" if change > 0 else "") + significant(change, 2)


def _share(pull: NDArray, metric: MetricResult) -> str:
    """How concentrated the bad pull is: a few images, or all of them a little."""
    bad = np.sort(np.clip(pull * worse_sign(metric.value or 0.0, metric.better), 0, None))[::-1]
    if bad.sum() <= 0:
        return ""
    count = max(1, len(bad) // 20)
    share = percent(float(bad[:count].sum() / bad.sum()))
    return f"The worst {count:,} images of {len(bad):,} make {share} of all pull to the worse."
