"""Pictures drawn in code: every scene keeps its promises, and what was drawn is read back exactly."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from torch import Tensor

from genbench.cli import run
from genbench.data.dataset import open_dataset
from genbench.data.sets import _draw, _scene
from genbench.data.sets._scene import Description, Scenes, Seen
from genbench.data.sets.shapes import Shapes
from genbench.data.sets.shapes32 import Shapes32
from genbench.errors import UsageError

SETS = [Shapes, Shapes32]


@cache
def scenes() -> Scenes:
    return _scene.scenes("train", range(2000))


@cache
def pictures(size: int) -> Tensor:
    return torch.from_numpy(_draw.draw(scenes(), size))


@pytest.mark.parametrize("dataset", SETS)
def test_every_picture_is_read_back_exactly(dataset: type[Shapes]) -> None:
    assert dataset.describe(pictures(dataset.size[0])) == scenes().descriptions()
    others = _scene.scenes("test", range(1000))
    assert dataset.describe(torch.from_numpy(_draw.draw(others, dataset.size[0]))) == others.descriptions()


@pytest.mark.parametrize("dataset", SETS)
def test_reading_is_honest(dataset: type[Shapes]) -> None:
    """Nothing is read into noise, flat pictures and a blur that hides the shapes; a little noise does no harm."""
    size, rng = dataset.size[0], np.random.default_rng(0)
    drawn = pictures(size)[:200]
    noise = torch.from_numpy(rng.integers(0, 256, (100, 3, size, size), dtype=np.uint8))
    blurred = ndimage.gaussian_filter(drawn.numpy(), (0, 0, size / 8, size / 8))
    for unreadable in (noise, torch.full_like(noise, 128), torch.from_numpy(blurred)):
        assert all(description.caption is None for description in dataset.describe(unreadable))
    grainy = (drawn + torch.from_numpy(rng.normal(0, 8, drawn.shape))).round().clamp(0, 255).to(torch.uint8)
    assert dataset.describe(grainy) == scenes().descriptions()[:200]


def test_what_is_clear_is_said() -> None:
    """A blurred picture has a colour but no shape; an odd third object leaves nothing to say."""
    red = torch.full((1, 3, 16, 16), 100, dtype=torch.uint8)
    yy, xx = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    glow = (-((xx - 8).square() + (yy - 8).square()) / 18).exp()
    red = (red + glow * (torch.tensor([225.0, 45.0, 45.0]).view(1, 3, 1, 1) - red)).to(torch.uint8)
    assert Shapes.describe(red) == [Description((Seen(None, "red", None),))]
    three = pictures(16)[:1].clone()
    three[:] = 128
    for column in (1, 6, 11):
        three[:, 0, 6:10, column : column + 4] = 255
    assert Shapes.describe(three) == [Description(())]


def test_a_class_is_the_main_object_and_is_visible() -> None:
    descriptions = Shapes.describe(pictures(16)[:300])
    assert [description.label for description in descriptions] == scenes().labels()[:300].tolist()
    first = descriptions[0].objects[0]
    assert Shapes.classes[scenes().labels()[0]] == f"{first.colour} {first.shape}"


def test_a_caption_belongs_to_a_description() -> None:
    circle, square = Seen("circle", "red", "large"), Seen("square", "blue", "small")
    assert Description((circle,)).caption == "a large red circle"
    assert Description((circle, square), "left of").caption == "a red circle left of a blue square"
    assert Description((circle, square)).caption is None  # no relation
    assert Description((square, circle), "left of").caption is None  # the main object is the large one
    assert Description((Seen("circle", None, "large"),)).caption is None
    assert Description(()).label is None


def test_every_caption_is_understood() -> None:
    descriptions = scenes().descriptions()
    assert [Shapes.understand(str(description.caption)) for description in descriptions] == descriptions
    assert Shapes.understand(" A  small RED circle. ") == Description((Seen("circle", "red", "small"),))


@pytest.mark.parametrize(
    "caption", ["", "a red circle", "a small red circle left of a blue square", "a red circle near a blue square", "a small"]
)
def test_what_is_no_caption_is_refused(caption: str) -> None:
    with pytest.raises(UsageError, match="no caption of shapes"):
        Shapes.understand(caption)


@pytest.mark.parametrize("time", [0.0, 0.5, 1.0])
def test_scenes_keep_their_promises(time: float) -> None:
    found = scenes()
    centres, both = found.start + time * (found.end - found.start), found.exists[:, 1]
    inside = np.minimum(centres, 16 - centres) - found.radius[..., None] >= 0.5 - 1e-9
    assert inside[found.exists].all()
    dx, dy = (centres[both, 0] - centres[both, 1]).T
    along = np.choose(found.relation[both], [-dx, dx, -dy, dy])
    across = np.where(found.relation[both] < 2, np.abs(dy), np.abs(dx))
    assert (along - across >= 2 - 1e-9).all()
    assert (along - found.radius[both].sum(1) >= 2 - 1e-9).all()


def test_everything_occurs_about_equally_often() -> None:
    found = scenes()
    assert 0.45 < found.exists[:, 1].mean() < 0.55
    for column, kinds in ((found.shape, 4), (found.colour, 6)):
        assert np.bincount(column.ravel(), minlength=kinds).min() > 0.9 * column.size / kinds
    assert np.bincount(found.labels(), minlength=24).min() > 50
    relations = Counter(description.relation for description in found.descriptions())
    assert set(relations) == {None, *_scene.RELATIONS}
    assert min(relations.values()) > 200
    assert np.bincount(found.ground, minlength=4).min() > 400


def test_a_scene_depends_on_its_index_alone() -> None:
    few = _scene.scenes("train", [7, 1500])
    assert np.array_equal(_draw.draw(few, 16), pictures(16)[[7, 1500]].numpy())
    assert not np.array_equal(_draw.draw(_scene.scenes("test", [7]), 16)[0], pictures(16)[7].numpy())


@pytest.mark.parametrize("dataset", SETS)
def test_edges_are_smooth(dataset: type[Shapes]) -> None:
    """A disc covers its area to a few percent wherever it lies, so that coverage is more than yes or no."""
    covered = _draw.coverage(scenes(), dataset.size[0])[:, 0].sum((1, 2)) * (16 / dataset.size[0]) ** 2
    discs = scenes().shape[:, 0] == 0
    assert np.allclose(covered[discs], np.pi * scenes().radius[discs, 0] ** 2, rtol=0.04)


def test_label_and_edge_maps() -> None:
    labels, edges = Shapes().label_maps("test"), Shapes().edge_maps("test")
    assert labels.shape == edges.shape == (1024, 1, 16, 16)
    found = Shapes().scenes("test")
    for index in range(50):
        classes = found.shape[index] * 6 + found.colour[index] + 1
        assert set(labels[index].unique().tolist()) == {0, *classes[found.exists[index]].tolist()}
    covered = _draw.coverage(found, 16).max(axis=1)
    assert (edges[:, 0].numpy()[covered == 0.5] > 250).all()
    large_disc = (found.shape[:, 0] == 0) & (found.radius[:, 0] > 3)
    assert (edges[:, 0].numpy()[large_disc].min((1, 2)) == 0).all()


def test_night_has_one_answer() -> None:
    night = Shapes.night(pictures(16))
    assert (Shapes.day(night).int() - pictures(16).int()).abs().max() <= 2
    assert Shapes.describe(Shapes.day(night)[:200]) == scenes().descriptions()[:200]
    assert night.float().mean() < 0.7 * pictures(16).float().mean()
    assert 0 < night.min() < night.max() < 255  # nothing was cut off


@pytest.mark.parametrize("task", ["text", "paired", "unpaired", "video"])
def test_examples_of_each_task(task: str) -> None:
    dataset = open_dataset("shapes", task=task)
    spec, test = dataset.spec, dataset.test
    assert test.images.shape[1:] == spec.shape
    assert (test.captions is not None) == (spec.vocabulary > 0) == (task in ("text", "video"))
    assert (test.sources is not None) == (spec.source_channels > 0) == (task in ("paired", "unpaired"))
    stills = test.images[:, :, 0] if task == "video" else test.images
    if test.captions is not None:
        assert test.captions.shape[1] == spec.caption_length
        assert test.captions.max() == spec.vocabulary
        seen = Shapes.describe(stills[:100])
        assert [dataset.caption(tokens) for tokens in test.captions[:100]] == [description.caption for description in seen]
    if test.sources is not None:
        answers = Shapes.day(test.sources).int()
        paired = (answers - stills.int()).abs().amax((1, 2, 3)) <= 2
        assert paired.all() if task == "paired" else not paired.any()


def test_unpaired_sources_are_of_no_image_at_all() -> None:
    dataset = open_dataset("shapes", task="unpaired")
    images = {image.numpy().tobytes() for part in (dataset.train, dataset.validation, dataset.test) for image in part.images}
    shown = _draw.draw(Shapes().other_scenes("train"), 16)
    assert not images & {image.tobytes() for image in shown}


def test_videos_go_smoothly_and_keep_their_caption() -> None:
    found = _scene.scenes("test", range(60))
    video = torch.from_numpy(_draw.video(found, 32, 8))
    assert torch.equal(video[:, :, 0], torch.from_numpy(_draw.draw(found, 32)))
    for frame in range(8):
        assert Shapes32.describe(video[:, :, frame]) == found.descriptions()
    steps = (video[:, :, 1:].float() - video[:, :, :-1].float()).abs().mean((1, 3, 4))
    whole = (video[:, :, -1].float() - video[:, :, 0].float()).abs().mean((1, 2, 3))
    assert (steps.amax(1) < whole + 1).all()  # no jump
    assert (whole > 1).float().mean() > 0.9  # and nearly all move


def test_tokens_and_words() -> None:
    tokens = Shapes.tokens(["a red circle left of a blue square", "a small cyan cross"])
    assert tokens.shape == (2, 8)
    assert (tokens[1] > 0).sum() == 4
    assert open_dataset("shapes").caption(tokens[0]) == "a red circle left of a blue square"
    with pytest.raises(UsageError, match="no word named 'pink'"):
        Shapes.tokens(["a pink circle"])
    with pytest.raises(UsageError, match="9 words; 8 are the most"):
        Shapes.tokens(["a " * 9])


def test_a_folder_is_measured_against_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Shapes, "counts", {"train": 256, "test": 256})
    for index, picture in enumerate(_draw.draw(_scene.scenes("test", range(200)), 16)):
        Image.fromarray(picture.transpose(1, 2, 0)).save(tmp_path / f"{index:03d}.png")
    assert run(f"evaluate {tmp_path} --ref shapes --extractor tiny --metrics fd --allow-small".split()) == 0
    assert "reference shapes/train: 256 images" in capsys.readouterr().err
