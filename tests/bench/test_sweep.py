"""The curve of a knob: planted trades, going on where it stopped, the summary's arithmetic."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from genbench import catalog
from genbench.bench import measure
from genbench.bench import sweep as sweeps
from genbench.bench.by_hand import train_by_hand
from genbench.bench.record import Measurement, Quality, Record, Value
from genbench.bench.runner import run_suite
from genbench.bench.suite import Suite
from genbench.bench.sweep import Curve, Point, as_text, covered_area, summarised, sweep, traded
from genbench.errors import UsageError
from genbench.training.budget import Budget

VALUES = [0.3, 1.0, 6.0]


def trained(folder: Path, name: str, data: str, steps: int) -> Path:
    changes = {"args": dict(catalog.find("models", name).tiny)}
    train_by_hand(name, data, folder, budget=Budget(steps=steps), changes=changes, seed=0, image_size=None, device="cpu")
    return folder


@pytest.fixture(scope="module")
def gan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("runs") / "gan", "gan", "digits", 60)


@pytest.fixture(scope="module")
def curve(gan: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Curve, Path]:
    folder = tmp_path_factory.mktemp("curve")
    return sweep(gan, folder, values=[6, 0.3, 1, 1], n=100, device="cpu"), folder


def test_every_value_is_measured_with_its_error(curve: tuple[Curve, Path]) -> None:
    found, folder = curve
    assert [point.value for point in found.points] == VALUES
    for point in found.points:
        values = point.quality.values()
        assert list(values) == ["fd@tiny", "precision@tiny", "recall@tiny"]
        assert all(value.value is not None and value.se is not None for value in values.values())
    assert Curve.model_validate_json((folder / "sweep.json").read_text()).to_json() == found.to_json()
    assert json.loads(found.to_json())["schema"] == "genbench.sweep/1"


def test_less_truncation_reaches_more_of_the_data(curve: tuple[Curve, Path]) -> None:
    found, _ = curve
    distances = [point.quality.values()["fd@tiny"].value for point in found.points]
    assert distances[0] == max(distances)  # nearly one image
    assert found.summary.least in VALUES[1:]


def test_a_point_is_what_a_benchmark_records_of_the_model_at_that_value(tmp_path: Path) -> None:
    table = {
        "version": 1,
        "title": "One",
        "dataset": "digits",
        "metrics": list(sweeps.METRICS),
        "num_images": 60,
        "budget": {"steps": 4},
        "entries": [{"model": "gan", "args": dict(catalog.find("models", "gan").tiny), "knobs": {"truncation": 0.3}}],
    }
    run_suite(Suite.model_validate(table), "one", tmp_path / "runs", device="cpu")
    run = tmp_path / "runs" / "gan" / "seed0"
    recorded = Record.load(run).final
    assert recorded is not None
    found = sweep(run, tmp_path / "curve", values=VALUES[:2], n=60, device="cpu")
    assert found.points[0].quality.values() == recorded.values()
    assert found.points[1].quality.values() != recorded.values()


def test_finished_values_are_not_measured_again(gan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = sweep(gan, tmp_path, values=VALUES[:2], n=60, device="cpu")
    drawn: list[float] = []
    original = measure.sample

    def counted(model, n, held_out, knobs, **rest):  # type: ignore[no-untyped-def]
        drawn.append(knobs["truncation"])
        return original(model, n, held_out, knobs, **rest)

    monkeypatch.setattr(measure, "sample", counted)
    again = sweep(gan, tmp_path, values=VALUES, n=60, device="cpu")
    assert drawn == VALUES[2:]
    assert [point.model_dump() for point in again.points[:2]] == [point.model_dump() for point in first.points]


def test_an_interrupted_sweep_goes_on(gan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original, left = measure.quality, [1]

    def interrupted(*args):  # type: ignore[no-untyped-def]
        if not left:
            raise KeyboardInterrupt
        left.pop()
        return original(*args)

    monkeypatch.setattr(measure, "quality", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sweep(gan, tmp_path, values=VALUES[:2], n=60, device="cpu")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "truncation=0.3.json"]
    monkeypatch.setattr(measure, "quality", original)
    assert len(sweep(gan, tmp_path, values=VALUES[:2], n=60, device="cpu").points) == 2


def test_a_folder_holds_one_configuration(gan: Path, curve: tuple[Curve, Path]) -> None:
    with pytest.raises(UsageError, match="made with n = 100, now it is 90"):
        sweep(gan, curve[1], values=VALUES, n=90, device="cpu")


def test_points_are_measured_on_their_coordinates(tmp_path: Path) -> None:
    run = trained(tmp_path / "run", "ddpm", "moons", 2)
    found = sweep(run, knob="steps", values=[2, 5], n=60, device="cpu")
    assert (run / "sweeps" / "steps" / "sweep.json").is_file()
    assert [point.evaluations for point in found.points] == [2, 5]
    assert {"fd@coordinates", "precision@coordinates", "recall@coordinates"} <= set(found.points[0].quality.values())
    assert found.summary.area is not None


def test_errors_teach(gan: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="named 'truncatoin'") as caught:
        sweep(gan, tmp_path, knob="truncatoin", device="cpu")
    assert "truncation" in caught.value.hint
    with pytest.raises(UsageError, match="makes no curve"):
        sweep(gan, tmp_path, values=[1.0, 1.0], device="cpu")
    with pytest.raises(UsageError, match="--n 3"):
        sweep(gan, tmp_path, n=3, device="cpu")
    ddpm = trained(tmp_path / "ddpm", "ddpm", "moons", 1)
    with pytest.raises(UsageError, match="2 knobs") as caught:
        sweep(ddpm, device="cpu")
    assert "steps: more passes" in caught.value.hint
    with pytest.raises(UsageError, match="1 to 1000 steps"):
        sweep(ddpm, tmp_path / "c", knob="steps", values=[5, 5000], n=20, device="cpu")
    gaussian = trained(tmp_path / "gaussian", "gaussian", "digits", 1)
    with pytest.raises(UsageError, match="has no knob"):
        sweep(gaussian, device="cpu")


def planted(rows: list[tuple[float, float, float, float]], se: float = 0.1) -> list[Point]:
    """(knob, fd, precision, recall) -> points of a curve."""

    def quality(fd: float, precision: float, recall: float) -> Quality:
        named = {"fd@tiny": (fd, "lower"), "precision@tiny": (precision, "higher"), "recall@tiny": (recall, "higher")}
        return Quality(points={name: Measurement(value=v, se=se, n=100, better=b) for name, (v, b) in named.items()})

    return [Point(value=knob, evaluations=1, seconds=0.0, quality=quality(*rest)) for knob, *rest in rows]


def test_a_monotone_trade() -> None:
    rows = [(0.5, 9.0, 0.9, 0.1), (1.0, 4.0, 0.7, 0.4), (2.0, 3.0, 0.6, 0.6), (6.0, 3.1, 0.5, 0.7)]
    summary = summarised(planted(rows))
    assert summary.least == 2.0
    assert summary.as_good == [2.0, 6.0]
    assert summary.spearman == pytest.approx({"fd@tiny": -0.8, "precision@tiny": -1.0, "recall@tiny": 1.0})
    assert summary.area == pytest.approx(0.7 * 0.5 + 0.6 * 0.1 + 0.4 * 0.1 + 0.1 * 0.2)


def test_larger_errors_make_more_values_as_good() -> None:
    rows = [(1.0, 4.0, 0.7, 0.4), (2.0, 3.0, 0.6, 0.6)]
    assert [len(summarised(planted(rows, se)).as_good) for se in (0.01, 0.1, 1.0)] == [1, 1, 2]


def test_the_area_is_that_of_the_union() -> None:
    assert covered_area([]) is None
    assert covered_area([(1.0, 1.0)]) == 1
    assert covered_area([(0.5, 0.5)]) == 0.25
    assert covered_area([(0.5, 0.5), (0.5, 0.5), (0.4, 0.4)]) == 0.25  # neither twice nor what another covers
    assert covered_area([(1.0, 0.2), (0.2, 1.0)]) == pytest.approx(0.2 + 0.2 - 0.04)


def test_without_its_metrics_the_summary_is_silent() -> None:
    point = Quality(points={"kd@tiny": Measurement(value=1.0, se=0.1, n=100, better="lower")})
    summary = summarised([Point(value=knob, evaluations=1, seconds=0.0, quality=point) for knob in (1.0, 2.0, 3.0)])
    assert (summary.least, summary.as_good, summary.area) == (None, [], None)
    assert summary.spearman == {"kd@tiny": None}  # constant


def test_points_without_precision_or_recall_are_left_out_and_named(
    curve: tuple[Curve, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    points = planted([(0.5, 9.0, 0.9, 0.1), (1.0, 4.0, 0.7, 0.4), (2.0, 3.0, 0.6, 0.6)])
    every = summarised(points)
    assert every.left_out == []
    original = Quality.values

    def missing(quality: Quality) -> dict[str, Value]:
        lost = {"precision@tiny": None} if quality is points[1].quality else {}
        return {name: value._replace(value=lost.get(name, value.value)) for name, value in original(quality).items()}

    monkeypatch.setattr(Quality, "values", missing)
    found = summarised(points)
    assert found.left_out == [1.0]
    assert found.area == summarised([points[0], points[2]]).area
    text = as_text(curve[0].model_copy(update={"summary": found, "points": points}))
    assert "not in that area, for want of precision or recall: truncation = 1" in text


def test_without_any_value_nothing_is_covered(monkeypatch: pytest.MonkeyPatch) -> None:
    points = planted([(0.5, 9.0, 0.9, 0.1), (1.0, 4.0, 0.7, 0.4), (2.0, 3.0, 0.6, 0.6)])
    original = Quality.values
    nothing = lambda quality: {name: value._replace(value=None) for name, value in original(quality).items()}  # noqa: E731
    monkeypatch.setattr(Quality, "values", nothing)
    summary = summarised(points)
    assert (summary.least, summary.area, summary.left_out) == (None, None, [0.5, 1.0, 2.0])
    assert set(summary.spearman.values()) == {None}


def test_precision_and_recall_are_of_one_extractor() -> None:
    assert traded(["recall@dinov2", "precision@tiny", "fd@tiny", "recall@tiny"]) == ("precision@tiny", "recall@tiny")
    assert traded(["precision", "recall@tiny", "recall"]) == ("precision", "recall")
    assert traded(["precision@tiny", "recall@dinov2"]) is None


def test_text_has_a_line_for_each_value(curve: tuple[Curve, Path]) -> None:
    text = as_text(curve[0])
    lines = text.splitlines()
    assert lines[3].split()[0] == "truncation"
    assert [line.split()[0] for line in lines[4:7]] == ["0.3", "1", "6"]
    assert "6 (default)" in lines[6]
    assert "least Fréchet distance at truncation" in text


def test_the_picture(curve: tuple[Curve, Path], tmp_path: Path) -> None:
    sweeps.draw(curve[0], tmp_path / "sweep.png")
    with Image.open(tmp_path / "sweep.png") as picture:
        assert picture.width > picture.height > 300
