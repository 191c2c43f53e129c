"""What decides the content of a folder, kept in it as JSON: two configurations are never mixed in one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from genbench.errors import UsageError
from genbench.files import write_atomic


def check_config(folder: Path, config: dict[str, Any], *, name: str = "config.json") -> None:
    """Write `config` into the folder, or find the same there. Raises UsageError that names the key that differs."""
    path = folder / name
    if not path.is_file():
        write_atomic(path, json.dumps(config, indent=1))
        return
    compare_config(folder, config, name=name)


def compare_config(folder: Path, config: dict[str, Any], *, name: str = "config.json") -> None:
    """Raises UsageError where the folder was made under another configuration; without one it is free."""
    path = folder / name
    if not path.is_file():
        return
    kept, own = json.loads(path.read_text()), json.loads(json.dumps(config))
    differing = next((key for key in own if kept.get(key) != own[key]), None)
    if differing is not None:
        what = f"{folder} was made with {differing} = {kept.get(differing)}, now it is {own[differing]}"
        raise UsageError("E-OTHER-RUN", what, hint="choose another folder with -o, or remove this one")
