"""What generated images are compared with: a named set, images, or a statistics file.

A named set is looked up among the small statistics that travel with the package; where those do not fit the extractor,
its images are read, and their features and moments stay in the cache.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genbench import catalog, files
from genbench.data.base import Policy
from genbench.data.open import open_images
from genbench.data.survey import Survey
from genbench.errors import DataError, SetupError, Warned
from genbench.evaluation import statistics
from genbench.evaluation.extract import Execution, View, extract, look_at
from genbench.evaluation.result import Images, Reference, Skipped
from genbench.evaluation.statistics import Statistics
from genbench.features.base import FeatureExtractor
from genbench.metrics.base import FeatureSet

Wanted = tuple[FeatureExtractor, str]  # a network and one of its layers


@dataclass(kw_only=True)
class Resolved:
    """The reference, its feature set per network and layer, and what a reader should know."""

    description: Reference
    features: dict[Wanted, FeatureSet]
    warnings: list[Warned] = field(default_factory=list)


def resolve(ref: Any, wanted: Sequence[Wanted], policy: Policy, execution: Execution) -> Resolved:
    """Feature sets of the reference for everything wanted.

    Raises IncomparableError where a statistics file was made under another protocol.
    """
    if isinstance(ref, (str, Path)) and Path(ref).is_file() and statistics.is_statistics(Path(ref)):
        return _from_file(statistics.load(Path(ref)), wanted)
    shipped = _shipped(ref, wanted)
    if shipped is not None:
        return shipped
    return _from_images(ref, wanted, policy, execution)


def check_exists(ref: Any, policy: Policy) -> None:
    """Cheap: raise what `resolve` would raise for a reference that is not there."""
    if isinstance(ref, (str, Path)) and not Path(ref).exists() and _set_name(ref) is None:
        open_images(ref, policy=policy)


def _from_file(found: Statistics, wanted: Sequence[Wanted]) -> Resolved:
    for extractor, layer in wanted:
        found.check(extractor.identity, layer, extractor.layers[layer])
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


def _from_images(ref: Any, wanted: Sequence[Wanted], policy: Policy, execution: Execution) -> Resolved:
    source = open_images(ref, policy=policy)
    surveyed = look_at(source, policy, execution)
    views = views_of(wanted)
    extracted = extract(source, surveyed, policy, views, execution)
    features = {}
    for view, layers, store in zip(views, extracted.features, extracted.stores, strict=True):
        for layer, values in layers.items():
            if len(values) < 2:
                raise DataError("E-TOO-FEW", f"the reference {source.name} has {len(values)} usable images; 2 are the least")
            whole = store.reference_moments(layer, values) if len(values) > values.shape[1] else None
            features[view.extractor, layer] = FeatureSet(features=values, moments=whole)
    description = describe(source.name, source.kind, dict(source.ignored), surveyed, extracted.skipped)
    return Resolved(
        description=Reference(**description.model_dump(), made="images"),
        features=features,
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


def describe(name: str, kind: str, ignored: Mapping[str, int], surveyed: Survey, skipped: Sequence[tuple[str, str]]) -> Images:
    """The images as a result records them: what was listed, what was used, and what was not, by name."""
    left_out = [*surveyed.skipped, *skipped]
    return Images(
        name=name,
        kind=kind,
        digest=surveyed.digest,
        n=len(surveyed.usable) - len(skipped),
        listed=len(surveyed.usable) + len(surveyed.skipped),
        sizes=dict(surveyed.sizes),
        modes=dict(surveyed.modes),
        formats=dict(surveyed.formats),
        ignored=dict(ignored),
        skipped=[Skipped(name=item, reason=reason) for item, reason in left_out],
        duplicates=surveyed.duplicates,
    )
