"""Nearest training images of generated ones: as numbers, and as a picture to look at.

Each row shows a generated image, then its nearest training images. Its ratio is the distance to the nearest one over that
one's own distance to its nearest different training image: about 1 for an image that is new, near 0 for a copy, and below 1/3
what the metric near_copies counts. The rows are drawn by a seed and not picked, unless those nearest to the training set are
asked for.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from genbench.data.base import Pixels, Policy
from genbench.errors import DataError, UsageError
from genbench.evaluation.collection import Collection
from genbench.evaluation.extract import Execution, Progress, View, extract, quiet
from genbench.evaluation.plan import prepare_execution
from genbench.evaluation.request import parse_place
from genbench.features.base import Precision
from genbench.files import atomic_path
from genbench.metrics._neighbours import clouds, nearest
from genbench.metrics.near_copies import distances_to_different
from genbench.pages.pictures import enlarged
from genbench.seeding import generator

SCHEMA = "genbench.neighbours/1"
SIDE, GAP, LINE = 96, 8, 16  # pixels of the sheet: the longer side of an image, between images, and of a line of text


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """A training image and its distance, in units of the features."""

    name: str
    distance: float


@dataclass(frozen=True, kw_only=True)
class Row:
    """A generated image and its nearest training images, the nearest first.

    training_distance: from the nearest one to its own nearest different training image. ratio: the nearest one's distance over
    that; None where all training images are the same.
    """

    name: str
    ratio: float | None
    training_distance: float
    neighbours: list[Neighbour]


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """What was found: `rows` of some images, and the median ratio of all `n`; `picture` shows the rows."""

    images: str
    n: int
    ref: str
    n_ref: int
    extractor: str
    order: str
    median_ratio: float | None
    rows: list[Row]
    picture: Image.Image = field(repr=False, compare=False)

    def to_json(self) -> str:
        """One document with everything but the picture."""
        content = {name: value for name, value in vars(self).items() if name not in ("picture", "rows")}
        return json.dumps({"schema": SCHEMA, **content, "rows": [asdict(row) for row in self.rows]}, indent=1)

    def save(self, path: Path) -> None:
        """Write the picture as PNG, in one step."""
        with atomic_path(path) as temporary:
            self.picture.save(temporary, format="PNG")


def neighbours(
    images: Any,
    *,
    ref: Any,
    extractor: str = "inception",
    n: int = 8,
    k: int = 5,
    worst: bool = False,
    seed: int = 0,
    weights: Path | None = None,
    precision: Precision = "fp32",
    policy: Policy | None = None,
    device: str = "auto",
    batch_size: int = 64,
    workers: int | None = None,
    progress: Progress = quiet,
) -> Neighbours:
    """The `k` nearest training images of `n` generated ones.

    Args:
        images, ref: the generated and the training images; whatever `genbench.evaluate` takes, but no statistics.
        extractor: the network whose features are compared, such as "tiny", "inception:clean" or "inception.768".
        n, k: rows, and training images in each; fewer where there are not so many images.
        worst: the generated images with the smallest ratio instead of some drawn by `seed`.

    Raises UsageError for a name or count that cannot be, DataError for images that cannot be used.
    """
    if n < 1 or k < 1:
        raise UsageError("E-USAGE", f"{n} images with {k} neighbours each", hint="--n and --k are 1 or more")
    policy = policy or Policy()
    place = parse_place(extractor)
    execution = prepare_execution(device, batch_size, workers, progress)
    generated, training = (Collection.look(side, policy, execution) for side in (images, ref))
    view = View(extractor=place.load(precision, weights).to(execution.device), layers=(place.layer,))
    fake = _Side.of(generated, view, execution, at_least=1)
    real = _Side.of(training, view, execution, at_least=2)

    found = nearness(real=real.features, fake=fake.features, k=k)
    ratios = found.ratios
    chosen = found.choose(n, worst=worst, seed=seed)
    rows = [
        Row(
            name=fake.name(i),
            ratio=None if ratios is None else float(ratios[i]),
            training_distance=float(found.own[i]),
            neighbours=[
                Neighbour(name=real.name(int(j)), distance=float(far))
                for far, j in zip(found.distances[i], found.index[i], strict=True)
            ],
        )
        for i in chosen
    ]
    pictures = [[*fake.pictures([i]), *real.pictures(found.index[i].tolist())] for i in chosen]
    return Neighbours(
        images=generated.source.name,
        n=len(fake.features),
        ref=training.source.name,
        n_ref=len(real.features),
        extractor=extractor,
        order="nearest to the training images first" if worst else f"drawn by seed {seed}",
        median_ratio=None if ratios is None else float(ratios.median()),
        rows=rows,
        picture=sheet(rows, pictures),
    )


@dataclass(frozen=True, kw_only=True)
class Nearness:
    """distances, index (N, k): of the nearest training images of each generated one, the nearest first; own (N,): from that one
    to its nearest different training image; training (M,): that distance of every training image."""

    distances: Tensor
    index: Tensor
    own: Tensor
    training: Tensor

    @property
    def ratios(self) -> Tensor | None:
        """(N,) the nearest one's distance over its own; None where all training images are the same."""
        return self.distances[:, 0] / self.own if bool((self.own > 0).all()) else None

    def choose(self, n: int, *, worst: bool, seed: int) -> list[int]:
        """Rows to show: those nearest to the training images, or some drawn by the seed, in the order drawn."""
        if worst:
            nearest_first = self.distances[:, 0] if self.ratios is None else self.ratios
            return [int(i) for i in nearest_first.argsort(stable=True)[:n]]
        drawn = torch.from_numpy(generator(seed, "neighbours/rows").permutation(len(self.own)))
        return [int(i) for i in drawn[:n]]


