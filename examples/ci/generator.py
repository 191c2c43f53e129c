"""A small generator of handwritten digits: one Gaussian per class, fitted to scikit-learn's 8 x 8 images in a few milliseconds.

It stands for yours. What matters to the check is that equal seeds give equal images: two versions of the generator are then
compared image by image, and a hundred images show what thousands would have to show otherwise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

CLASSES = range(10)
SPREAD = 0.9  # of the samples, relative to the data: a little less variety for cleaner digits
SMOOTHING = 0.3  # standard deviation that is added to every pixel's, in grey levels of 0 to 16


def sample(count: int, *, seed: int) -> NDArray[np.uint8]:
    """(count, 8, 8, 3) grey images in [0, 255]."""
    digits = load_digits()
    chance = np.random.default_rng(seed)
    labels = chance.choice(list(CLASSES), count)
    noise = chance.standard_normal((count, 64))
    images = np.empty((count, 64))
    for label in CLASSES:
        mean, root = _fitted(digits.data[digits.target == label])
        of_class = labels == label
        images[of_class] = mean + SPREAD * noise[of_class] @ root.T
    grey = np.clip(np.round(images * 255 / 16), 0, 255).astype(np.uint8).reshape(count, 8, 8, 1)
    return np.repeat(grey, 3, axis=3)


def _fitted(images: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean (64,) and a root (64, 64) of the covariance. Cholesky's is unique, so every machine draws the same images."""
    covariance = np.cov(images, rowvar=False) + SMOOTHING**2 * np.eye(64)
    return images.mean(axis=0), np.linalg.cholesky(covariance)
