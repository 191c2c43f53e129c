"""`genbench cache`: weights and features that are kept."""

from __future__ import annotations

import shutil
from typing import Annotated

import typer

from genbench.cli import options

app = typer.Typer(help="Weights and features that are kept.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(help="An extractor that downloads weights, such as inception.")]


@app.callback()
def cache() -> None:
    pass


@app.command("ls")
def list_(cache_dir: options.CacheDir = None) -> None:
    """Say where the cache is and how much is in it."""
    from genbench import files

    options.apply_places(False, None, cache_dir)
    print(files.cache_root())
    for part in ("weights", "features"):
        found = [path for path in (files.cache_root() / part).rglob("*") if path.is_file()]
        print(f"{part:<9} {len(found):>6} files  {sum(path.stat().st_size for path in found) / 2**20:>9.1f} MiB")


@app.command("clear")
def clear(cache_dir: options.CacheDir = None) -> None:
    """Remove cached features. Weights stay; what is removed is made again when it is needed."""
    from genbench import files

    options.apply_places(False, None, cache_dir)
    shutil.rmtree(files.cache_root() / "features", ignore_errors=True)


@app.command("prefetch")
def prefetch(extractor: Name, cache_dir: options.CacheDir = None) -> None:
    """Download an extractor's weights now, to be offline later."""
    from genbench import catalog

    options.apply_places(False, None, cache_dir)
    found = catalog.find("extractors", extractor)
    if found.download:
        found.load(input=found.inputs[0], precision="fp32", weights=None)
    print(f"{extractor} is ready")
