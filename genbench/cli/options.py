"""Options that several verbs share, each defined once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from genbench.errors import UsageError

Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON document on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no notes on stderr.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")]
Weights = Annotated[Path | None, typer.Option(help="Weights file for the extractor, instead of the download.")]
Precision = Annotated[str, typer.Option(help="fp32, tf32 (CUDA) or bf16; part of the protocol.")]
TrainingPrecision = Annotated[str, typer.Option(help="Of training: auto (bf16 on CUDA, else fp32), fp32 or bf16.")]
BatchSize = Annotated[int, typer.Option(help="Images per step; changes no number.")]
Workers = Annotated[int | None, typer.Option("--num-workers", help="Processes that decode images; by default one per core.")]
OnBad = Annotated[str, typer.Option(help="Images that cannot be decoded: fail, or skip (counted and named).")]
OnSizeMix = Annotated[str, typer.Option(help="Images of several sizes: fail, or resize to the most common size.")]
Background = Annotated[str | None, typer.Option(help="Colour behind transparent pixels: white, black or R,G,B.")]
ValueRange = Annotated[str | None, typer.Option(help="What black and white are in float arrays: 0,1 or -1,1 or 0,255.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]
Offline = Annotated[bool, typer.Option("--offline", help="Never download anything (GENBENCH_OFFLINE).")]
DataRoot = Annotated[Path | None, typer.Option(help="Folder of named datasets (GENBENCH_DATA).")]
CacheDir = Annotated[Path | None, typer.Option(help="Folder of weights and features (GENBENCH_CACHE).")]


def apply_places(offline: bool, data_root: Path | None, cache_dir: Path | None) -> None:
    """Flags win over the environment; worker processes inherit them there."""
    if offline:
        os.environ["GENBENCH_OFFLINE"] = "1"
    if data_root is not None:
        os.environ["GENBENCH_DATA"] = str(data_root)
    if cache_dir is not None:
        os.environ["GENBENCH_CACHE"] = str(cache_dir)


def choice(value: str, allowed: tuple[str, ...], option: str) -> str:
    if value not in allowed:
        raise UsageError("E-USAGE", f"{option} {value}", hint=f"{option} is one of: {', '.join(allowed)}")
    return value


def decoding(on_bad: str, on_size_mix: str, background: str | None, value_range: str | None = None) -> dict[str, Any]:
    """The settings of `genbench.data.base.Policy` that these flags mean."""
    return {
        "on_bad": choice(on_bad, ("fail", "skip"), "--on-bad"),
        "on_size_mix": choice(on_size_mix, ("fail", "resize"), "--on-size-mix"),
        "background": colour(background),
        "value_range": span(value_range),
    }


def png(path: Path, option: str) -> None:
    """Raises UsageError for what is called otherwise."""
    if path.suffix.lower() != ".png":
        raise UsageError("E-USAGE", f"{option} {path}", hint="the picture is a PNG file: name it so")


def colour(text: str | None) -> tuple[int, int, int] | None:
    """ "white", "black" or "R,G,B" with 0..255."""
    if text is None:
        return None
    from genbench.evaluation.command import colour

    if (found := colour(text)) is None:
        hint = "--background is white, black or R,G,B such as 128,128,128"
        raise UsageError("E-USAGE", f"--background {text}", hint=hint)
    return found


def span(text: str | None) -> tuple[float, float] | None:
    """ "LOW,HIGH" with LOW below HIGH."""
    if text is None:
        return None
    from genbench.evaluation.command import value_range

    if (found := value_range(text)) is None:
        raise UsageError("E-USAGE", f"--value-range {text}", hint="--value-range is LOW,HIGH such as 0,1 or -1,1")
    return found


def assignments(texts: list[str]) -> dict[str, dict[str, Any]]:
    """["args.channels=64", "recipe.lr=1e-4"] -> {"args": {"channels": 64}, "recipe": {"lr": 1e-4}}; values as in TOML."""
    import tomllib

    found: dict[str, dict[str, Any]] = {}
    for text in texts:
        path, equals, value = text.partition("=")
        table, dot, key = path.strip().partition(".")
        if not (equals and dot and key):
            raise UsageError("E-USAGE", f"--set {text}", hint="write TABLE.KEY=VALUE, such as --set args.channels=64")
        try:
            found.setdefault(table, {})[key] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:  # a bare word is a string
            found.setdefault(table, {})[key] = value.strip()
    return found
