"""Where the baselines of a test module lie: in `genbench-baselines/` beside it, or in one folder that is set for all."""

from __future__ import annotations

from pathlib import Path

import pytest

FOLDER = "genbench-baselines"


def baseline_path(config: pytest.Config, module: Path) -> Path:
    """tests/test_model.py -> tests/genbench-baselines/test_model.json, or FOLDER/tests/test_model.json in a folder for all."""
    if folder := _folder(config):
        inside = module.relative_to(config.rootpath) if module.is_relative_to(config.rootpath) else Path(module.name)
        return folder / inside.with_suffix(".json")
    return module.parent / FOLDER / f"{module.stem}.json"


def module_of(config: pytest.Config, path: Path) -> Path:
    """The test module that a baseline file belongs to."""
    if folder := _folder(config):
        return config.rootpath / path.relative_to(folder).with_suffix(".py")
    return path.parent.parent / f"{path.stem}.py"


def _folder(config: pytest.Config) -> Path | None:
    """The one folder for all baselines: of the command line from where it was typed, of the ini file from the root."""
    if given := config.getoption("--genbench-baseline-dir"):
        return config.invocation_params.dir / str(given)
    ini = str(config.getini("genbench_baseline_dir"))
    return config.rootpath / ini if ini else None


def shown(config: pytest.Config, path: Path) -> str:
    """From the root of the tests where it lies there."""
    return path.relative_to(config.rootpath).as_posix() if path.is_relative_to(config.rootpath) else str(path)
