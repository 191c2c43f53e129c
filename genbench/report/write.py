"""`write_report`: one page of one result or run, in one file that needs nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from genbench import __version__, catalog, files
from genbench.bench.table import likelihood_cells
from genbench.errors import UsageError
from genbench.evaluation.extract import Progress, quiet
from genbench.evaluation.plan import prepare_execution
from genbench.evaluation.result import MetricResult, Result
from genbench.pages.escape import one_line
from genbench.pages.page import render
from genbench.pages.pictures import SIDE
from genbench.report import classes, gallery, headline, manifold, methods, nearest, provenance, sample_size, spectrum, training
from genbench.report.features import main_distance
from genbench.report.points import cloud
from genbench.report.reopen import Pictures
from genbench.report.seen import Asked, Seen, see
from genbench.report.source import Source, open_source

TEMPLATE = Path(__file__).with_name("report.html")
LIMIT = 5 * 10**6  # bytes of a page that mail and previews still take
SIDES = (SIDE, 96, 64)  # pixels of the pictures, smaller where the page would be larger than that


def write_report(
    source: Result | str | Path,
    out: str | Path,
    *,
    images: Any = None,
    ref: Any = None,
    data: str | None = None,
    pictures: bool = True,
    weights: str | Path | None = None,
    seed: int = 0,
    device: str = "auto",
    batch_size: int = 64,
    workers: int | None = None,
    progress: Progress = quiet,
    tell: Callable[[str, str], None] = lambda what, why: None,
) -> Path:
    """Write the page of a result or of a run's folder to `out`, below 5 MB; returns its path.

    Args:
        source: a result, its document or folder, or the folder of a run; of a run that was never measured, samples are.
        images, ref: the images that were measured and what they were compared with, where they are not where the result says.
        data: the dataset that a run was trained on, where it is not where it was.
        pictures: False for a page of the document alone; nothing is opened and no sample drawn.
        weights: a weights file for the extractor, instead of the download.
        seed: which images are shown.
        tell: called with each section that the page could have and has not, and why.

    Raises DataError for images that are not those that were measured, and for a source that is none.
    """
    found = open_source(source)
    _check_options(found, images, ref, data)
    asked = Asked(
        images=images,
        ref=ref,
        data=data,
        pictures=pictures,
        weights=Path(weights) if weights else None,
        device=device,
        execution=prepare_execution(device, batch_size, workers, progress),
    )
    seen = see(found, asked)
    progress("report", 0, 1)
    text = _fitting(lambda side: _page(found, seen, seed, side))
    files.write_atomic(Path(out), text)
    progress("report", 1, 1)
    for what, why in seen.left_out.items():
        tell(what, why)
    return Path(out)


def _check_options(source: Source, images: Any, ref: Any, data: str | None) -> None:
    if source.folder is not None and (images is not None or ref is not None):
        hint = "name the data with --data; samples are drawn again from the model"
        raise UsageError("E-USAGE", "--images and --ref are for results, and this is a run", hint=hint)
    if source.folder is None and data is not None:
        raise UsageError("E-USAGE", "--data is for runs, and this is a result", hint="name the images with --images and --ref")


def _fitting(page: Callable[[int], str]) -> str:
    """The page with the largest pictures that keep it below the limit."""
    text = ""
    for side in SIDES:
        text = page(side)
        if len(text.encode()) < LIMIT:
            break
    return text


def _page(source: Source, seen: Seen, seed: int, side: int) -> str:
    result, record, folder = seen.result, source.record, source.folder
    measured = Source(result=result, record=record, config=source.config, folder=folder)
    cards, table = headline.split(headline.numbers(measured))
    metric = main_distance(result) if result else None
    title = one_line(_name(source, result))
    return render(
        TEMPLATE,
        title=f"{title} · genbench report",
        heading=title,
        version=__version__,
        seed=seed,
        subtitle=_subtitle(measured),
        error=record.error if record else None,
        again=seen.again,
        cards=cards,
        numbers=table,
        context=headline.context(measured),
        shelves=_shelves(seen, metric, seed, side),
        cloud=cloud(seen.drawn, seed) if seen.drawn and seen.drawn.points else None,
        metric=metric.short_name if metric else "",
        nearest=_nearest(seen, seed, side),
        manifold=manifold.manifold(result, _others(measured)) if result else None,
        curve=_curve(seen),
        spectrum=_spectrum(seen),
        classes=_classes(seen),
        training=training.training(folder, record.final.values() if record and record.final else {}) if folder else None,
        knobs=training.knobs(folder) if folder else [],
        findings=training.findings(record.diagnostics) if record else [],
        unknown=", ".join(name for name, value in record.diagnostics.items() if value is None) if record else "",
        likelihood=_likelihood(measured),
        result=result,
        copies=_copies(seen.pictures),
        methods=methods.methods(result) if result else None,
        tables=provenance.tables(measured),
        reproduce=provenance.reproduce(source),
        left_out=seen.left_out,
    )


def _name(source: Source, result: Result | None) -> str:
    if source.record is not None:
        return source.record.label
    if source.folder is None and result is not None:
        return result.subject.name
    model = str(source.config.get("model", "run"))
    return str(catalog.find("models", model).title) if model in catalog.names("models") else model


def _subtitle(source: Source) -> str:
    result, record = source.result, source.record
    about = []
    if record is not None and record.family != "data":
        about.append(
            f"{record.family} model trained on {record.config.get('dataset', 'its data')}, seed {record.config.get('seed', 0)}"
        )
    elif record is None and source.folder is not None:
        about.append(f"trained on {source.config.get('data', 'its data')}")
    if result is not None and result.subject.n is not None:
        about.append(f"{result.subject.n:,} images")
        if result.reference is not None:
            known = "" if result.reference.n is None else f" ({result.reference.n:,} images)"
            about[-1] += f" against {result.reference.name}{known}"
    made = result.created if result else record.made if record else ""
    return one_line(" · ".join([*about, *([f"measured {made[:10]}"] if made else [])]))


def _shelves(seen: Seen, metric: MetricResult | None, seed: int, side: int) -> list[gallery.Shelf]:
    if seen.pictures is None or seen.result is None:
        return []
    shelves = [gallery.drawn_shelf(seen.pictures, seed, side)]
    pull = gallery.pull_of(seen.result, metric) if metric else None
    if metric is None or pull is None or len(pull) != len(seen.pictures.rows):
        seen.left_out["influence"] = (
            "Which images pull at the values is not known: there is no influence.safetensors beside the result, where "
            "`genbench evaluate -o` writes it."
        )
        return shelves
    return shelves + gallery.influence_shelves(seen.pictures, pull, metric, side)


def _nearest(seen: Seen, seed: int, side: int) -> nearest.Nearest | None:
    if seen.features is None or seen.pictures is None:
        return None
    if seen.features.real is None:
        seen.left_out["neighbours"] = "Nearest training images need the reference as images: pass --ref PATH."
        return None
    return nearest.nearest_training(seen.features, seen.pictures, seed, side)


def _curve(seen: Seen) -> sample_size.Curve | None:
    if seen.features is None or seen.features.reference is None or not _is_frechet(seen.features.metric):
        return None
    found = sample_size.curve(seen.features)
    if isinstance(found, str):
        seen.left_out["number of images"] = f"{found[0].upper()}{found[1:]}."
        return None
    return found


def _spectrum(seen: Seen) -> spectrum.Spectrum | None:
    if seen.features is None or seen.features.reference is None or not _is_frechet(seen.features.metric):
        return None
    return spectrum.spectrum(seen.features)


def _is_frechet(metric: MetricResult) -> bool:
    return metric.name in ("fd", "fid", "sfid")


def _classes(seen: Seen) -> classes.Classes | None:
    if seen.result is None:
        return None
    found = classes.classes(seen.result, seen.features)
    if found is None:
        seen.left_out["classes"] = (
            "Classes are not known on both sides: put images into one folder per class, or evaluate with --metrics intra_fid."
        )
    return found


def _others(source: Source) -> dict[str, Result]:
    """What stands around a run in its plots."""
    record, ceiling = source.record, headline.held_out_result(source)
    found = {"held-out data": ceiling} if ceiling else {}
    if record is not None and record.untrained is not None and record.untrained.evaluation is not None:
        found["untrained"] = record.untrained.evaluation
    return found


def _likelihood(source: Source) -> str:
    if source.record is None or source.record.likelihood is None:
        return ""
    found = source.record.likelihood
    ((column, cell),) = likelihood_cells([found]).items()
    number = headline.of_points(column, found.measured)
    about = f"{column}; {number.direction}; {number.n} test images"
    return f"{cell} ({about}" + (f"; 95 % interval {number.interval})" if number.interval else ")")


def _copies(pictures: Pictures | None) -> list[str]:
    """Exact copies among the images, by name."""
    if pictures is None:
        return []
    collection = pictures.collection
    groups: dict[bytes, list[str]] = {}
    for position, content in collection.surveyed.hashes.items():
        groups.setdefault(content, []).append(collection.source.item_name(position))
    return provenance.copies([group for group in groups.values() if len(group) > 1])
