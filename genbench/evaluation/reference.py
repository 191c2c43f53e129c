"""What generated images are compared with: a named set, images, or a statistics file.

A named set is looked up among the small statistics that travel with the package; where those do not fit the extractor,
its images are read, and their features and moments stay in the cache.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genbench import catalog, files
from genbench.data.base import Policy
from genbench.data.labels import labels_of
from genbench.data.open import open_images
from genbench.errors import DataError, SetupError, Warned
from genbench.evaluation import statistics
from genbench.evaluation.collection import Collection
from genbench.evaluation.extract import Execution, View, extract
from genbench.evaluation.result import Reference
from genbench.evaluation.statistics import Statistics
from genbench.features.base import FeatureExtractor
from genbench.metrics.base import FeatureSet

Wanted = tuple[FeatureExtractor, str]  # a network and one of its layers


@dataclass(kw_only=True)
class Resolved:
    """The reference, its feature set per network and layer, and what a reader should know.

    classes: of every image whose features are there, where the data say so and they were asked for.
    """

    description: Reference
    features: dict[Wanted, FeatureSet]
    classes: list[str] | None = None
    warnings: list[Warned] = field(default_factory=list)


def resolve(
    ref: Any, wanted: Sequence[Wanted], policy: Policy, execution: Execution, *, with_classes: bool = False
) -> Resolved:
    """Feature sets of the reference for everything wanted.

    with_classes: some metric wants to know which class each image belongs to, which no statistics tell.
    Raises IncomparableError where a statistics file was made under another protocol.
    """
    if isinstance(ref, (str, Path)) and Path(ref).is_file() and statistics.is_statistics(Path(ref)):
        return _from_file(statistics.load(Path(ref)), wanted)
    shipped = None if with_classes else _shipped(ref, wanted)
    return shipped or _from_images(ref, wanted, policy, execution, with_classes=with_classes)


def check_exists(ref: Any, policy: Policy) -> None:
    """Cheap: raise what opening it would raise for a side that is named and not there."""
    if isinstance(ref, (str, Path)) and not Path(ref).exists() and _set_name(ref) is None:
        open_images(ref, policy=policy)


def _from_file(found: Statistics, wanted: Sequence[Wanted]) -> Resolved:
    for extractor, layer in wanted:
        found.check(extractor.identity, layer, extractor.width(layer))
    warnings = []
    if found.header is None:
        text = f"{found.path.name} does not say which weights, resizing or number of images it comes from"
        warnings.append(Warned("W-REFERENCE-UNIDENTIFIED", text))
    return Resolved(
        description=_describe_file(found),
        features=dict.fromkeys(wanted, found.features),
        warnings=warnings,
    )


def _describe_file(found: Statistics) -> Reference:
    images = found.header.images.model_dump() if found.header else {"name": found.path.name, "kind": "statistics"}
    return Reference(**images, made="statistics", sha256=files.sha256(found.path))


def _shipped(ref: Any, wanted: Sequence[Wanted]) -> Resolved | None:
    """The package's statistics of a named set, if every wanted network finds its own."""
    name = _set_name(ref)
    features: dict[Wanted, FeatureSet] = {}
    description = None
    for extractor, layer in wanted:
        found = shipped_statistics(name, extractor, layer) if name else None
        if found is None:
            return None
        features[extractor, layer] = found.features
        description = description or _describe_file(found)
    return Resolved(description=description, features=features) if description else None


def _set_name(ref: Any) -> str | None:
    """ "digits" -> "digits/train", "digits/test" as it is; None for a path and for what is no named set."""
    if not isinstance(ref, str) or Path(ref).exists():
        return None
    dataset, _, split = ref.partition("/")
    if dataset not in catalog.names("datasets"):
        return None
    found = catalog.find("datasets", dataset)
    return f"{dataset}/{found.checked(split) if split else found.splits[0]}"


def index() -> list[dict[str, Any]]:
    """The entries of reference_stats/index.toml."""
    path = files.package_data("reference_stats") / "index.toml"
    return list(tomllib.loads(path.read_text())["statistics"]) if path.is_file() else []


def shipped_statistics(name: str, extractor: FeatureExtractor, layer: str) -> Statistics | None:
    """The file for a named set and split, or None where there is none of exactly this extractor's identity."""
    for entry in index():
        if (entry["dataset"], entry["extractor"], entry["layer"]) != (name, extractor.identity.extractor, layer):
            continue
        path = files.package_data("reference_stats") / entry["file"]
        if not path.is_file() or files.sha256(path) != entry["sha256"]:
            raise SetupError("E-STATISTICS", f"the installed {entry['file']} is damaged", hint="install genbench again")
        found = statistics.load(path)
        if found.identity is not None and found.identity.difference(extractor.identity) is None:
            return found
    return None


def _from_images(ref: Any, wanted: Sequence[Wanted], policy: Policy, execution: Execution, *, with_classes: bool) -> Resolved:
    found = Collection.look(ref, policy, execution)
    views = views_of(wanted)
    extracted = extract(found.source, found.surveyed, policy, views, execution)
    features = {}
    for view, layers, store in zip(views, extracted.features, extracted.stores, strict=True):
        for layer, values in layers.items():
            if len(values) < 2:
                message = f"the reference {found.source.name} has {len(values)} usable images; 2 are the least"
                raise DataError("E-TOO-FEW", message)
            whole = store.reference_moments(layer, values) if len(values) > values.shape[1] else None
            features[view.extractor, layer] = FeatureSet(features=values, moments=whole)
    labels = labels_of(ref, found.source) if with_classes else None
    return Resolved(
        description=Reference(**found.describe(extracted.skipped).model_dump(), made="images"),
        features=features,
        classes=None if labels is None else [labels[position] for position in extracted.kept],
        warnings=extracted.warnings,
    )


def views_of(wanted: Sequence[Wanted]) -> list[View]:
    """Each network once, with all its layers."""
    layers: dict[FeatureExtractor, list[str]] = {}
    for extractor, layer in wanted:
        layers.setdefault(extractor, [])
        if layer not in layers[extractor]:
            layers[extractor].append(layer)
    return [View(extractor=extractor, layers=tuple(found)) for extractor, found in layers.items()]
