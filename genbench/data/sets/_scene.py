"""What is in a picture of `shapes`: index -> scene, and scene -> words. Lengths are in sixteenths of a picture's side.

A scene holds one object, small or large, or two: the large one is the main object, named first, and the small one lies to
one side of it. So every picture has exactly one caption and one class, both to be read off the picture alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genbench import catalog, seeding
from genbench.errors import UsageError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SIDE = 16.0
SHAPES = ("circle", "square", "triangle", "cross")
COLOURS = {
    "red": (225, 45, 45),
    "yellow": (235, 205, 40),
    "green": (45, 170, 60),
    "cyan": (40, 190, 205),
    "blue": (50, 80, 225),
    "purple": (165, 60, 200),
}
SIZES = {"small": (2.0, 2.3), "large": (2.9, 3.5)}  # half the side of the square that an object fits into
RELATIONS = ("left of", "right of", "above", "below")  # where the main object is, seen from the other
GROUNDS = ("plain", "slope", "stripes", "dots")
WORDS = ("a", *SIZES, *COLOURS, *SHAPES, "left", "right", "above", "below", "of")
CAPTION_LENGTH = 8  # "a red circle left of a blue square"
CAPTION = re.compile(
    "a (SIZE) (COLOUR) (SHAPE)|a (COLOUR) (SHAPE) (RELATION) a (COLOUR) (SHAPE)".replace("SIZE", "|".join(SIZES))
    .replace("COLOUR", "|".join(COLOURS))
    .replace("SHAPE", "|".join(SHAPES))
    .replace("RELATION", "|".join(RELATIONS))
)

MARGIN = 0.5  # between an object and the border
GAP = 2.0  # between two objects, so that at 16x16 no pixel touches both
CLEAR = 2.0  # a relation is clear where the distance along its axis is larger by this than across it
DRAWS = 24  # uniform numbers per scene


@dataclass(frozen=True)
class Seen:
    """An object in words; None for what cannot be told."""

    shape: str | None
    colour: str | None
    size: str | None


@dataclass(frozen=True)
class Description:
    """What a picture shows: the main object first; relation: one of RELATIONS where there are two and it is clear."""

    objects: tuple[Seen, ...]
    relation: str | None = None

    @property
    def caption(self) -> str | None:
        """The caption that pictures like this one have in the dataset; None where there is none or something is unclear."""
        words = [word for seen in self.objects for word in (seen.shape, seen.colour, seen.size)]
        if None in words or len(self.objects) not in (1, 2):
            return None
        main = self.objects[0]
        if len(self.objects) == 1:
            return f"a {main.size} {main.colour} {main.shape}"
        other = self.objects[1]
        if self.relation is None or (main.size, other.size) != ("large", "small"):
            return None
        return f"a {main.colour} {main.shape} {self.relation} a {other.colour} {other.shape}"

    @classmethod
    def from_caption(cls, caption: str) -> Description:
        """What a caption asks for: the way back from `caption`. Case, spaces and a full stop at the end do not matter.

        Raises UsageError for what is no caption of this dataset.
        """
        found = CAPTION.fullmatch(" ".join(caption.strip().removesuffix(".").lower().split()))
        if found is None:
            hint = "such as: a small red circle, or: a red circle left of a blue square"
            raise UsageError("E-CAPTION", f"no caption of shapes: {caption[:80]!r}", hint=hint)
        size, colour, shape, main_colour, main_shape, relation, other_colour, other_shape = found.groups()
        if size is not None:
            return cls((Seen(shape, colour, size),))
        return cls((Seen(main_shape, main_colour, "large"), Seen(other_shape, other_colour, "small")), relation)

    @property
    def label(self) -> int | None:
        """The class: shape and colour of the main object."""
        if not self.objects or None in (self.objects[0].shape, self.objects[0].colour):
            return None
        return CLASSES.index(f"{self.objects[0].colour} {self.objects[0].shape}")


CLASSES = tuple(f"{colour} {shape}" for shape in SHAPES for colour in COLOURS)


@dataclass(frozen=True, kw_only=True)
class Scenes:
    """N scenes, one row each; the second axis is the object, main and other.

    exists: bool (N, 2); shape, colour: (N, 2) positions in SHAPES and COLOURS; radius: (N, 2), of SIZES.
    start, end: (N, 2, 2) centres (x, y) in a video's first and last frame; a still picture is the first frame.
    relation: (N,) position in RELATIONS, without meaning where the other does not exist.
    ground: (N,) position in GROUNDS; base, contrast: (N,) grey levels; wave: (N, 2) radians per sixteenth; phase: (N, 2).
    """

    exists: NDArray[np.bool_]
    shape: Integers
    colour: Integers
    radius: Floats
    start: Floats
    end: Floats
    relation: Integers
    ground: Integers
    base: Floats
    contrast: Floats
    wave: Floats
    phase: Floats

    def descriptions(self) -> list[Description]:
        """Every scene in words."""
        return [self._description(row) for row in range(len(self.shape))]

    def labels(self) -> Integers:
        """(N,) positions in CLASSES."""
        return self.shape[:, 0] * len(COLOURS) + self.colour[:, 0]

    def _description(self, row: int) -> Description:
        both = bool(self.exists[row, 1])
        objects = tuple(
            Seen(
                shape=SHAPES[self.shape[row, place]],
                colour=list(COLOURS)[self.colour[row, place]],
                size=size_of(self.radius[row, place]),
            )
            for place in range(1 + both)
        )
        return Description(objects, RELATIONS[self.relation[row]] if both else None)


def scenes(purpose: str, indices: Iterable[int]) -> Scenes:
    """The scenes of some indices; each depends on `purpose`, such as "train", and its own index alone."""
    u = np.stack([seeding.generator(index, f"shapes/{purpose}").random(DRAWS) for index in indices])
    both = u[:, 0] < 0.5
    main_size = np.where(both | (u[:, 1] < 0.5), 1, 0)
    radius = np.stack((_between(*_bounds(main_size), u[:, 2]), _between(*_bounds(np.zeros_like(main_size)), u[:, 3])), axis=1)
    relation = _choice(u[:, 4], len(RELATIONS))
    ground = _choice(u[:, 5], len(GROUNDS))
    angle, length = 2 * np.pi * u[:, 6], _between(4.0, 8.0, u[:, 7])  # of the ground's wave
    return Scenes(
        exists=np.stack((np.ones_like(both), both), axis=1),
        shape=_choice(u[:, 8:10], len(SHAPES)),
        colour=_choice(u[:, 10:12], len(COLOURS)),
        radius=radius,
        start=_places(both, radius, relation, u[:, 12:16]),
        end=_places(both, radius, relation, u[:, 16:20]),
        relation=relation,
        ground=ground,
        base=_between(50.0, 205.0, u[:, 20]),
        contrast=_between(10.0, 30.0, u[:, 21]),
        wave=(2 * np.pi / length)[:, None] * np.stack((np.cos(angle), np.sin(angle)), axis=1),
        phase=2 * np.pi * u[:, 22:24],
    )


def size_of(radius: float) -> str | None:
    """The word for a radius; None far from both."""
    (smallest, small), (large, largest) = SIZES.values()
    if not 0.8 * smallest < radius < 1.2 * largest:
        return None
    return "small" if radius < (small + large) / 2 else "large"


def tokens(captions: Iterable[str]) -> Integers:
    """(N, CAPTION_LENGTH) ids: 1 + position in WORDS, then the padding 0. Raises UsageError for what no caption can be."""
    return np.array([_tokens(caption) for caption in captions], dtype=np.int64)


def _tokens(caption: str) -> list[int]:
    words = caption.split()
    for word in words:
        if word not in WORDS:
            raise catalog.unknown("words", word, WORDS)
    if len(words) > CAPTION_LENGTH:
        hint = "such as: a red circle left of a blue square"
        raise UsageError("E-CAPTION", f"{caption!r} has {len(words)} words; {CAPTION_LENGTH} are the most", hint=hint)
    return [1 + WORDS.index(word) for word in words] + [0] * (CAPTION_LENGTH - len(words))


def _bounds(size: Integers) -> tuple[Floats, Floats]:
    low, high = np.array(list(SIZES.values())).T
    return low[size], high[size]


def _between(low: float | Floats, high: float | Floats, u: Floats) -> Floats:
    return low + (high - low) * u


def _choice(u: Floats, n: int) -> Integers:
    return (u * n).astype(np.int64)


def _places(both: NDArray[np.bool_], radius: Floats, relation: Integers, u: Floats) -> Floats:
    """Centres (N, 2, 2) that keep a relation. Its conditions are convex, so a straight way between two keeps them too."""
    alone = _between(MARGIN + radius[:, :1], SIDE - MARGIN - radius[:, :1], u[:, :2])
    pair = _pairs(radius, relation, u)
    main = np.where(both[:, None], pair[:, 0], alone)
    return np.stack((main, pair[:, 1]), axis=1)


def _pairs(radius: Floats, relation: Integers, u: Floats) -> Floats:
    """Along the relation's axis the two share what room is left; across it they may differ by less than along it."""
    main_first = np.isin(relation, (0, 2))  # left of, above
    first = np.where(main_first, radius[:, 0], radius[:, 1])
    second = np.where(main_first, radius[:, 1], radius[:, 0])
    room = SIDE - 2 * (MARGIN + first + second) - GAP
    slack = np.sort(u[:, :2], axis=1) * room[:, None]
    along_first = MARGIN + first + slack[:, 0]
    along_second = MARGIN + 2 * first + GAP + second + slack[:, 1]
    most = along_second - along_first - CLEAR
    across_first = _between(MARGIN + first, SIDE - MARGIN - first, u[:, 2])
    lowest = np.maximum(MARGIN + second, across_first - most)
    across_second = _between(lowest, np.minimum(SIDE - MARGIN - second, across_first + most), u[:, 3])
    ordered = np.stack((np.stack((along_first, across_first), -1), np.stack((along_second, across_second), -1)), axis=1)
    by_object = np.where(main_first[:, None, None], ordered, ordered[:, ::-1])
    horizontal = (relation < 2)[:, None, None]
    return np.where(horizontal, by_object, by_object[..., ::-1])
