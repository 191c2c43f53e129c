"""Every section of a report says what the result says, and opens no images but those that were measured."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from genbench import catalog, seeding
from genbench.bench.jobs import plan
from genbench.bench.record import Record
from genbench.bench.runner import run_suite
from genbench.bench.suite import Suite, load_suite
from genbench.data.base import Policy
from genbench.errors import DataError, SetupError, UsageError
from genbench.estimate import Estimate
from genbench.evaluation.build import build_statistics
from genbench.evaluation.evaluate import evaluate
from genbench.evaluation.neighbours import neighbours
from genbench.evaluation.plan import prepare_execution
from genbench.evaluation.result import MetricResult, Result
from genbench.metrics import fid, fid_infinity
from genbench.metrics.base import FeatureSet
from genbench.report import classes, gallery, headline, methods, nearest, provenance, reopen, sample_size, spectrum, training
from genbench.report.features import Features, extract_features, main_distance, request_of
from genbench.report.source import open_source
from genbench.report.write import LIMIT, _fitting, write_report

COMMAND = "genbench evaluate digits/test --ref digits/train --extractor tiny".split()


@dataclass(frozen=True)
class Measured:
    """An evaluation of digits, its images and its features."""

    result: Result
    folder: Path
    pictures: reopen.Pictures
    features: Features


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Measured]:
    folder = tmp_path_factory.mktemp("measured")
    with pytest.MonkeyPatch.context() as places:
        places.setenv("GENBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        result = evaluate("digits/test", ref="digits/train", extractor="tiny", device="cpu", command=COMMAND)
        result.save(folder)
        loaded = Result.load(folder)
        execution = prepare_execution("cpu", 64, 0, lambda task, done, total: None)
        images, ref, policy = reopen.recorded_sides(loaded)
        pictures = reopen.open_measured(images, loaded.subject, policy, execution, option="--images")
        metric = main_distance(loaded)
        assert metric is not None
        assert metric.name == "fd"
        features = extract_features(loaded, metric, pictures, ref, asked=False, spec=images, weights=None, execution=execution)
        yield Measured(loaded, folder, pictures, features)


def write_images(folder: Path, images: NDArray[np.uint8], name: str = "{}.png") -> Path:
    folder.mkdir(parents=True)
    for index, image in enumerate(images):
        Image.fromarray(image).save(folder / name.format(f"{index:04d}"))
    return folder


def page_of(source: object, folder: Path, **options: object) -> tuple[str, dict[str, str]]:
    """The page, and what it says that it lacks."""
    left_out: dict[str, str] = {}
    path = write_report(source, folder / "report.html", device="cpu", workers=0, tell=left_out.__setitem__, **options)  # type: ignore[arg-type]
    return path.read_text(), left_out


def test_the_numbers_are_those_of_the_result(measured: Measured) -> None:
    shown = headline.numbers(open_source(measured.folder))
    assert [number.name for number in shown] == [metric.short_name for metric in measured.result.metrics]
    for number, metric in zip(shown, measured.result.metrics, strict=True):
        assert number.value == str(metric)
        assert number.protocol == metric.protocol
        assert number.n == f"{metric.n:,}"
        assert metric.ci is not None
        assert metric.se is not None
        ends = [float(end.replace("−", "-")) for end in number.interval.split(" to ")]
        assert ends == pytest.approx(metric.ci, abs=metric.se)
        assert ends == pytest.approx(metric.ci, rel=0, abs=0.06 * metric.se)


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        ((2.5234, 3.2222), "2.52 to 3.22"),
        ((0.8637, 0.9001), "0.8637 to 0.9001"),
        ((-0.0762, 0.0964), "−0.076 to 0.096"),
        ((1234.5, 1310.2), "1234 to 1310"),
        ((1.0, 1.0), "1 to 1"),
        (None, ""),
    ],
)
def test_intervals_have_the_decimals_of_their_error(interval: tuple[float, float] | None, text: str) -> None:
    assert headline.interval_text(interval) == text


def test_random_images_are_drawn_by_the_seed_and_not_picked() -> None:
    rows = gallery.random_rows(1000, 0)
    assert len(rows) == len(set(rows)) == gallery.RANDOM
    assert rows == gallery.random_rows(1000, 0)
    assert rows != gallery.random_rows(1000, 1)
    assert sorted(gallery.random_rows(20, 0)) == list(range(20))


def test_what_an_image_does_to_the_distance_is_what_it_does(measured: Measured) -> None:
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


def test_the_neighbours_are_those_that_genbench_neighbours_finds(measured: Measured) -> None:
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


def test_the_extrapolation_is_that_of_fid_infinity_and_its_line_is_least_squares(measured: Measured) -> None:
    features = measured.features
    assert features.reference is not None
    curve = sample_size.curve(features)
    assert not isinstance(curve, str)
    expected = fid_infinity.compute(real=features.reference, fake=FeatureSet(features=features.fake))["fd_infinity"]
    assert curve.limit == str(expected)
    estimate, points = fid_infinity.extrapolated(real=features.reference, fake=FeatureSet(features=features.fake))
    assert points is not None
    sizes = points.sizes.double().numpy()
    slope, intercept = np.polyfit(1 / sizes, points.distances.numpy(), 1, w=np.sqrt(sizes))
    assert sample_size.line_of(estimate, points) == pytest.approx((intercept, slope), rel=1e-6, abs=1e-9)


def test_the_effective_rank_counts_equal_directions() -> None:
    assert spectrum.effective_rank(torch.ones(7, dtype=torch.float64)) == pytest.approx(7)
    assert spectrum.effective_rank(torch.tensor([3.0, 0.0, 0.0], dtype=torch.float64)) == pytest.approx(1)
    values = spectrum.eigenvalues(torch.diag(torch.tensor([1.0, 4.0, 2.0], dtype=torch.float64)))
    assert values.tolist() == pytest.approx([4, 2, 1])


def test_mean_and_covariance_make_up_the_distance(measured: Measured) -> None:
    found = spectrum.spectrum(measured.features)
    assert found is not None
    terms = float(found.mean_term) + float(found.covariance_term)
    assert terms == pytest.approx(float(measured.features.metric), rel=0.01)


def test_each_class_has_the_distance_of_its_own_images(measured: Measured) -> None:
    features = measured.features
    table = classes.classes(measured.result, features)
    assert table is not None
    assert sorted(row.name for row in table.rows) == sorted(map(str, range(10)))
    assert "128 dimensions" in table.warning
    assert features.real is not None
    assert features.fake_classes is not None
    assert features.real_classes is not None
    for row in table.rows[:2]:
        fake = features.fake[[name == row.name for name in features.fake_classes]]
        real = features.real[[name == row.name for name in features.real_classes]]
        assert row.value == str(fid.compute(real=FeatureSet(features=real), fake=FeatureSet(features=fake))["fd"])
        assert row.n == str(len(fake))


def test_shrinking_takes_out_what_errors_explain() -> None:
    apart = {"a": (1.0, 1e-9), "b": (2.0, 1e-9), "c": (4.0, 1e-9)}
    assert classes.shrink(apart) == pytest.approx({name: value for name, (value, _) in apart.items()})
    noise = classes.shrink({"a": (1.0, 5.0), "b": (2.0, 5.0), "c": (3.0, 5.0)})
    assert list(noise.values()) == pytest.approx([2.0, 2.0, 2.0])
    half = classes.shrink({"a": (0.0, 0.5), "b": (2.0, 0.5)})
    assert 0 < half["a"] < 1 < half["b"] < 2


def test_shrunk_values_are_nearer_to_the_truth() -> None:
    chance = seeding.generator(0, "test/shrink")
    raw = shrunk = 0.0
    for _ in range(200):
        truth = chance.normal(5, 1, 10)
        seen = truth + chance.normal(0, 1, 10)
        pulled = classes.shrink({str(i): (float(value), 1.0) for i, value in enumerate(seen)})
        raw += float(((seen - truth) ** 2).sum())
        shrunk += float(((np.array(list(pulled.values())) - truth) ** 2).sum())
    assert shrunk < 0.7 * raw


def test_the_methods_name_every_metric_reference_and_source(measured: Measured) -> None:
    found = methods.methods(measured.result)
    for word in (
        "599 images (digits/test)",
        "1,198",
        "digits/train",
        "fd@tiny/1",
        "prdc@tiny:k5/1",
        "tiny (weights",
        "influence",
        "jackknife",
    ):
        assert word in found.paragraph
    addresses = {source.address for source in found.sources}
    assert "https://arxiv.org/abs/1706.08500" in addresses
    keys = re.findall(r"@misc\{(\w+),", found.bibtex)
    assert len(keys) == len(set(keys)) == len(found.sources)
    assert "kynkaanniemi2019" in keys


@pytest.mark.parametrize("name", catalog.names("metrics"))
def test_every_source_of_the_catalogue_can_be_cited(name: str) -> None:
    entry = catalog.find("metrics", name)
    parts = [methods._cited(part.strip(), [name]) for part in entry.source.split(";")]
    assert all(part.text or part.address for part in parts)
    assert all(not part.address or part.address.startswith("https://") for part in parts)


def test_the_command_and_every_digest_are_on_the_page(measured: Measured, tmp_path: Path) -> None:
    text, left_out = page_of(measured.folder, tmp_path)
    assert " ".join(COMMAND) in text
    assert measured.result.subject.digest in text  # type: ignore[operator]
    assert measured.result.reference.digest in text  # type: ignore[union-attr, operator]
    assert measured.result.metrics[0].extractor.weights_sha256 in text  # type: ignore[union-attr]
    assert all(str(metric) in text for metric in measured.result.metrics)
    assert "drawn by seed 0 and not picked" in text
    assert left_out == {}


def test_the_same_result_and_seed_give_the_same_page(measured: Measured, tmp_path: Path) -> None:
    pages = [re.sub(r"nonce[-=]\"?[\w-]+", "", page_of(measured.folder, tmp_path, seed=5)[0]) for _ in range(2)]
    assert pages[0] == pages[1]


def test_without_images_the_page_says_so(measured: Measured, tmp_path: Path) -> None:
    moved = measured.result.model_copy(
        update={"command": [], "subject": measured.result.subject.model_copy(update={"name": "gone"})}
    )
    text, left_out = page_of(moved, tmp_path)
    assert "--images" in left_out["pictures"]
    assert left_out["pictures"] in text
    assert "<img src=" not in text
    assert str(moved.metrics[0]) in text
    text, left_out = page_of(measured.folder, tmp_path, pictures=False)
    assert "<img src=" not in text


def test_images_may_be_named_where_they_are_now(digit_folder: Path, tmp_path: Path) -> None:
    result = evaluate(digit_folder, ref="digits", extractor="tiny", metrics="fd", device="cpu")
    text, left_out = page_of(result, tmp_path, images=digit_folder)
    assert "generated image 0000.png" in text or "0001.png" in text
    assert set(left_out) == {"classes"}


def test_other_images_are_refused(digit_folder: Path, digits: NDArray[np.uint8], tmp_path: Path) -> None:
    result = evaluate(digit_folder, ref="digits", extractor="tiny", metrics="fd", device="cpu")
    with pytest.raises(DataError, match="these are not the images that were measured") as refused:
        page_of(result, tmp_path, images=write_images(tmp_path / "others", digits[1:601]))
    assert refused.value.code == "E-OTHER-IMAGES"
    assert "--images" in refused.value.hint
    with pytest.raises(DataError, match="not the images that were measured"):
        page_of(result, tmp_path, images=digit_folder, ref=write_images(tmp_path / "real", digits[:600]))
    with pytest.raises(DataError, match="nowhere") as missing:
        page_of(result, tmp_path, images=tmp_path / "nowhere")
    assert missing.value.code == "E-NO-PATH"
    assert not (tmp_path / "report.html").exists()


def test_images_that_changed_since_are_refused(
    digits: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_images(Path("samples"), digits[:520])
    command = "genbench evaluate samples --ref digits --extractor tiny".split()
    result = evaluate("samples", ref="digits", extractor="tiny", metrics="fd", device="cpu", command=command)
    assert "generated image" in page_of(result, tmp_path)[0]
    Image.fromarray(255 - digits[0]).save("samples/0000.png")
    with pytest.raises(DataError, match="not the images that were measured"):
        page_of(result, tmp_path)
    assert "<img src=" not in page_of(result, tmp_path, pictures=False)[0]


def test_a_reference_of_statistics_gives_the_distance_and_no_neighbours(
    digit_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = {"weights": None, "precision": "fp32", "policy": Policy(), "device": "cpu", "batch_size": 64, "workers": 0}
    build_statistics("digits/train", "tiny", Path("s.safetensors"), max_features=300, progress=lambda *_: None, **options)  # type: ignore[arg-type]
    command = f"genbench evaluate {digit_folder} --ref s.safetensors --extractor tiny".split()
    result = evaluate(digit_folder, ref="s.safetensors", metrics="fd@tiny", device="cpu", command=command)
    monkeypatch.setattr("genbench.report.features.SMALL", 1000)
    text, left_out = page_of(result, tmp_path)
    assert "--ref" in left_out["neighbours"]
    assert "With infinitely many images" in text
    text, left_out = page_of(result, tmp_path, ref="digits/train")
    assert "neighbours" not in left_out
    assert "training image image" in text


def test_without_the_network_there_are_pictures_and_numbers(
    measured: Measured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*args: object, **kwargs: object) -> None:
        raise SetupError("E-OFFLINE", "the weights are not here", hint="fetch them")

    monkeypatch.setattr("genbench.evaluation.request.Place.load", missing)
    text, left_out = page_of(measured.folder, tmp_path)
    assert left_out["distance"] == "The weights are not here. Fetch them."
    assert "generated image" in text
    assert "Worst: what makes" in text
    assert "Nearest training images</h2>" not in text


def test_skipped_and_copied_images_are_named(
    digits: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    samples = write_images(Path("samples"), digits[:520])
    (samples / "0007.png").write_bytes(b"no image")
    (samples / "9999.png").write_bytes((samples / "0003.png").read_bytes())
    command = "genbench evaluate samples --ref digits --extractor tiny --on-bad=skip".split()
    result = evaluate("samples", ref="digits", extractor="tiny", metrics="fd", device="cpu", on_bad="skip", command=command)
    result.save(tmp_path / "out")
    text, _ = page_of(tmp_path / "out", tmp_path)
    assert "0003.png = 9999.png" in text
    assert "0007.png" in text
    assert "W-DUPLICATES" in text
    pull = gallery.pull_of(result, result.metrics[0])
    assert pull is not None
    worst = result.names[gallery.extremes(pull, result.metrics[0])[0][0]]
    assert f"generated image {worst}, which raises fd@tiny by" in text


@pytest.mark.parametrize(
    ("command", "images", "options"),
    [
        ("genbench evaluate a --ref b --json", "a", {"--ref": "b"}),
        ("genbench evaluate --ref=b -q a -o out", "a", {"--ref": "b", "-o": "out"}),
        ("genbench evaluate --offline --allow-small a", "a", {}),
        ("genbench stats build a", None, {}),
        ("", None, {}),
    ],
)
def test_the_recorded_command_says_where_the_images_were(command: str, images: str | None, options: dict[str, str]) -> None:
    assert reopen.options_of(command.split()) == (images, options)


def test_the_recorded_policy_is_that_of_the_command() -> None:
    options = {"--on-bad": "skip", "--background": "1,2,3", "--value-range": "0,1"}
    policy = reopen.policy_of(options)
    assert (policy.on_bad, policy.background, policy.value_range) == ("skip", (1, 2, 3), (0.0, 1.0))
    assert reopen.policy_of({"--background": "white"}).background == (255, 255, 255)
    assert reopen.policy_of({"--background": "nonsense", "--value-range": "x"}) == reopen.policy_of({})


def test_a_document_cannot_make_us_import_anything(measured: Measured) -> None:
    metric = measured.result.metrics[0]
    for protocol in ("fd@antigravity:Extractor/1", "antigravity:Metric/1", "/", "", "fd@nowhere/1"):
        assert request_of(metric.model_copy(update={"protocol": protocol})) is None
    outside = metric.extractor.model_copy(update={"extractor": "antigravity"})  # type: ignore[union-attr]
    assert request_of(metric.model_copy(update={"extractor": outside})) is None


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Record]]:
    folder = tmp_path_factory.mktemp("runs")
    table = {
        "version": 1,
        "title": "Small",
        "dataset": "digits",
        "metrics": ["fd@tiny", "prdc@tiny"],
        "num_images": 150,
        "num_scored": 20,
        "budget": {"steps": 30},
        "entries": [{"model": "vae", "label": "a VAE <b>", "recipe": {"lr": 0.002}}],
    }
    return folder, run_suite(Suite.model_validate(table), "small", folder, device="cpu")


def the_run(runs: tuple[Path, list[Record]]) -> Path:
    return next(path.parent for path in sorted(runs[0].rglob("model.json")) if path.parent.name == "seed0")


def test_a_run_is_shown_with_the_samples_that_were_measured(runs: tuple[Path, list[Record]], tmp_path: Path) -> None:
    folder = the_run(runs)
    record = Record.load(folder)
    assert record.final is not None
    text, left_out = page_of(folder, tmp_path)
    assert "pictures" not in left_out
    assert text.count("generated image image ") > 64
    assert "a VAE &lt;b&gt;" in text
    for value in record.final.evaluation.metrics:  # type: ignore[union-attr]
        assert str(value) in text
    assert "held-out data, the ceiling" in text
    assert "untrained, the floor" in text
    assert "validation" in text
    assert all(name in text for name, value in record.diagnostics.items())


def test_the_held_out_data_have_a_page_too(runs: tuple[Path, list[Record]], tmp_path: Path) -> None:
    text, left_out = page_of(runs[0] / "held-out", tmp_path)
    assert "generated image" in text
    assert "pictures" not in left_out


def test_the_suite_on_the_page_is_the_suite_of_the_run(runs: tuple[Path, list[Record]], tmp_path: Path) -> None:
    record = Record.load(the_run(runs))
    text = provenance.suite_toml(record.label, record.config)
    tomllib.loads(text)
    (tmp_path / "suite.toml").write_text(text)
    (job,) = plan(load_suite(tmp_path / "suite.toml"), "suite", tmp_path)
    assert json.loads(json.dumps(job.config())) == record.config
    assert job.entry.label == record.label


def test_training_curves_are_those_of_the_log(tmp_path: Path) -> None:
    lines = [
        {"stage": "main", "step": i, "steps": i, "images": i, "loss": 1.0 / i, "kl": math.nan if i == 3 else i}
        for i in range(1, 6)
    ]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = training.training(tmp_path)
    assert found is not None
    assert len(found.figures) == 2
    assert "From 1 at the start to 0.2 after 5 steps" in found.figures[0]
    assert training.training(tmp_path / "nowhere") is None


def test_unusual_diagnostics_come_first_with_advice() -> None:
    readings = {
        name: reading
        for entry in catalog.names("diagnostics")
        for name, reading in catalog.find("diagnostics", entry).reports.items()
    }
    name, reading = next(
        (name, reading) for name, reading in readings.items() if reading.usual[1] is not None and reading.advice
    )
    other = next(key for key, value in readings.items() if value.usual == (None, None))
    found = training.findings({other: 1.0, "unheard_of": 2.0, "lost": None, name: reading.usual[1] + 1})
    assert [finding.name for finding in found] == [name, other, "unheard_of"]
    assert found[0].unusual
    assert found[0].advice
    assert not found[1].advice


def test_what_is_no_result_is_said(tmp_path: Path, runs: tuple[Path, list[Record]]) -> None:
    with pytest.raises(DataError, match="no such file"):
        open_source(tmp_path / "nowhere")
    with pytest.raises(DataError, match="holds no result"):
        open_source(tmp_path)
    with pytest.raises(UsageError, match="2 results"):
        open_source(runs[0])
    with pytest.raises(UsageError, match="--images and --ref are for results"):
        page_of(the_run(runs), tmp_path, images="digits")
    with pytest.raises(UsageError, match="--data is for runs"):
        page_of(evaluate("digits/test", ref="digits", metrics="fd@tiny", device="cpu"), tmp_path, data="digits")


@pytest.mark.parametrize("kind", ["photographs", "noise"])
def test_a_page_of_large_photographs_is_below_five_megabytes(tmp_path: Path, kind: str) -> None:
    """64 thumbnails, extremes and neighbours of 256 x 256 images, even where nothing compresses."""
    chance = np.random.default_rng(0)
    images = [
        _photograph(chance) if kind == "photographs" else chance.integers(0, 256, (256, 256, 3)).astype(np.uint8)
        for _ in range(130)
    ]
    sides = [np.stack(images[:70]), np.stack(images[70:])]
    result = evaluate(sides[0], ref=sides[1], metrics="fd@tiny", device="cpu", allow_small=True)
    text, _ = page_of(result, tmp_path, images=sides[0], ref=sides[1])
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
