"""One evaluation, which many sections are about, its page, and the page of anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from genbench.evaluation.evaluate import evaluate
from genbench.evaluation.plan import prepare_execution
from genbench.evaluation.result import Result
from genbench.report import reopen
from genbench.report.features import Features, extract_features, main_distance
from genbench.report.write import write_report

COMMAND = "genbench evaluate digits/test --ref digits/train --extractor tiny".split()
PageOf = Callable[..., tuple[str, dict[str, str]]]


@dataclass(frozen=True)
class Measured:
    """An evaluation of digits, its images and its features."""

    result: Result
    folder: Path
    pictures: reopen.Pictures
    features: Features


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory, own_cache: None) -> Measured:
    folder = tmp_path_factory.mktemp("measured")
    evaluate("digits/test", ref="digits/train", extractor="tiny", device="cpu", command=COMMAND).save(folder)
    result = Result.load(folder)
    execution = prepare_execution("cpu", 64, 0, lambda task, done, total: None)
    images, ref, policy = reopen.recorded_sides(result)
    pictures = reopen.open_measured(images, result.subject, policy, execution, option="--images")
    metric = main_distance(result)
    assert metric is not None
    assert metric.name == "fd"
    features = extract_features(result, metric, pictures, ref, asked=False, spec=images, weights=None, execution=execution)
    return Measured(result, folder, pictures, features)


@pytest.fixture(scope="session")
def whole_page(measured: Measured, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, str]]:
    """The page of `measured` with everything, and what it says that it lacks."""
    left_out: dict[str, str] = {}
    out = tmp_path_factory.mktemp("page") / "report.html"
    return write_report(measured.folder, out, device="cpu", workers=0, tell=left_out.__setitem__).read_text(), left_out


@pytest.fixture
def page_of(tmp_path: Path) -> PageOf:
    """page_of(source, ...) -> the page, and what it says that it lacks."""

    def write(source: object, **options: Any) -> tuple[str, dict[str, str]]:
        left_out: dict[str, str] = {}
        path = write_report(source, tmp_path / "report.html", device="cpu", workers=0, tell=left_out.__setitem__, **options)  # type: ignore[arg-type]
        return path.read_text(), left_out

    return write


@pytest.fixture
def write_images() -> Callable[[Path, NDArray[np.uint8]], Path]:
    """write_images(folder, uint8 (N, H, W, 3)) -> the folder with 0000.png and so on."""

    def write(folder: Path, images: NDArray[np.uint8]) -> Path:
        folder.mkdir(parents=True)
        for index, image in enumerate(images):
            Image.fromarray(image).save(folder / f"{index:04d}.png")
        return folder

    return write
