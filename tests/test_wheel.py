"""The wheel carries all it needs and nothing else, and evaluates from where it is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
CODE = """
import genbench, pathlib, sys
assert pathlib.Path(genbench.__file__).is_relative_to(sys.argv[1]), genbench.__file__
result = genbench.evaluate("digits/test", ref="digits/train", metrics=["fd@tiny"])
assert result.reference.made == "statistics"
print(result["fd"].value)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", str(REPOSITORY), "--no-deps", "--no-build-isolation", "--no-index"]
    outcome = subprocess.run([*command, "-w", str(folder)], capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_the_package_and_its_data_alone(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"genbench"}
    assert "genbench/features/tiny.safetensors" in names
    assert "genbench/evaluation/result.schema.json" in names
    assert "genbench/py.typed" in names
    statistics = [name for name in names if name.startswith("genbench/reference_stats/") and name.endswith(".safetensors")]
    assert len(statistics) == 6
    assert "genbench/reference_stats/index.toml" in names
    assert {"genbench/benchmarks/demo.toml", "genbench/benchmarks/digits.toml"} <= set(names)


def test_it_evaluates_from_a_clean_place(wheel: Path, tmp_path: Path) -> None:
    place = tmp_path / "site"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(place), str(wheel)]
    subprocess.run(command, check=True)
    environment = {**os.environ, "PYTHONPATH": str(place)}
    outcome = subprocess.run(
        [sys.executable, "-P", "-c", CODE, str(place)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    assert float(outcome.stdout) > 0


def test_shipped_files_are_small() -> None:
    for path in [*(REPOSITORY / "reference_stats").glob("*"), REPOSITORY / "genbench/features/tiny.safetensors"]:
        assert path.stat().st_size <= 3 * 10**6, path.name
