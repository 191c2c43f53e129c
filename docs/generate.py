"""Writes the tables of the documents that the code knows better than any author.

    python docs/generate.py

A table stands between <!-- NAME --> and <!-- end NAME -->; a test asks that what stands there is what would be written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path

from genbench import catalog
from genbench.batch import DataSpec
from genbench.estimate import ARROWS
from genbench.metrics.base import Metric
from genbench.models import base
from genbench.models.base import GenerativeModel, Scores
from genbench.training.saved import build_model

REPOSITORY = Path(__file__).parent.parent
CHECK_POWER = REPOSITORY / "benchmarks" / "results" / "check-power.json"
COVERAGE = REPOSITORY / "benchmarks" / "results" / "coverage-of-intervals.json"
FAMILIES = [
    "linear",
    "vae",
    "vq",
    "autoregressive",
    "gan",
    "image_to_image",
    "flow",
    "energy",
    "diffusion",
]  # as the lectures go
SPEC = DataSpec(channels=1, height=8, width=8, levels=17, classes=10, source_channels=1)


def table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    headings = list(headings)
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def metrics() -> str:
    """What every metric reports, takes and sees."""
    rows = []
    for name in catalog.names("metrics"):
        metric: Metric = catalog.find("metrics", name)
        reports = ", ".join(f"{report} {ARROWS[better]}" for report, better in metric.reports.items())
        aliases = [alias for names in metric.on.values() for alias in names.values()]
        also = f" (Inception: {', '.join(aliases)})" if aliases else ""
        protocols = ", ".join(f"`{protocol}`" if protocol else "default" for protocol in metric.protocols)
        place = "the images" if metric.extractor is None else metric.extractor
        place += f":{metric.variant}" if metric.variant else ""
        place += f".{metric.layer}" if metric.extractor and metric.layer not in ("pool", "logits") else ""
        cells = (
            f"`{name}`",
            reports + also,
            place,
            protocols,
            f"{metric.min_n} pairs" if metric.of_pairs else str(metric.min_n),
            metric.sees,
            metric.blind,
        )
        rows.append((*cells, metric.error_bar, metric.source))
    headings = ("metric", "reports", "on", "protocols", "at least", "sees", "does not see", "error bar", "source")
    return table(headings, rows)


@cache
def built() -> dict[str, GenerativeModel]:
    """A small one of every model."""
    return {name: build_model(name, SPEC, dict(catalog.find("models", name).tiny)) for name in catalog.names("models")}


def _place_of(family: str) -> int:
    return FAMILIES.index(family) if family in FAMILIES else len(FAMILIES)


def abilities() -> dict[str, type]:
    """What a model may be able to do, in words: HasLatents -> "has latents". Likelihoods have a column of their own."""
    protocols = (value for value in vars(base).values() if getattr(value, "_is_protocol", False) and value is not Scores)
    own = (protocol for protocol in protocols if protocol.__module__ == base.__name__)
    return {re.sub(r"(?<!^)(?=[A-Z])", " ", protocol.__name__).lower(): protocol for protocol in own}


def models() -> str:
    """What every model is, what it is asked for, and what it can do beside sampling."""
    rows = []
    for name, model in sorted(built().items(), key=lambda item: _place_of(catalog.family(item[0]))):
        found = [words for words, ability in abilities().items() if isinstance(model, ability)]
        likelihood = model.likelihood if isinstance(model, Scores) else "–"
        knobs = ", ".join(f"`{knob}`" for knob in model.knobs) or "–"
        source = f"{model.title} ({model.paper})"
        rows.append((f"`{name}`", catalog.family(name), source, model.task, likelihood, ", ".join(found) or "–", knobs))
    return table(("name", "family", "system", "task", "likelihood", "abilities", "knobs"), rows)


def diagnostics() -> str:
    """What every number of every diagnostic means, and for which models there is one."""
    models = built()
    rows = []
    for diagnosed in catalog.names("diagnostics"):
        diagnostic = catalog.find("diagnostics", diagnosed)
        served = [name for name, model in models.items() if diagnostic.applies(model)]
        where = "every model of images" if len(served) == len(models) else ", ".join(served) or "none that ships yet"
        for report, reading in diagnostic.reports.items():
            low, high = (f"{bound:g}" if bound is not None else "" for bound in reading.usual)
            usual = f"{low} to {high}" if low and high else f"≥ {low}" if low else f"≤ {high}" if high else "–"
            rows.append((f"`{diagnosed}`", f"`{report}`", where, reading.meaning, usual, reading.advice or "–"))
    return table(("diagnostic", "number", "models", "what it means", "usual", "what to try outside of it"), rows)


def coverage() -> str:
    """How often intervals held in simulations."""
    document = json.loads(COVERAGE.read_text())
    found: dict[tuple[str, bool], dict[int, float]] = {}
    for row in document["rows"]:
        found.setdefault((row["metric"], row["promised"]), {})[row["n"]] = row["covered"]
    sizes = sorted({n for shares in found.values() for n in shares})
    rows = [
        (name, "yes" if promised else "no", *(f"{100 * shares[n]:.1f} %" if n in shares else "–" for n in sizes))
        for (name, promised), shares in sorted(found.items(), key=lambda item: not item[0][1])
    ]
    repeats = document["rows"][0]["repeats"]
    made = f"{repeats} repeats per row, `{document['command']}`, {document['date']}, torch {document['torch']}"
    return table(("interval of", "promised", *(f"n = {n:,}" for n in sizes)), rows) + f"\n\nHow it was made: {made}."


def check_power() -> str:
    """How often `genbench check` called a regression where there was none, and where there was one as large as it printed."""
    document = json.loads(CHECK_POWER.read_text())
    calm = [
        (row["gates"], row["generator"], f"{row['alpha']:g}", f"{100 * row['alarms'] / row['repeats']:.1f} %")
        for row in document["false_alarms"]
    ]
    seen = [
        [row["gate"], row["generator"], row["margin"]]
        + [f"{row[name]:.3g}" for name in ("value", "detectable", "planted")]
        + [f"{100 * row['found'] / row['repeats']:.1f} %"]
        for row in document["power"]
    ]
    sizes = f"{document['images']} images, reference {document['reference']:,}"
    made = f"{document['false_alarms'][0]['repeats']} repeats per row, {sizes}, seed {document['seed']}"
    where = f"`{document['command']}`, {document['date']}, {document['cpu']}, torch {document['torch']}"
    return "\n\n".join(
        [
            table(("gates", "generator", "alpha", "false alarms"), calm),
            table(("gate", "generator", "margin", "value", "detectable", "planted", "found"), seen),
            f"How it was made: {made}; {where}.",
        ]
    )


TABLES: Mapping[str, tuple[str, Callable[[], str]]] = {
    "models": ("docs/models.md", models),
    "metrics": ("docs/metrics.md", metrics),
    "coverage": ("docs/metrics.md", coverage),
    "check-power": ("docs/check.md", check_power),
    "diagnostics": ("docs/diagnostics.md", diagnostics),
}


def written(name: str, text: str) -> str:
    """`text` with the table `name` in its place."""
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"no place for the table {name}: write <!-- {name} --> and <!-- end {name} -->")
    content = TABLES[name][1]()
    return pattern.sub(lambda match: f"{match[1]}{content}\n{match[2]}", text)


def main() -> None:
    for name, (path, _) in TABLES.items():
        document = REPOSITORY / path
        document.write_text(written(name, document.read_text()))


if __name__ == "__main__":
    main()
