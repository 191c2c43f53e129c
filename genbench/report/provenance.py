"""Where every number comes from: digests, networks, versions, times, and the command that makes them again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from genbench.bench.suite import SHARED
from genbench.evaluation.result import Images, Reference, Result
from genbench.pages.page import facts
from genbench.report.source import Source

SHOWN = 20  # skipped images, or copies, by name


@dataclass(frozen=True, kw_only=True)
class Table:
    """A heading and rows of (what, text)."""

    heading: str
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Reproduce:
    """about: a sentence before the command or file; text: that."""

    about: str
    text: str


def tables(source: Source) -> list[Table]:
    """Everything known about the images, the networks, the run and the machine."""
    result, record = source.result, source.record
    found: list[tuple[str, Mapping[str, object]]] = []
    if result is not None:
        sides: list[tuple[str, Images | None]] = [
            ("Images", result.subject),
            ("Reference", result.reference),
            ("Held-out images", result.held_out),
            ("Paired images", result.paired),
        ]
        found += [(heading, _images(side)) for heading, side in sides if side is not None]
        found += [(f"Network {name}", network) for name, network in _networks(result).items()]
        timing = result.timing
        found.append(
            (
                "Time",
                {
                    "measured": result.created,
                    "wall time": f"{timing.wall_s:.1f} s: features {timing.extract_s:.1f} s, metrics {timing.metrics_s:.1f} s",
                    "processor time": f"{timing.cpu_s:.1f} s",
                    "images decoded": f"{timing.images_extracted:,}"
                    + (" (the rest came from the cache)" if timing.images_extracted < (result.subject.n or 0) else ""),
                },
            )
        )
    if source.config:
        found.append(("Configuration of the run", {key: _text(value) for key, value in source.config.items()}))
    if record is not None and record.cost is not None:
        cost = record.cost
        costs = {
            "parameters": f"{cost.parameters:,}",
            "training": f"{cost.steps:,} steps, {cost.images:,} images, {cost.train_seconds:.1f} s",
            "memory at most": f"{cost.peak_memory / 2**20:,.0f} MiB",
            "sampling": f"{cost.sample_seconds:.3g} s per image, {cost.evaluations:,} passes of the network",
        }
        found.append(("Cost", costs))
    environment = result.env if result is not None else record.environment if record else {}
    found.append(("Machine and versions", environment))
    return [Table(heading=heading, rows=tuple(facts(rows))) for heading, rows in found if facts(rows)]


def _images(side: Images) -> dict[str, object]:
    counted = (
        ""
        if side.n is None
        else f"{side.n:,}"
        if side.n == side.listed or side.listed is None
        else f"{side.n:,} of {side.listed:,}"
    )
    return {
        "name": f"{side.name} ({side.kind})",
        "used": counted,
        "digest": side.digest,
        "made of": side.made if isinstance(side, Reference) else None,
        "SHA-256 of the statistics": side.sha256 if isinstance(side, Reference) else None,
        "sizes": _counted(side.sizes),
        "colour": _counted(side.modes),
        "formats": _counted(side.formats),
        "exact copies": f"{side.duplicates:,}" if side.n is not None else None,
    }


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({count:,})" for name, count in counts.items())


def _networks(result: Result) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for metric in result.metrics:
        if metric.extractor is not None:
            network = metric.extractor.model_dump()
            name = f"{network.pop('extractor')}"
            known = found.setdefault(name, {key.replace("_", " "): value for key, value in network.items()})
            layers = str(known.get("layers", ""))
            if metric.layer and metric.layer not in layers.split(", "):
                known["layers"] = ", ".join(filter(None, (layers, metric.layer)))
    return found


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{key} = {entry}" for key, entry in value.items() if entry is not None)
    return "" if value is None else str(value)


def reproduce(source: Source) -> Reproduce | None:
    """What makes the numbers again, as far as the document knows."""
    if source.record is not None and source.record.family != "data":
        about = (
            "Save this as suite.toml and run: genbench run suite.toml. The same seed gives the same model on the same machine."
        )
        return Reproduce(about=about, text=suite_toml(source.record.label, source.config))
    if source.folder is not None and source.record is None and source.config:
        return Reproduce(about="Train and look again:", text=_training(source.config))
    if source.result is not None and source.result.command:
        about = "Run this where the images lie; a folder that led to a path was left out."
        return Reproduce(about=about, text=shlex.join(source.result.command))
    return None


def suite_toml(label: str, config: Mapping[str, Any]) -> str:
    """A suite of the one entry under its one seed, which `genbench run` takes."""
    amount, unit = str(config.get("budget", "")).replace(",", "").partition(" ")[::2]
    budget = f"budget.{unit} = {amount}" if unit in ("seconds", "steps", "images") else f"# budget: {config.get('budget')}"
    shared = {key: config.get(key) for key in (*SHARED, "threads")}
    lines = [f"title = {_toml(label)}", *_assignments("", shared), f"seeds = [{config.get('seed', 0)}]", budget]
    lines += ["", "[[entries]]", f"model = {_toml(config.get('model'))}", f"label = {_toml(label)}"]
    for table in ("args", "recipe", "knobs"):
        lines += _assignments(f"{table}.", _table(config, table))
    return "\n".join(lines)


def _table(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Of a config that may be a stranger's."""
    found = config.get(key)
    return found if isinstance(found, Mapping) else {}


def _assignments(prefix: str, values: Mapping[str, Any]) -> list[str]:
    return [f"{prefix}{key} = {_toml(value)}" for key, value in values.items() if value is not None]


def _toml(value: Any) -> str:
    """A value of TOML: JSON writes the same strings, numbers, lists and truth values."""
    return json.dumps(value, ensure_ascii=False)


def _training(config: Mapping[str, Any]) -> str:
    amount, unit = str(config.get("budget", "")).replace(",", "").partition(" ")[::2]
    words = ["genbench", "train", str(config.get("model")), "--data", str(config.get("data"))]
    words += [f"--{unit}", amount] if unit in ("seconds", "steps", "images") else []
    words += ["--seed", str(config.get("seed", 0))]
    words += ["--image-size", str(config["image_size"])] if config.get("image_size") else []
    for key, value in _table(config, "args").items():
        words += ["--set", f"args.{key}={_toml(value)}"]
    return shlex.join([*words, "-o", "run"])


def copies(names: list[list[str]]) -> list[str]:
    """Groups of images that are exact copies of each other, in words."""
    return [" = ".join(group[:4]) + (f" = {len(group) - 4} more" if len(group) > 4 else "") for group in names[:SHOWN]]
