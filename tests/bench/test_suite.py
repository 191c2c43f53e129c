"""Suites: what a file may say, and that every mistake is found before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from genbench.bench.jobs import plan
from genbench.bench.selection import selected
from genbench.bench.suite import Suite, find_suite, load_suite, shipped
from genbench.errors import DataError, UsageError

SMALL = """
version = 1
title = "Small"
dataset = "digits"
metrics = ["fd@tiny"]
budget.steps = 2
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "suite.toml"
    path.write_text(text)
    return path


def planned(folder: Path, text: str) -> list[str]:
    path = written(folder, text)
    return [job.name for job in plan(load_suite(path), path.name, folder / "runs")]


def test_entries_and_seeds_become_jobs(tmp_path: Path) -> None:
    text = (
        SMALL
        + 'seeds = [3, 4]\n[[entries]]\nmodel = "gaussian"\nlabel = "A"\n[[entries]]\nmodel = "gmm"\nargs.components = 2\n'
    )
    assert planned(tmp_path, text) == ["A, seed 3", "gmm, seed 3", "A, seed 4", "gmm, seed 4"]


def test_a_job_resolves_its_configuration(tmp_path: Path) -> None:
    text = SMALL + '[[entries]]\nmodel = "vae"\nrecipe.lr = 1e-4\nbudget.seconds = 3\n'
    path = written(tmp_path, text)
    config = plan(load_suite(path), path.name, tmp_path / "runs")[0].config()
    assert config["recipe"]["lr"] == 1e-4
    assert config["recipe"]["batch_size"] > 0  # the model's own
    assert config["budget"] == "3 seconds"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metric = []", "unknown key 'metric'; did you mean metrics or entries?"),
        ('[[entries]]\nmodel = "vae"\narg.x = 1', "did you mean args?"),
        ('[[entries]]\nmodel = "realnvp"', "did you mean real_nvp?"),
        ('[[entries]]\nmodel = "vae"\nargs.chanels = 3', "no arguments of vae named 'chanels'"),
        ('[[entries]]\nmodel = "vae"\nrecipe.learning_rate = 3', "no keys of a recipe named 'learning_rate'"),
        ('[[entries]]\nmodel = "vae"\nrecipe.decay = "sine"', "recipe.decay = 'sine'"),
        ('[[entries]]\nmodel = "vae"\nknobs.sharpness = 3', "no knobs of vae named 'sharpness'"),
        ('[[entries]]\nmodel = "pix2pix"', "sources"),
        ('[[entries]]\nmodel = "vae"\nrecipe.lr = "fast"', "recipe.lr = 'fast'"),
        ('[[entries]]\nmodel = "vae"\nrecipe.clip = 0', "recipe.clip = 0: input should be greater than 0"),
        ('[[entries]]\nmodel = "vae"\nbudget.seconds = -1', "one positive number"),
        ("seeds = [0, 0]", "every seed once"),
        ("threads = 0", "greater than or equal to 1"),
        ('[[entries]]\nmodel = "vae"\n[[entries]]\nmodel = "vae"', "2 entries are called so"),
    ],
)
def test_a_mistake_is_named_with_what_would_be_right(tmp_path: Path, text: str, expected: str) -> None:
    entry = "" if "[[entries]]" in text else '\n[[entries]]\nmodel = "gaussian"\n'
    with pytest.raises(UsageError) as caught:
        planned(tmp_path, SMALL + text + entry)
    assert expected in caught.value.message
    assert not (tmp_path / "runs").exists()


def test_all_mistakes_are_listed_together(tmp_path: Path) -> None:
    text = SMALL.replace("fd@tiny", "fd@tinny") + '[[entries]]\nmodel = "vea"\n[[entries]]\nmodel = "gmm"\nargs.k = 1\n'
    with pytest.raises(UsageError) as caught:
        planned(tmp_path, text)
    message = caught.value.message
    assert "3 mistakes; nothing was trained" in message
    assert all(part in message for part in ("metrics: ", "entry 'vea'", "entry 'gmm'"))


def test_no_toml_and_another_version(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no TOML"):
        load_suite(written(tmp_path, "version = "))
    with pytest.raises(UsageError, match="has version 2, this genbench runs version 1"):
        load_suite(written(tmp_path, SMALL.replace("version = 1", "version = 2")))


def test_suites_are_found_by_name_and_path(tmp_path: Path) -> None:
    assert find_suite("demo") == find_suite("demo.toml")
    assert find_suite(find_suite("demo")) == find_suite("demo")
    with pytest.raises(UsageError, match="no suite named 'dmeo'"):
        find_suite("dmeo")
    with pytest.raises(DataError, match="no such suite"):
        find_suite(tmp_path / "none.toml")


@pytest.mark.parametrize("name", shipped())
def test_shipped_suites_are_right(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = load_suite(find_suite(name))
    if suite.dataset in ("mnist", "cifar10"):  # not here: check all but the data
        suite = suite.model_copy(update={"dataset": "digits"})
    assert plan(suite, name, tmp_path)


def test_some_entries_can_be_chosen() -> None:
    suite: Suite = load_suite(find_suite("demo"))
    assert [entry.model for entry in selected(suite, ["ddpm", "GMM"]).entries] == ["gmm", "ddpm"]
    assert selected(suite, ()) is suite
    digits = load_suite(find_suite("digits"))
    assert [entry.label for entry in selected(digits, ["VAE, Gaussian"]).entries] == ["VAE, Gaussian"]
    assert len(selected(digits, ["vae"]).entries) == 3
    with pytest.raises(UsageError, match="did you mean ddpm"):
        selected(suite, ["dpm"])
