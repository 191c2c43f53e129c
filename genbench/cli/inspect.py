"""`genbench list` and `genbench doctor`: what there is, and what this machine has."""

from __future__ import annotations

from typing import Annotated

import typer

from genbench.cli import options

Kind = Annotated[str, typer.Argument(help="models, metrics, datasets, extractors, references, suites or diagnostics.")]
KINDS = ("models", "metrics", "datasets", "extractors", "references", "suites", "diagnostics")


def list_(kind: Kind, as_json: options.Json = False) -> None:
    """List what can be named: models, metrics, diagnostics, datasets, extractors, reference statistics and suites."""
    options.choice(kind, KINDS, "KIND")
    rows = {"references": _references, "suites": _suites}.get(kind, lambda: _catalogue(kind))()
    if as_json:
        import json

        print(json.dumps(rows, indent=2))
        return
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        print(f"{row['name']:<{width}}  {row['about']}")


def _catalogue(kind: str) -> list[dict[str, str]]:
    from genbench import catalog

    rows = []
    for name in catalog.names(kind):  # type: ignore[arg-type]
        entry = catalog.find(kind, name)  # type: ignore[arg-type]
        about = {
            "models": lambda e: f"{catalog.family(name)}: {e.title} ({e.paper.split(', http')[0]})",  # noqa: B023
            "metrics": lambda e: f"{e.summary}; reports {', '.join(e.reports)}.",
            "diagnostics": lambda e: f"{', '.join(e.reports)}" + ("" if e.quick else "; takes longer"),
            "datasets": lambda e: f"{e.title}; splits {', '.join(e.splits)}",
            "extractors": lambda e: (
                f"layers {', '.join(e.layers)}; inputs {', '.join(e.inputs)}" + ("; downloaded once" if e.download else "")
            ),
        }[kind](entry)
        rows.append({"name": name, "about": about})
    return rows


def _references() -> list[dict[str, str]]:
    from genbench.evaluation.reference import index

    return [
        {
            "name": f"{entry['dataset']}@{entry['extractor']}",
            "about": f"{entry['n']:,} images, {entry['n_features']:,} features; serves --ref {entry['dataset']}",
        }
        for entry in index()
    ]


def _suites() -> list[dict[str, str]]:
    from genbench.bench.suite import find_suite, load_suite, shipped

    loaded = {name: load_suite(find_suite(name)) for name in shipped()}
    return [{"name": name, "about": f"{suite.title}; {len(suite.entries)} entries"} for name, suite in loaded.items()]


def doctor(as_json: options.Json = False) -> None:
    """Say what this machine has: versions, devices, places, and what is missing."""
    import os

    import torch

    from genbench import files
    from genbench.evaluation import environment

    device = environment.choose_device("auto")
    facts = environment.describe(device)
    for name, path in {"cache": files.cache_root(), "data": files.data_root()}.items():
        existing = next(place for place in (path, *path.parents) if place.exists())
        facts[name] = f"{path} ({'can be written' if os.access(existing, os.W_OK) else 'cannot be written'})"
    facts["offline"] = "yes" if files.offline() else "no"
    facts["cuda"] = torch.version.cuda or "none"
    if as_json:
        import json

        print(json.dumps(facts, indent=2))
        return
    for name, fact in facts.items():
        print(f"{name:<12} {fact}")
