"""Which images a report shows, what it says of each, and how large the page may become."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from genbench.estimate import Estimate
from genbench.evaluation.evaluate import evaluate
from genbench.evaluation.neighbours import neighbours
from genbench.evaluation.result import MetricResult
from genbench.metrics import fid
from genbench.metrics.base import FeatureSet
from genbench.report import gallery, nearest
from genbench.report.write import LIMIT, _fitting


def test_random_images_are_drawn_by_the_seed_and_not_picked() -> None:
    rows = gallery.random_rows(1000, 0)
    assert len(rows) == len(set(rows)) == gallery.RANDOM
    assert rows == gallery.random_rows(1000, 0)
    assert rows != gallery.random_rows(1000, 1)
    assert sorted(gallery.random_rows(20, 0)) == list(range(20))


def test_what_an_image_does_to_the_distance_is_what_it_does(measured: Any) -> None:
    """The distance without an image is less by what the page says that the image adds."""
    metric, features = measured.features.metric, measured.features
    pull = gallery.pull_of(measured.result, metric)
    assert pull is not None
    assert features.reference is not None
    worst, best = gallery.extremes(pull, metric)
    assert len(worst) == len(best) == gallery.EXTREMES
    for row in (worst[0], best[0]):
        others = torch.cat([features.fake[:row], features.fake[row + 1 :]])
        without = float(fid.compute(real=features.reference, fake=FeatureSet(features=others))["fd"])
        assert float(metric) - without == pytest.approx(pull[row] / len(pull), rel=0.25)
    assert pull[worst[0]] > 0 > pull[best[0]]


@pytest.mark.parametrize(
    ("better", "value", "worst"), [("lower", 1.0, 2), ("higher", 1.0, 0), ("zero", 1.0, 2), ("zero", -1.0, 0)]
)
def test_worse_is_the_way_that_the_metric_says(better: str, value: float, worst: int) -> None:
    metric = MetricResult.of("m", Estimate(value=value, se=0.1, n=3, better=better), protocol="m/1", layer=None, extractor=None)  # type: ignore[arg-type]
    assert gallery.extremes(np.array([-1.0, 0.0, 1.0]), metric)[0][0] == worst


def test_the_neighbours_are_those_that_genbench_neighbours_finds(measured: Any) -> None:
    shown = nearest.nearest_training(measured.features, measured.pictures, seed=3, side=32)
    for lines, worst in ((shown.drawn, False), (shown.closest, True)):
        expected = neighbours(
            "digits/test",
            ref="digits/train",
            extractor="tiny",
            n=nearest.ROWS,
            k=nearest.NEAREST,
            worst=worst,
            seed=3,
            device="cpu",
            workers=0,
        )
        assert shown.median == f"{expected.median_ratio:.2f}"
        for line, row in zip(lines, expected.rows, strict=True):
            assert line.generated.note == row.name
            assert line.ratio == f"ratio {row.ratio:.2f}"
            assert [picture.note for picture in line.neighbours] == [f"{near.distance:#.3g}" for near in row.neighbours]
            assert all(near.name in picture.alt for picture, near in zip(line.neighbours, row.neighbours, strict=True))


def test_skipped_and_copied_images_are_named(
    digits: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page_of: Any, write_images: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    samples = write_images(Path("samples"), digits[:60])
    (samples / "0007.png").write_bytes(b"no image")
    (samples / "9999.png").write_bytes((samples / "0003.png").read_bytes())
    command = "genbench evaluate samples --ref digits --extractor tiny --on-bad=skip".split()
    result = evaluate(
        "samples", ref="digits", extractor="tiny", metrics="fd", device="cpu", on_bad="skip", allow_small=True, command=command
    )
    result.save(tmp_path / "out")
    text, _ = page_of(tmp_path / "out")
    assert "0003.png = 9999.png" in text
    assert "0007.png" in text
    assert "W-DUPLICATES" in text
    pull = gallery.pull_of(result, result.metrics[0])
    assert pull is not None
    worst = result.image_names[gallery.extremes(pull, result.metrics[0])[0][0]]
    assert f"generated image {worst}, which raises fd@tiny by" in text


@pytest.mark.parametrize("kind", ["photographs", "noise"])
def test_a_page_of_large_photographs_is_below_five_megabytes(kind: str, page_of: Any) -> None:
    """64 thumbnails, extremes and neighbours of 256 x 256 images, even where nothing compresses."""
    chance = np.random.default_rng(0)
    images = [
        _photograph(chance) if kind == "photographs" else chance.integers(0, 256, (256, 256, 3)).astype(np.uint8)
        for _ in range(130)
    ]
    sides = [np.stack(images[:70]), np.stack(images[70:])]
    result = evaluate(sides[0], ref=sides[1], metrics="fd@tiny", device="cpu", allow_small=True)
    text, _ = page_of(result, images=sides[0], ref=sides[1])
    assert text.count("data:image/webp") > 64 + 24 + 60
    assert 10**5 < len(text.encode()) < LIMIT


def test_pictures_shrink_until_the_page_is_small_enough() -> None:
    asked = []

    def page(side: int) -> str:
        asked.append(side)
        return "x" * (LIMIT // 90 * side)

    assert len(_fitting(page)) < LIMIT
    assert asked == [128, 96, 64]
    asked.clear()
    assert _fitting(lambda side: asked.append(side) or "small") == "small"  # type: ignore[func-returns-value]
    assert asked == [128]


def _photograph(chance: np.random.Generator) -> NDArray[np.uint8]:
    """Smooth colours under fine grain, as a camera sees them."""
    coarse = chance.integers(0, 256, (8, 8, 3)).astype(np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((256, 256), Image.Resampling.BICUBIC), dtype=np.float64)
    return np.clip(smooth + chance.normal(0, 8, smooth.shape), 0, 255).astype(np.uint8)
