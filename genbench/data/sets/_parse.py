"""Pixels back to words, without a network: alignment of a picture with its caption as an exact measurement.

Grounds are grey and mixing with grey only shortens the difference between a pixel's channels (its chroma), so chroma shows
how much of a pixel an object covers, whatever the texture. Each connected patch gets the colour nearest in hue, and the
shape whose drawing, with the patch's centroid and area, leaves least of the coverage unexplained. What does not clearly
fit stays None.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from genbench.data.sets._draw import ARM, PALETTE, SQUARE, distance, pixel_centres
from genbench.data.sets._scene import COLOURS, RELATIONS, SHAPES, SIDE, Description, Seen, size_of

Floats = NDArray[np.float64]

UNIT_AREA = {"circle": np.pi, "square": 4 * SQUARE**2, "triangle": 1.5, "cross": 8 * ARM - 4 * ARM**2}  # for radius 1
COVERED = 0.5  # of its colour: the least chroma that makes a pixel part of a patch
SPECK = 3.0  # square sixteenths: smaller patches are noise
MAX_HUE_ERROR = np.deg2rad(15)
MAX_UNEXPLAINED = 0.15  # of the squared coverage, by the best shape
LEAD = 0.7  # times what the second best leaves: the most that the best may leave
CLEAR = 1.0  # sixteenths by which the distance along a relation's axis must exceed the one across it

AXES = np.array([[2, -1, -1], [0, 3**0.5, -(3**0.5)]]) / 6**0.5  # of the plane of chroma, orthonormal
CHROMA = PALETTE @ AXES.T  # (6, 2)


def parse(images: NDArray[np.uint8]) -> list[Description]:
    """uint8 (N, 3, S, S) -> what each shows. A drawn scene, at 16x16 or more, comes back exactly."""
    return [_parse(image) for image in images]


def _parse(image: NDArray[np.uint8]) -> Description:
    chroma = np.tensordot(AXES, image.astype(np.float64), 1)  # (2, S, S)
    patches, n = ndimage.label(_strength(chroma) > COVERED, structure=np.ones((3, 3)))
    scale = SIDE / image.shape[-1]
    found = []
    for number in range(1, n + 1):
        patch = patches == number
        if patch.sum() * scale**2 >= SPECK:
            # Pixels that are hardly covered lie around the patch.
            around = ndimage.binary_dilation(patch, structure=np.ones((3, 3))) & ((patches == 0) | patch)
            found.append(_Patch(chroma * around))
    if not 1 <= len(found) <= 2:
        return Description(())
    found.sort(key=lambda patch: -patch.radius)
    return Description(tuple(patch.seen for patch in found), _relation(*found) if len(found) == 2 else None)


def _strength(chroma: Floats) -> Floats:
    """(2, S, S) -> (S, S) length of chroma, relative to that of the palette's colour nearest in hue."""
    projections = np.tensordot(CHROMA / (CHROMA**2).sum(1, keepdims=True), chroma, 1)  # (6, S, S)
    nearest = np.tensordot(CHROMA / np.linalg.norm(CHROMA, axis=1, keepdims=True), chroma, 1).argmax(0)
    return np.take_along_axis(projections, nearest[None], 0)[0]


class _Patch:
    """One object. seen: in words; centre: (x, y) and radius in sixteenths."""

    def __init__(self, chroma: Floats) -> None:
        hue = chroma.sum((1, 2))
        cosines = CHROMA @ hue / (np.linalg.norm(CHROMA, axis=1) * np.linalg.norm(hue) + 1e-9)
        nearest = int(cosines.argmax())
        colour = list(COLOURS)[nearest] if cosines[nearest] > np.cos(MAX_HUE_ERROR) else None
        alpha = np.tensordot(CHROMA[nearest], chroma, 1) / (CHROMA[nearest] ** 2).sum()
        self.centre, area = _centre_and_area(alpha)
        unexplained = {shape: _unexplained(alpha, shape, self.centre, area) for shape in SHAPES}
        shape, second = sorted(SHAPES, key=lambda name: unexplained[name])[:2]
        self.radius = (area / UNIT_AREA[shape]) ** 0.5
        clear = unexplained[shape] < min(MAX_UNEXPLAINED, LEAD * unexplained[second])
        self.seen = Seen(shape if clear else None, colour, size_of(self.radius) if clear else None)


def _centre_and_area(alpha: Floats) -> tuple[Floats, float]:
    """Of coverage (S, S), in sixteenths."""
    grid, mass = pixel_centres(len(alpha)), max(alpha.sum(), 1e-9)
    return np.array([(alpha.sum(0) * grid).sum(), (alpha.sum(1) * grid).sum()]) / mass, mass * (SIDE / len(alpha)) ** 2


def _unexplained(alpha: Floats, shape: str, centre: Floats, area: float) -> float:
    """The share of squared coverage that is left when a shape of the same centre and area is taken away."""
    grid, radius = pixel_centres(len(alpha)), (area / UNIT_AREA[shape]) ** 0.5
    x, y = np.broadcast_arrays(grid[None, :] - centre[0], grid[:, None] - centre[1])
    drawn = np.clip(0.5 - distance(shape, x, y, radius) * (len(alpha) / SIDE), 0, 1)
    return float(((alpha - drawn) ** 2).sum() / (alpha**2).sum())


def _relation(main: _Patch, other: _Patch) -> str | None:
    """Where `main` is, seen from `other`."""
    dx, dy = main.centre - other.centre
    if abs(abs(dx) - abs(dy)) < CLEAR:
        return None
    left, right, above, below = RELATIONS
    return (left if dx < 0 else right) if abs(dx) > abs(dy) else (above if dy < 0 else below)
