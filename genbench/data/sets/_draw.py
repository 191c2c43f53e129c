"""Scenes as pixels. Edges are anti-aliased by signed distance: a pixel half a pixel inside is covered, half outside is not.

The ground is grey everywhere, so that what differs between a pixel's channels comes from objects alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genbench.data.sets._scene import COLOURS, GROUNDS, SHAPES, SIDE, Scenes

Array = NDArray[np.float32]
Images = NDArray[np.uint8]

PALETTE = np.array(list(COLOURS.values()), dtype=np.float32)  # (6, 3)
SQUARE, ARM = 0.88, 0.35  # half a square's side and half a cross's arm, in radii
# Night: part of the colour fades, all of it darkens, and blue is what light there is. One to one, so day can come back.
DIM, FADE, MOONLIGHT = 0.5, 0.3, (6.0, 10.0, 44.0)


def draw(scenes: Scenes, size: int, time: float = 0.0) -> Images:
    """uint8 (N, 3, size, size) at a time in [0, 1] of the objects' way; 0 is the still picture."""
    return _painted(_ground(scenes, size), scenes, time)


def video(scenes: Scenes, size: int, frames: int) -> Images:
    """uint8 (N, 3, frames, size, size): objects go straight and evenly from start to end."""
    ground = _ground(scenes, size)
    return np.stack([_painted(ground, scenes, time) for time in np.linspace(0, 1, frames)], axis=2)


def _painted(ground: Array, scenes: Scenes, time: float) -> Images:
    picture = np.repeat(ground[:, None], 3, axis=1)
    colours = PALETTE[scenes.colour]  # (N, 2, 3)
    for place, alpha in enumerate(np.moveaxis(coverage(scenes, ground.shape[-1], time), 1, 0)):
        picture += alpha[:, None] * (colours[:, place, :, None, None] - picture)
    return np.rint(picture).astype(np.uint8)


def label_map(scenes: Scenes, size: int) -> Images:
    """uint8 (N, 1, size, size): 0 for the ground, else 1 + the class of the object that covers half the pixel or more."""
    covered = coverage(scenes, size) >= 0.5
    classes = 1 + scenes.shape * len(COLOURS) + scenes.colour
    return (covered * classes[:, :, None, None]).max(axis=1, keepdims=True).astype(np.uint8)


def edge_map(scenes: Scenes, size: int) -> Images:
    """uint8 (N, 1, size, size): the objects' outlines, a pixel wide, white on black."""
    line = np.clip(1 - np.abs(_distances(scenes, size, 0.0)), 0, 1) * scenes.exists[:, :, None, None]
    return np.rint(255 * line.max(axis=1, keepdims=True)).astype(np.uint8)


def coverage(scenes: Scenes, size: int, time: float = 0.0) -> Array:
    """(N, 2, size, size): the share of each pixel that an object covers."""
    return np.clip(0.5 - _distances(scenes, size, time), 0, 1) * scenes.exists[:, :, None, None]


def distance(shape: str, x: Array, y: Array, radius: Array) -> Array:
    """Signed distance, negative inside, of points seen from the centre of a shape with that radius; y points down."""
    if shape == "circle":
        return np.hypot(x, y) - radius
    x, y = np.abs(x), y if shape == "triangle" else np.abs(y)
    if shape == "square":
        return np.maximum(x, y) - SQUARE * radius
    if shape == "cross":
        bar, post = np.maximum(x - radius, y - ARM * radius), np.maximum(x - ARM * radius, y - radius)
        return np.minimum(bar, post)
    # Apex (0, -radius), base from (-radius, radius / 2) to (radius, radius / 2): the centroid is the centre.
    slope = 1 / np.hypot(1.5, 1.0)
    return np.maximum(y - radius / 2, (1.5 * x - y - radius) * slope)


def night(images: Images) -> Images:
    """The second domain: uint8 (N, 3, ...) by day -> the same scene at night."""
    x = images.astype(np.float32)
    grey = x.mean(axis=1, keepdims=True)
    return np.rint(DIM * (x + FADE * (grey - x)) + _moonlight(x)).astype(np.uint8)


def day(images: Images) -> Images:
    """The way back from `night`, to within 2 levels of rounding."""
    x = (images.astype(np.float32) - _moonlight(images)) / DIM
    grey = x.mean(axis=1, keepdims=True)
    return np.rint(np.clip((x - FADE * grey) / (1 - FADE), 0, 255)).astype(np.uint8)


def _moonlight(images: NDArray) -> Array:
    return np.array(MOONLIGHT, dtype=np.float32).reshape(1, 3, *[1] * (images.ndim - 2))


def pixel_centres(size: int) -> Array:
    """(size,) in sixteenths of the side."""
    return ((np.arange(size) + 0.5) * (SIDE / size)).astype(np.float32)


def _distances(scenes: Scenes, size: int, time: float) -> Array:
    """(N, 2, size, size), in pixels."""
    centres = (scenes.start + time * (scenes.end - scenes.start)).astype(np.float32)
    radius = scenes.radius.astype(np.float32)[..., None, None]
    grid = pixel_centres(size)
    x, y = grid[None, :] - centres[..., 0, None, None], grid[:, None] - centres[..., 1, None, None]
    found = np.empty((*scenes.shape.shape, size, size), dtype=np.float32)
    for number, shape in enumerate(SHAPES):
        rows = scenes.shape == number
        found[rows] = distance(shape, x[rows], y[rows], radius[rows]) * (size / SIDE)
    return found


def _ground(scenes: Scenes, size: int) -> Array:
    """(N, size, size) grey levels: even, or a wave, a slope or dots around the base."""
    grid = pixel_centres(size)
    wave, phase = scenes.wave.astype(np.float32)[..., None, None], scenes.phase.astype(np.float32)[..., None, None]
    along = wave[:, 0] * grid[None, :] + wave[:, 1] * grid[:, None]
    across = wave[:, 1] * grid[None, :] - wave[:, 0] * grid[:, None]
    slope = (along - along.mean((1, 2), keepdims=True)) / np.abs(wave).sum(1) / (SIDE / 2)
    stripes = np.sin(along + phase[:, 0])
    patterns = {
        "plain": np.zeros_like(along),
        "slope": slope,
        "stripes": stripes,
        "dots": stripes * np.sin(across + phase[:, 1]),
    }
    pattern = np.stack([patterns[kind] for kind in GROUNDS], axis=1)[np.arange(len(along)), scenes.ground]
    grey: Array = (scenes.base[:, None, None] + scenes.contrast[:, None, None] * pattern).astype(np.float32)
    return grey
