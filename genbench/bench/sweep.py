"""The curve of a knob: samples at several of its values, each measured as a benchmark measures a model.

Truncation, temperature and guidance trade variety for quality, and a single value shows one point of that trade.

    least      the value with the least Fréchet distance, and all that are as good within their errors
    area       of the part of the unit square that some value covers, [0, recall] x [0, precision]; 1 is perfect. It is the
               area under the precision-recall curve when that is a curve, and counts no value twice when it is none. Both
               are of one extractor, the first for which both were asked for
    spearman   rank correlation of the knob with each metric: 1 or -1 where the trade is monotone
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field

from genbench import catalog, files
from genbench.bench import measure
from genbench.bench.config import check_config
from genbench.bench.jobs import is_points
from genbench.bench.record import Quality, Value
from genbench.bench.suite import BudgetTable, Entry, Suite
from genbench.bench.trained import TrainedRun, open_run
from genbench.errors import UsageError
from genbench.estimate import ARROWS, LEVEL, format_value, normal_interval
from genbench.evaluation import environment
from genbench.evaluation.result import Document, Finite
from genbench.models.base import GenerativeModel

METRICS = ("fd@tiny", "precision@tiny", "recall@tiny")
METRICS_OF_POINTS = ("fid", "prdc")
FD = ("fd", "fid")  # what the Fréchet distance is called, without its extractor
LEAST_N = 10


class Point(Document):
    """The samples at one value of the knob. evaluations: network passes per image; seconds: wall time per image."""

    value: Finite
    evaluations: int
    seconds: Finite
    quality: Quality


class Summary(Document):
    """See the top of the file. None where the metrics that it needs were not asked for, or there are too few values.

    left_out: values of the knob that have no part in the area, as precision or recall of their samples has no value.
    """

    least: Finite | None
    as_good: list[Finite]
    area: Finite | None
    left_out: list[Finite]
    spearman: dict[str, Finite | None]


class Curve(Document):
    """A knob of one trained model, its values ascending."""

    schema_: Literal["genbench.sweep/1"] = Field(default="genbench.sweep/1", alias="schema")
    model: str
    title: str
    knob: str
    default: Finite
    effect: str
    data: str
    n: int
    seed: int
    points: list[Point]
    summary: Summary
    environment: dict[str, str]
    made: str

    model_config = ConfigDict(populate_by_name=True)

    def to_json(self) -> str:
        return self.model_dump_json(indent=2, by_alias=True)


def sweep(
    run: Path,
    folder: Path | None = None,
    *,
    knob: str | None = None,
    values: Sequence[float] | None = None,
    n: int = 1000,
    metrics: Sequence[str] | None = None,
    data: str | None = None,
    seed: int = 0,
    device: str = "auto",
    progress: Callable[[str, int, int], None] = lambda task, done, total: None,
) -> Curve:
    """Draw `n` samples at each value of the knob and measure them against the training split.

    folder: keeps one file for each finished value, so that a repeated command goes on, also with further values, and the
    document sweep.json; None: the folder sweeps/KNOB of the run. values: None for those that the model holds worth comparing.
    knob: may be left out of a model with one. Raises UsageError for a knob or value that the model has not.
    """
    if n < LEAST_N:
        raise UsageError("E-USAGE", f"--n {n}", hint=f"a curve takes {LEAST_N} samples for each value at least")
    chosen = environment.choose_training_device(device)
    opened = open_run(run, data=data, device=chosen)
    model, knob = opened.model, _knob(opened.model, knob)
    tried = _values(model, knob, values)
    suite = _measured_as(opened, metrics)
    folder = folder or run / "sweeps" / knob
    weights = files.sha256(run / "model.safetensors")
    origin = {"model": weights, "data": opened.data, "metrics": suite.metrics, "knob": knob, "n": n, "seed": seed}
    check_config(folder, origin)
    points = []
    for done, value in enumerate(tried):
        progress(f"sweep of {knob}", done, len(tried))
        points.append(_point(folder, opened, suite, knob, value, n, seed))
    progress(f"sweep of {knob}", len(tried), len(tried))
    curve = Curve(
        model=opened.name,
        title=model.title,
        knob=knob,
        default=model.knobs[knob].default,
        effect=model.knobs[knob].effect,
        data=opened.dataset.name,
        n=n,
        seed=seed,
        points=points,
        summary=summarised(points),
        environment=environment.describe(chosen),
        made=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    files.write_atomic(folder / "sweep.json", curve.to_json() + "\n")
    return curve


def _knob(model: GenerativeModel, knob: str | None) -> str:
    if not model.knobs:
        raise UsageError("E-NO-KNOB", f"{model.title} has no knob", hint="there is one way to sample it")
    if knob is None and len(model.knobs) > 1:
        effects = "; ".join(f"{name}: {known.effect}" for name, known in model.knobs.items())
        raise UsageError("E-KNOB", f"{model.title} has {len(model.knobs)} knobs", hint=f"name one with --knob. {effects}")
    knob = next(iter(model.knobs)) if knob is None else knob
    if knob not in model.knobs:
        raise catalog.unknown(f"knobs of {model.title}", knob, model.knobs)
    return knob


def _values(model: GenerativeModel, knob: str, values: Sequence[float] | None) -> list[float]:
    found = sorted({float(value) for value in (values or model.knobs[knob].sweep)})
    if len(found) < 2:
        raise UsageError("E-USAGE", f"one value of {knob} makes no curve", hint="name several, such as --values 0.5,1,2")
    return found


def _measured_as(opened: TrainedRun, metrics: Sequence[str] | None) -> Suite:
    """The suite under which a benchmark would measure such samples."""

    def of(names: Sequence[str]) -> Suite:
        return Suite(
            version=1,
            title="sweep",
            dataset=opened.data,
            image_size=opened.image_size,
            metrics=list(names),
            budget=BudgetTable(steps=1),
            entries=[Entry(model=opened.name)],
        )

    return of(metrics or (METRICS_OF_POINTS if is_points(of(METRICS)) else METRICS))


def _point(folder: Path, opened: TrainedRun, suite: Suite, knob: str, value: float, n: int, seed: int) -> Point:
    """What is known of one value: from the file of an earlier run, or measured and written."""
    path = folder / f"{knob}={value!r}.json"
    if path.is_file():
        return Point.model_validate_json(path.read_bytes())
    model, dataset = opened.model, opened.dataset
    try:
        sampled = measure.sample(model, n, dataset.test, {knob: value}, seed=seed)
        evaluations = model.evaluations(**{knob: value})
    except ValueError as error:
        raise UsageError("E-KNOB", f"{knob} = {value:g}: {error}", hint=model.knobs[knob].effect) from error
    quality = measure.quality(sampled.samples, suite, dataset, next(iter(model.state_dict().values())).device)
    point = Point(value=value, evaluations=evaluations, seconds=sampled.seconds, quality=quality)
    files.write_atomic(path, point.model_dump_json(indent=1))
    return point


def summarised(points: Sequence[Point]) -> Summary:
    """What a curve says as a whole."""
    names = list(points[0].quality.values())
    fd = next((name for stem in FD for name in names if name.partition("@")[0] == stem), None)
    least, as_good = _least(points, fd) if fd else (None, [])
    pair = traded(names)
    corners, left_out = _corners(points, *pair) if pair else ([], [])
    area = covered_area(corners)
    correlated = {name: _rank_correlation(points, name) for name in names}
    return Summary(least=least, as_good=as_good, area=area, left_out=left_out, spearman=correlated)


def traded(names: Sequence[str]) -> tuple[str, str] | None:
    """The names of precision and recall of one and the same extractor, the first that has both."""
    pairs = (("precision" + name.removeprefix("recall"), name) for name in names if name.partition("@")[0] == "recall")
    return next((pair for pair in pairs if pair[0] in names), None)


def _corners(points: Sequence[Point], precision: str, recall: str) -> tuple[list[tuple[float, float]], list[float]]:
    """(recall, precision) of the points that have both, and the knob at those that do not."""
    corners, left_out = [], []
    for point in points:
        found = point.quality.values()
        x, y = found[recall].value, found[precision].value
        if x is None or y is None:
            left_out.append(point.value)
        else:
            corners.append((x, y))
    return corners, left_out


def _least(points: Sequence[Point], name: str) -> tuple[float | None, list[float]]:
    """The knob at the least distance, and all values whose distance is not larger beyond chance, as if samples were new."""
    found = [(point.value, point.quality.values()[name]) for point in points]
    known = [(value, metric.value, metric.se or 0.0) for value, metric in found if metric.value is not None]
    if not known:
        return None, []
    best, least, error = min(known, key=lambda row: row[1])
    close = [value for value, distance, se in known if normal_interval(distance - least, (se**2 + error**2) ** 0.5)[0] <= 0]
    return best, close


def covered_area(corners: Sequence[tuple[float, float]]) -> float | None:
    """The area of the union of rectangles from the origin to each corner (recall, precision); None without corners."""
    if not corners:
        return None
    area, height = 0.0, 0.0
    for recall, precision in sorted(corners, reverse=True):  # from the right, where only the tallest so far counts
        area += recall * max(0.0, precision - height)
        height = max(height, precision)
    return area


def _rank_correlation(points: Sequence[Point], name: str) -> float | None:
    from scipy.stats import spearmanr

    found = [(point.value, point.quality.values()[name].value) for point in points]
    known = [(knob, value) for knob, value in found if value is not None]
    if len(known) < 3 or len({value for _, value in known}) == 1:
        return None
    return float(spearmanr(*zip(*known, strict=True)).statistic)


def as_text(curve: Curve) -> str:
    """A table of the values and, below it, the summary."""
    metrics = [point.quality.values() for point in curve.points]
    headings = [curve.knob, *(f"{name} {ARROWS[found.better]}" for name, found in metrics[0].items()), "evaluations"]
    rows = [
        [
            f"{point.value:g}" + (" (default)" if point.value == curve.default else ""),
            *(format_value(found[name].value, found[name].se) for name in metrics[0]),
            f"{point.evaluations:,}",
        ]
        for point, found in zip(curve.points, metrics, strict=True)
    ]
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    lines = [f"{curve.title} on {curve.data}, {curve.n:,} samples each, seed {curve.seed}", f"{curve.knob}: {curve.effect}", ""]
    lines += [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (headings, *rows)
    ]
    return "\n".join([*lines, "", *_summary_lines(curve)])


def _summary_lines(curve: Curve) -> list[str]:
    summary = curve.summary
    lines = [f"not comparable: {note}" for note in _notes(curve)]
    if summary.least is not None:
        others = [f"{value:g}" for value in summary.as_good if value != summary.least]
        tied = f"; as good within the errors: {', '.join(others)}" if others else ""
        lines.append(f"least Fréchet distance at {curve.knob} = {summary.least:g}{tied}")
    if summary.area is not None:
        lines.append(f"area that the values cover in the square of recall and precision: {summary.area:.3f}")
    if summary.left_out:
        without = ", ".join(f"{value:g}" for value in summary.left_out)
        lines.append(f"not in that area, for want of precision or recall: {curve.knob} = {without}")
    ranks = [f"{name} {rank:+.2f}" for name, rank in summary.spearman.items() if rank is not None]
    if ranks:
        lines.append(f"rank correlation with {curve.knob}: {', '.join(ranks)}")
    return lines


def _notes(curve: Curve) -> list[str]:
    """Why values must not stand beside those of other runs, each once: too few samples for a metric."""
    metrics = [metric for point in curve.points if point.quality.evaluation for metric in point.quality.evaluation.metrics]
    return list(dict.fromkeys(note for metric in metrics for note in metric.notes))


def draw(curve: Curve, path: Path) -> None:
    """A picture, PNG: each metric over the knob with 95 % intervals, and precision over recall."""
    from matplotlib.figure import Figure

    metrics = [point.quality.values() for point in curve.points]
    pair = traded(list(metrics[0]))
    panels = len(metrics[0]) + (pair is not None)
    figure = Figure(figsize=(4 * panels, 3.2), dpi=150)
    axes = figure.subplots(1, panels, squeeze=False)[0]
    knobs = [point.value for point in curve.points]
    for place, name in zip(axes, metrics[0], strict=False):
        _draw_metric(place, knobs, [found[name] for found in metrics])
        place.set(xlabel=curve.knob, ylabel=f"{name} {ARROWS[metrics[0][name].better]}")
    if pair:
        corners, left_out = _corners(curve.points, *pair)
        axes[-1].plot([x for x, _ in corners], [y for _, y in corners], marker="o")
        for knob, corner in zip([knob for knob in knobs if knob not in left_out], corners, strict=True):
            axes[-1].annotate(f"{knob:g}", corner, textcoords="offset points", xytext=(4, 4), fontsize=8)
        axes[-1].set(xlabel=pair[1], ylabel=pair[0], xlim=(0, 1), ylim=(0, 1))
    figure.suptitle(f"{curve.title} on {curve.data}, {curve.n:,} samples each")
    figure.tight_layout()
    with files.atomic_path(path) as temporary:
        figure.savefig(temporary, format="png")


def _draw_metric(place: Any, knobs: list[float], found: list[Value]) -> None:
    half = normal_interval(0.0, 1.0, LEVEL)[1]
    values = [float("nan") if value.value is None else value.value for value in found]
    place.errorbar(knobs, values, yerr=[half * (value.se or 0.0) for value in found], marker="o", capsize=3)
    if min(knobs) > 0 and max(knobs) >= 20 * min(knobs):
        place.set_xscale("log")
