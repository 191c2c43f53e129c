"""train, sample, run, table and demo from the command line, as a user types them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import genbench
from genbench.bench.suite import BudgetTable, find_suite, load_suite
from genbench.cli import run

Capture = pytest.CaptureFixture[str]
PACKAGE = Path(genbench.__file__).parent

SUITE = """
version = 1
title = "Small"
dataset = "digits"
metrics = ["fd@tiny"]
num_images = 100
num_scored = 10
budget.steps = 3
[[entries]]
model = "gaussian"
[[entries]]
model = "{model}"
"""

ONE_FILE = '''"""The mean image and nothing else: what the smallest model looks like."""

from collections.abc import Iterator

import torch
from torch import Tensor

from genbench.batch import Condition, DataSpec, Examples
from genbench.models.base import GenerativeModel
from genbench.models.stages import Log, Stage
from genbench.seeding import Noise


class MeanImage(GenerativeModel):
    title = "Mean image"
    paper = "no paper, http://localhost"

    def __init__(self, spec: DataSpec, *, contrast: float = 1.0) -> None:
        super().__init__(spec)
        self.contrast = contrast
        self.register_buffer("mean", torch.zeros(spec.shape))

    def stages(self) -> list[Stage]:
        return [Stage(fit=self.fit)]

    def fit(self, examples: Examples) -> Iterator[Log]:
        self.mean.copy_(examples.batch().x.mean(0))
        yield {"loss": 0.0}

    def sample(self, noise: Noise, condition: Condition, **knobs: float) -> Tensor:
        return (self.mean * self.contrast + 0.1 * noise.normal(*self.spec.shape)).clamp(-1, 1)
'''


def test_train_sample_evaluate(tmp_path: Path, capsys: Capture) -> None:
    made = ["train", "vae", "--data", "digits", "--steps", "5", "-o", str(tmp_path / "vae"), "--set", "recipe.lr=1e-4"]
    assert run(made) == 0
    assert "5 steps" in capsys.readouterr().err
    assert run(["sample", str(tmp_path / "vae"), "-n", "120", "-o", str(tmp_path / "samples"), "-q"]) == 0
    assert len(list((tmp_path / "samples").glob("*.png"))) == 120
    evaluated = ["evaluate", str(tmp_path / "samples"), "--ref", "digits", "--extractor", "tiny", "--metrics", "fd", "--json"]
    capsys.readouterr()
    assert run([*evaluated, "--allow-small", "-q"]) == 0
    assert json.loads(capsys.readouterr().out)["subject"]["n"] == 120


def test_sampling_goes_on_and_gives_the_same_images(tmp_path: Path) -> None:
    assert run(["train", "gaussian", "--data", "digits", "--seconds", "5", "-o", str(tmp_path / "g"), "-q"]) == 0
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert run(["sample", str(tmp_path / "g"), "-n", "20", "-o", str(whole), "-q"]) == 0
    assert run(["sample", str(tmp_path / "g"), "-n", "7", "-o", str(parts), "--batch-size", "3", "-q"]) == 0
    (parts / "000002.png").unlink()
    assert run(["sample", str(tmp_path / "g"), "-n", "20", "-o", str(parts), "--batch-size", "5", "-q"]) == 0
    for path in whole.glob("*.png"):
        assert path.read_bytes() == (parts / path.name).read_bytes()


def test_run_and_table(tmp_path: Path, capsys: Capture) -> None:
    suite = tmp_path / "small.toml"
    suite.write_text(SUITE.format(model="vae"))
    runs = str(tmp_path / "runs")
    assert run(["run", str(suite), "-o", runs, "--device", "cpu"]) == 0
    printed = capsys.readouterr()
    assert "VAE" in printed.out
    assert "vae, seed 0: done in" in printed.err
    assert run(["run", str(suite), "-o", runs, "--json", "--device", "cpu", "-q"]) == 0
    assert json.loads(capsys.readouterr().out)["schema"] == "genbench.table/1"
    assert run(["table", runs, "--format", "csv"]) == 0
    assert capsys.readouterr().out.startswith("system,family,")


@pytest.mark.parametrize(
    ("command", "status", "code", "said"),
    [
        ("train vea --data digits --steps 1 -o {0}", 2, "E-NAME", "did you mean vae"),
        ("train vae --data digits -o {0}", 2, "E-BUDGET", "such as --seconds 60"),
        ("train vae --data digits --steps 1 --set lr=3 -o {0}", 2, "E-USAGE", "TABLE.KEY=VALUE"),
        ("train vae --data digits --steps 1 --set args.depht=3 -o {0}", 2, "E-NAME", "no arguments of vae"),
        ("train vae --data digits --steps 1 --set knob.x=3 -o {0}", 2, "E-NAME", "no setting named 'knob'"),
        ("train pix2pix --data digits --steps 1 -o {0}", 2, "E-TASK", "sources"),
        ("train vae --data {0}/none --steps 1 -o {0}", 5, "E-NO-PATH", "no such file"),
        ("sample {0} -o {0}/out", 5, "E-NO-MODEL", "genbench train -o"),
        ("run {0}/none.toml", 5, "E-NO-PATH", "demo"),
        ("run demoo", 2, "E-NAME", "did you mean demo"),
        ("run demo --only vea -o {0}", 2, "E-NAME", "did you mean vae"),
        ("run demo --format pdf -o {0}", 2, "E-USAGE", "--format is one of: text, markdown"),
        ("table {0} --format pdf", 2, "E-USAGE", "--format is one of: text, markdown"),
        ("table {0}", 5, "E-NO-RUNS", "genbench run"),
    ],
)
def test_wrong_commands_say_what_would_be_right(
    tmp_path: Path, capsys: Capture, command: str, status: int, code: str, said: str
) -> None:
    assert run(command.format(tmp_path).split()) == status
    error = capsys.readouterr().err
    assert f"error[{code}]" in error
    assert said in error


def test_torchrun_takes_the_same_command(tmp_path: Path) -> None:
    """Two processes on the CPU train one model, which is saved once and announced once."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, "-m", "genbench", "train", "vae", "--data", "digits", "--steps", "30", "-o", str(tmp_path / "vae")]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("the model is in") == 1
    assert json.loads((tmp_path / "vae/config.json").read_text())["budget"] == "30 steps"
    assert run(["sample", str(tmp_path / "vae"), "-n", "2", "-o", str(tmp_path / "samples"), "-q"]) == 0


