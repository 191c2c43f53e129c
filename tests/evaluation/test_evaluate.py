"""From images to a result: the whole way, on real digits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter

import genbench
from genbench.errors import DataError, IncomparableError, UsageError
from genbench.evaluation.result import SCHEMA_FILE, Result, json_schema

TESTS = Path(__file__).parent


def valid(result: Result) -> Result:
    """The result, checked against the shipped schema."""
    jsonschema.validate(json.loads(result.to_json()), json.loads(SCHEMA_FILE.read_text()))
    return result


def fd(images: object, **options: object) -> float:
    arguments = {"ref": "digits/train", "metrics": ["fd@tiny"], **options}
    return float(valid(genbench.evaluate(images, **arguments))["fd"])  # type: ignore[arg-type]


def test_every_number_has_an_error_bar_a_direction_and_a_protocol() -> None:
    result = valid(genbench.evaluate("digits/test", ref="digits/train", extractor="tiny"))
    names = [metric.name for metric in result.metrics]
    assert names == ["fd", "kd", "inception_score", "precision", "recall", "density", "coverage"]
    for metric in result.metrics:
        assert metric.value is not None
        assert metric.se is not None
        assert metric.se > 0
        assert metric.ci is not None
        assert metric.ci[0] < metric.value < metric.ci[1]
        assert (metric.n, metric.better) == (599, "lower" if metric.name in ("fd", "kd") else "higher")
        assert metric.protocol.split("@")[-1].startswith("tiny")
    assert result.subject.listed == result.subject.n == 599
    assert result.reference is not None
    assert result.reference.n == 1198
    assert str(Path.home()) not in result.to_json()


def test_held_out_images_are_near_and_noise_is_far(digits: NDArray[np.uint8]) -> None:
    near = genbench.evaluate("digits/test", ref="digits/train", extractor="tiny")
    noise = np.random.default_rng(0).integers(0, 256, (600, 8, 8, 3), dtype=np.uint8)
    far = genbench.evaluate(noise, ref="digits/train", extractor="tiny")
    assert far["fd"].ci is not None
    assert near["fd"].ci is not None
    assert far["fd"].ci[0] > near["fd"].ci[1]
    assert far["kd"].value > near["kd"].value  # type: ignore[operator]
    assert far["precision"].value < 0.1 < 0.9 < near["precision"].value  # type: ignore[operator]


def test_a_second_run_extracts_nothing_and_says_the_same(digit_folder: Path) -> None:
    first = genbench.evaluate(digit_folder, ref="digits/train", metrics=["fd@tiny"])
    second = genbench.evaluate(digit_folder, ref="digits/train", metrics=["fd@tiny", "kd@tiny", "precision@tiny"])
    assert first.timing.images_extracted == 600
    assert second.timing.images_extracted == 0
    assert second["fd"].value == first["fd"].value


def test_other_images_are_never_mistaken_for_cached_ones(digits: NDArray[np.uint8]) -> None:
    changed = digits[:600].copy()
    changed[17, 0, 0, 0] ^= 1
    assert fd(digits[:600]) != fd(changed)


@pytest.mark.parametrize(("batch_size", "workers"), [(1, 0), (7, 0), (64, 2), (512, 1)])
def test_batches_and_workers_change_nothing(digit_folder: Path, batch_size: int, workers: int) -> None:
    expected = fd(digit_folder)
    os.environ["GENBENCH_CACHE"] += f"-{batch_size}-{workers}"  # nothing from the first run is found
    assert fd(digit_folder, batch_size=batch_size, workers=workers) == pytest.approx(expected, rel=1e-4)


def test_the_order_of_images_changes_nothing_but_rounding(digits: NDArray[np.uint8]) -> None:
    order = np.random.default_rng(0).permutation(600)
    assert fd(digits[:600][order]) == pytest.approx(fd(digits[:600]), rel=1e-5)


def blurred(image: NDArray[np.uint8], radius: float) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(radius)))


def recompressed(image: NDArray[np.uint8], quality: int, tmp_path: Path) -> NDArray[np.uint8]:
    Image.fromarray(image).save(tmp_path / "x.jpg", quality=quality)
    return np.asarray(Image.open(tmp_path / "x.jpg"))


def assert_rising(values: list[float]) -> None:
    assert all(low < high for low, high in pairwise(values)), values


def test_more_blur_is_farther(digits: NDArray[np.uint8]) -> None:
    assert_rising([fd(np.stack([blurred(image, radius) for image in digits[:600]])) for radius in (0, 0.4, 0.7, 1.5)])


def test_more_noise_is_farther(digits: NDArray[np.uint8]) -> None:
    noise = np.random.default_rng(0).standard_normal(digits[:600].shape)
    doses = [np.clip(digits[:600] + sigma * noise, 0, 255).astype(np.uint8) for sigma in (0, 10, 25, 60)]
    assert_rising([fd(images) for images in doses])


def test_stronger_compression_is_farther(digits: NDArray[np.uint8], tmp_path: Path) -> None:
    doses = [np.stack([recompressed(image, quality, tmp_path) for image in digits[:600]]) for quality in (95, 50, 25, 5)]
    assert_rising([fd(digits[:600]), *[fd(images) for images in doses]])


def test_fewer_classes_are_farther_and_recall_falls(digits: NDArray[np.uint8]) -> None:
    from sklearn.datasets import load_digits

    labels = load_digits().target
    results = [
        genbench.evaluate(digits[labels < classes][:300], ref="digits/train", extractor="tiny", allow_small=True)
        for classes in (10, 7, 4, 2)
    ]
    assert_rising([float(result["fd"]) for result in results])
    assert_rising([-float(result["recall"]) for result in results])
    assert_rising([-float(result["coverage"]) for result in results])


def test_evaluator_says_the_same_as_evaluate(digits: NDArray[np.uint8]) -> None:
    expected = genbench.evaluate(digits[:600], ref="digits/train", extractor="tiny")
    evaluator = genbench.Evaluator(ref="digits/train", extractor="tiny")
    for batch in np.array_split(digits[:600], 7):
        evaluator.update(batch)
    result = valid(evaluator.result())
    for metric in expected.metrics:
        assert result[metric.name].value == pytest.approx(metric.value, rel=1e-4, abs=1e-7)


def test_evaluator_goes_on_from_its_state(digits: NDArray[np.uint8]) -> None:
    def fresh() -> genbench.Evaluator:
        return genbench.Evaluator(ref="digits/train", metrics=["fd"], extractor="tiny")

    first, whole = fresh(), fresh()
    first.update(digits[:300])
    second = fresh()
    second.load_state_dict(first.state_dict())
    second.update(digits[300:600])
    whole.update(digits[:600])
    assert second.result()["fd"].value == pytest.approx(whole.result()["fd"].value, rel=1e-6)
    assert second.result().subject.digest == whole.result().subject.digest
    second.reset()
    with pytest.raises(DataError, match="no images yet"):
        second.result()
    with pytest.raises(UsageError, match="other metrics"):
        genbench.Evaluator(metrics=["inception_score"], extractor="tiny").load_state_dict(first.state_dict())


def test_evaluator_asks_for_the_range_of_float_images() -> None:
    evaluator = genbench.Evaluator(metrics=["inception_score"], extractor="tiny")
    with pytest.raises(DataError, match="range"):
        evaluator.update(torch.rand(4, 3, 8, 8))


def test_too_few_images_are_an_error_or_marked(digits: NDArray[np.uint8]) -> None:
    with pytest.raises(DataError, match="20 images, but fd needs") as caught:
        genbench.evaluate(digits[:20], ref="digits/train", metrics=["fd@tiny"])
    assert caught.value.exit_code == 5
    result = valid(genbench.evaluate(digits[:20], ref="digits/train", metrics=["fd@tiny"], allow_small=True))
    assert not result["fd"].comparable
    assert "20 images" in result["fd"].notes[0]
    assert "W-SINGULAR" in {warning.code for warning in result.warnings}


def test_duplicates_are_counted(digits: NDArray[np.uint8]) -> None:
    result = genbench.evaluate(np.concatenate([digits[:590], digits[:10]]), ref="digits/train", metrics=["fd@tiny"])
    assert result.subject.duplicates == 10
    assert "W-DUPLICATES" in {warning.code for warning in result.warnings}


def test_a_skipped_image_is_counted_and_named(digit_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "samples"
    folder.mkdir()
    for path in digit_folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    broken = (folder / "0300.png").read_bytes()
    (folder / "0300.png").write_bytes(broken[: len(broken) // 2])
    with pytest.raises(DataError, match=r"0300\.png"):
        fd(folder)
    for _ in range(2):  # decoded, and from the cache
        result = valid(genbench.evaluate(folder, ref="digits/train", metrics=["fd@tiny"], on_bad="skip"))
        assert (result.subject.n, result.subject.listed) == (599, 600)
        assert [item.name for item in result.subject.skipped] == ["0300.png"]
        assert result["fd"].n == 599


def test_features_that_are_not_finite_name_the_image(digits: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TESTS))
    images = digits[:600].copy()
    images[123] = 255
    with pytest.raises(DataError, match=r"layer pool is not finite for 1 images \(first: .*123"):
        genbench.evaluate(images, ref=digits[600:], metrics=["fid"], extractor="extractors:NotFinite")


RUN = """
import numpy, genbench, sys
images = numpy.load(sys.argv[1])
result = genbench.evaluate(images[:1500], ref=images[1500:], metrics=["fid"], extractor="extractors:Mortal", allow_small=True)
print(result.timing.images_extracted, result["fd"].value)
"""


def test_a_run_that_was_killed_goes_on_where_it_stopped(digits: NDArray[np.uint8], tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", digits)
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}

    def run(**more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", RUN, str(tmp_path / "images.npy")]
        return subprocess.run(command, env={**environment, **more}, capture_output=True, text=True, check=False)

    assert run(MORTAL="1").returncode == -9
    resumed = run()
    assert resumed.returncode == 0, resumed.stderr
    extracted, value = resumed.stdout.split()
    whole = run(GENBENCH_CACHE=str(tmp_path / "fresh")).stdout.split()
    assert int(whole[0]) == 1500
    assert int(extracted) < 1500
    assert value == whole[1]


def test_statistics_files_stand_for_the_images(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from genbench.cli import app

    path = tmp_path / "train.safetensors"
    outcome = CliRunner().invoke(app, ["stats", "build", "digits/train", "--extractor", "tiny", "-o", str(path), "-q"])
    assert outcome.exit_code == 0, outcome.output
    by_file = valid(genbench.evaluate("digits/test", ref=path, extractor="tiny"))
    by_images = valid(genbench.evaluate("digits/test", ref="digits/train", extractor="tiny"))
    for metric in by_images.metrics:
        assert by_file[metric.name].value == pytest.approx(metric.value, rel=1e-6)
        assert by_file[metric.name].se == pytest.approx(metric.se, rel=1e-5)
    with pytest.raises(IncomparableError, match="extractor: tiny / pixels"):
        genbench.evaluate("digits/test", ref=path, metrics=["fd@pixels"])
    with pytest.raises(IncomparableError, match="precision: fp32 / bf16"):
        genbench.evaluate("digits/test", ref=path, metrics=["fd@tiny"], precision="bf16")


def test_peers_files_of_mu_and_sigma_are_read(digits: NDArray[np.uint8], tmp_path: Path) -> None:
    from genbench.features.pixels import Pixels
    from genbench.gaussian import moments

    extractor = Pixels.load(input="bilinear", precision="fp32", weights=None)
    images = torch.from_numpy(digits[600:]).permute(0, 3, 1, 2)
    whole = moments(extractor(images, ["pool"])["pool"])
    np.savez(tmp_path / "stats.npz", mu=whole.mean.numpy(), sigma=whole.cov.numpy())
    by_file = valid(genbench.evaluate(digits[:600], ref=tmp_path / "stats.npz", extractor="pixels"))
    by_images = genbench.evaluate(digits[:600], ref=digits[600:], extractor="pixels")
    assert by_file["fd"].value == pytest.approx(by_images["fd"].value, rel=1e-6)
    assert {"W-REFERENCE-UNIDENTIFIED", "W-OMITTED"} <= {warning.code for warning in by_file.warnings}
    with pytest.raises(IncomparableError, match="kd needs the features of the reference"):
        genbench.evaluate(digits[:600], ref=tmp_path / "stats.npz", metrics=["kd@pixels"])
    with pytest.raises(IncomparableError, match="192 in the file / 128"):
        genbench.evaluate(digits[:600], ref=tmp_path / "stats.npz", metrics=["fd@tiny"])


def test_a_result_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    result = genbench.evaluate("digits/test", ref="digits/train", metrics=["fd@tiny"])
    path = result.save(tmp_path / "out")
    assert Result.load(path).to_json() == Result.load(tmp_path / "out").to_json() == result.to_json()
    assert (tmp_path / "out" / "influence.safetensors").is_file()
    path.write_text(path.read_text().replace('"better": "lower"', '"better": "sideways"'))
    with pytest.raises(DataError, match=r"no genbench\.result/1: metrics\.0\.better"):
        Result.load(path)
    with pytest.raises(DataError, match="no result at"):
        Result.load(tmp_path / "nowhere")


def test_the_shipped_schema_is_that_of_the_classes() -> None:
    assert json.loads(SCHEMA_FILE.read_text()) == json_schema()


def test_influence_names_the_images_that_hurt(digits: NDArray[np.uint8]) -> None:
    images = digits[:600].copy()
    images[[3, 77, 410]] = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)
    result = genbench.evaluate(images, ref="digits/train", metrics=["fd@tiny"])
    worst = result.influence["fd@tiny/1 fd"].fake.topk(3).indices.tolist()
    assert sorted(worst) == [3, 77, 410]