def nearness(*, real: Tensor, fake: Tensor, k: int) -> Nearness:
    """Of (M, D) features of training images, M >= 2, and (N, D) of generated ones; fewer than `k` where M is smaller."""
    around_real, around_fake = clouds(real=real, fake=fake)
    squared, index = nearest(around_fake, around_real, min(k, len(real)))
    training = distances_to_different(real)
    return Nearness(distances=squared.sqrt(), index=index, own=training[index[:, 0]], training=training)


def sheet(rows: Sequence[Row], pictures: Sequence[Sequence[Pixels]]) -> Image.Image:
    """The rows as a picture: the generated image with its ratio below it, then its neighbours with their distances over the
    nearest one's own, or with plain distances where there is no such ratio. Small images are enlarged without smoothing."""
    columns = max(len(row) for row in pictures)
    width, height = GAP + columns * (SIDE + GAP) + 2 * GAP, LINE + GAP + len(rows) * (SIDE + LINE + GAP)
    canvas = Image.new("RGB", (width, height), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default()
    left = [GAP + column * (SIDE + GAP) + (2 * GAP if column else 0) for column in range(columns)]
    draw.text((left[0], GAP // 2), "generated", fill="black", font=font)
    draw.text((left[1], GAP // 2), "nearest training images", fill="black", font=font)
    for number, (row, shown) in enumerate(zip(rows, pictures, strict=True)):
        top = LINE + GAP + number * (SIDE + LINE + GAP)
        for x, pixels, text in zip(left, shown, _captions(row), strict=False):
            picture = enlarged(pixels, SIDE)
            canvas.paste(picture, (x + (SIDE - picture.width) // 2, top + (SIDE - picture.height) // 2))
            draw.text((x, top + SIDE + 2), text, fill="black", font=font)
    line = left[1] - GAP - GAP // 2
    draw.line((line, GAP, line, height - GAP), fill=(200, 200, 200))
    return canvas


def _captions(row: Row) -> list[str]:
    if row.ratio is None:
        return ["", *(f"{neighbour.distance:.3g}" for neighbour in row.neighbours)]
    return [f"ratio {row.ratio:.2f}", *(f"{neighbour.distance / row.training_distance:.2f}" for neighbour in row.neighbours)]


@dataclass(frozen=True, kw_only=True)
class _Side:
    """Images with their features: row i of `features` is the image at position kept[i]."""

    collection: Collection
    kept: list[int]
    features: Tensor

    @classmethod
    def of(cls, collection: Collection, view: View, execution: Execution, *, at_least: int) -> _Side:
        extracted = extract(collection.source, collection.surveyed, collection.policy, [view], execution)
        (features,) = extracted.features[0].values()
        if len(features) < at_least:
            message = f"{collection.source.name} has {len(features)} usable images; {at_least} are the least"
            raise DataError("E-TOO-FEW", message, hint="give more images")
        return cls(collection=collection, kept=extracted.kept, features=features)

    def name(self, row: int) -> str:
        return self.collection.names([self.kept[row]])[0]

    def pictures(self, rows: Sequence[int]) -> list[Pixels]:
        """uint8 (3, H, W) of each row."""
        return [self.collection.pixels(self.kept[row]) for row in rows]
