"""What a recorded command says, whoever wrote it."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from genbench.cli.app import app
from genbench.evaluation.command import FLAGS, is_near, options_of, policy_of


def test_the_flags_are_those_of_evaluate() -> None:
    command = typer.main.get_command(app).commands["evaluate"]  # type: ignore[attr-defined]
    flags = {option for parameter in command.params if getattr(parameter, "is_flag", False) for option in parameter.opts}
    assert flags - {"--help"} == FLAGS


@pytest.mark.parametrize(
    ("command", "images", "options"),
    [
        ("genbench evaluate a --ref b --json", "a", {"--ref": "b"}),
        ("genbench evaluate --ref=b -q a -o out", "a", {"--ref": "b", "-o": "out"}),
        ("genbench evaluate --offline --allow-small a", "a", {}),
        ("genbench evaluate a --ref", "a", {"--ref": ""}),
        ("genbench stats build a", None, {}),
        ("", None, {}),
    ],
)
def test_images_and_options_are_those_of_the_command(command: str, images: str | None, options: dict[str, str]) -> None:
    assert options_of(command.split()) == (images, options)


def test_the_policy_is_that_of_the_command() -> None:
    policy = policy_of({"--on-bad": "skip", "--background": "1,2,3", "--value-range": "0,1"})
    assert (policy.on_bad, policy.background, policy.value_range) == ("skip", (1, 2, 3), (0.0, 1.0))
    assert policy_of({"--background": "white"}).background == (255, 255, 255)


@pytest.mark.parametrize("text", ["nonsense", "", "1e400,0,0", "nan,0,0", "256,0,0", "-1,0,0", "1,2,3,4", "9" * 5000 + ",0,0"])
def test_a_colour_that_is_none_is_left_out(text: str) -> None:
    assert policy_of({"--background": text}).background is None


@pytest.mark.parametrize("text", ["x", "", "1,0", "0,inf", "nan,1", "0,1e400", "0,1,2"])
def test_a_range_that_is_none_is_left_out(text: str) -> None:
    assert policy_of({"--value-range": text}).value_range is None


def test_only_what_is_near_may_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "here"
    (here / "samples" / "deep").mkdir(parents=True)
    (tmp_path / "beside").mkdir()
    (here / "inside").symlink_to("samples")
    (here / "outside").symlink_to(tmp_path / "beside")
    (here / "circle").symlink_to("circle")
    (here / "digits").symlink_to("/")  # a path wins over a data set of its name
    monkeypatch.chdir(here)
    assert [
        place for place in ("samples", "samples/deep", "./samples", "inside", "fashion-mnist/test") if not is_near(place)
    ] == []
    far = [
        "outside",
        "circle",
        "digits",
        "../beside",
        "samples/../../beside",
        str(here / "samples"),
        "/",
        "//host/share",
        "~",
        "~x",
    ]
    far += [".", "", "nowhere", "hf://a/b", "hf:/a", "antigravity:Set", "C:\\x", "x" * 5000, "a\0b", "\ud800", "cifar10/../.."]
    assert [place for place in far if is_near(place)] == []
