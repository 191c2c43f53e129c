"""Build reference statistics of a set of images, in one file that `--ref` reads."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from genbench import __version__
from genbench.data.base import Policy
from genbench.data.open import open_images
from genbench.errors import DataError
from genbench.evaluation import statistics
from genbench.evaluation.collection import Collection
from genbench.evaluation.extract import Progress, View, extract
from genbench.evaluation.plan import prepare_execution
from genbench.evaluation.request import parse_place
from genbench.evaluation.result import Extractor
from genbench.evaluation.statistics import Header
from genbench.features.base import Precision
from genbench.gaussian import moments


def build_statistics(
    images: str,
    extractor: str,
    out: Path | None,
    *,
    max_features: int,
    weights: Path | None,
    precision: Precision,
    policy: Policy,
    device: str,
    batch_size: int,
    workers: int | None,
    progress: Progress,
) -> tuple[Path, Header]:
    """Statistics of `images` under `extractor` ("tiny", "inception:clean", "inception.768"), written to `out`.

    Raises DataError for fewer than two images.
    """
    place = parse_place(extractor)
    source = open_images(images, policy=policy)
    execution = prepare_execution(device, batch_size, workers, progress)
    network = place.load(precision, weights).to(execution.device)
    found = Collection.look(source, policy, execution)
    extracted = extract(source, found.surveyed, policy, [View(extractor=network, layers=(place.layer,))], execution)
    features = extracted.features[0][place.layer]
    if len(features) < 2:
        raise DataError("E-TOO-FEW", f"{source.name} has {len(features)} usable images; 2 are the least for a covariance")
    kept = statistics.subsample(features, max_features)
    header = Header(
        images=found.describe(extracted.skipped),
        extractor=Extractor(**asdict(network.identity)),
        layer=place.layer,
        n_features=len(kept),
        command=["genbench", "stats", "build", source.name, "--extractor", extractor, "--max-features", str(max_features)],
        genbench=__version__,
    )
    path = out or Path(f"{source.name.replace('/', '-')}@{extractor.replace(':', '-')}.safetensors")
    statistics.save(path, header, kept, moments(features))
    return path, header