def test_demo_prints_its_table_and_the_paths_of_its_picture_and_page(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The suite of the demo itself, with fewer steps and images."""
    suite = load_suite(find_suite("demo"))
    shorter = {"budget": BudgetTable(steps=5), "num_images": 100, "num_scored": 10}
    monkeypatch.setattr("genbench.bench.suite.load_suite", lambda path: suite.model_copy(update=shorter))
    monkeypatch.setattr("genbench.bench.runner.DIAGNOSED", 16)  # looked at elsewhere
    assert run(["demo", "-o", str(tmp_path / "demo")]) == 0
    printed = capsys.readouterr()
    assert all(label in printed.out for label in ("Gaussian (PCA)", "VAE", "DDPM", "untrained, best of all"))
    assert f"samples: {tmp_path / 'demo/samples.png'}" in printed.err
    assert (tmp_path / "demo/samples.png").is_file()
    assert f"leaderboard: {tmp_path / 'demo/site/index.html'}" in printed.err
    page = (tmp_path / "demo/site/index.html").read_text()
    assert all(label in page for label in ("Gaussian (PCA)", "VAE", "DDPM", "RealNVP"))


def test_a_new_model_is_one_file(tmp_path: Path) -> None:
    """Dropped into a copy of the package, it is listed, trained, sampled, evaluated and in the table."""
    shutil.copytree(PACKAGE, tmp_path / "genbench", ignore=shutil.ignore_patterns("__pycache__"))
    for folder in ("reference_stats", "benchmarks"):
        if not (tmp_path / "genbench" / folder).is_dir():
            ignored = shutil.ignore_patterns("results", "speed")
            shutil.copytree(PACKAGE.parent / folder, tmp_path / "genbench" / folder, ignore=ignored)
    (tmp_path / "genbench/models/linear/mean_image.py").write_text(ONE_FILE)
    (tmp_path / "small.toml").write_text(SUITE.format(model="mean_image"))

    def call(*arguments: str) -> str:
        command = [sys.executable, "-m", "genbench", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "mean_image" in call("list", "models")
    call("train", "mean_image", "--data", "digits", "--steps", "1", "-o", "run", "--set", "args.contrast=0.5")
    call("sample", "run", "-n", "100", "-o", "samples")
    assert "fd" in call("evaluate", "samples", "--ref", "digits", "--extractor", "tiny", "--metrics", "fd", "--allow-small")
    call("run", "small.toml", "-o", "runs", "--device", "cpu")
    assert "Mean image" in call("table", "runs")
