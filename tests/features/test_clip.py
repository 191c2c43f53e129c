"""`clip` with a small network of random weights: Pillow's pixels, open_clip's numbers, OpenAI's files."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Normalize, Resize, ToTensor

from genbench.errors import SetupError, UsageError
from genbench.features import _pillow, clip
from genbench.features.clip import VARIANTS, Clip, Variant

SMALL = Variant(
    width=32,
    size=64,
    patch=16,
    depth=2,
    channels=64,
    text_depth=2,
    text_channels=64,
    weights=replace(VARIANTS["b32"].weights, name="small.pt"),
)
TEXTS = ["a dog", "A DOG ", "two dogs &amp; a cat", "x " * 500]


@pytest.fixture(autouse=True)
def small_variant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VARIANTS, "small", SMALL)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    network = SMALL.network().eval()
    for parameter in network.parameters():
        if parameter.ndim == 1:  # biases start at 0 and would hide a mistake
            nn.init.normal_(parameter, 0.5, 0.5)
    return network


@pytest.fixture(scope="module")
def weights(network: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "small.safetensors"
    save_file(network.state_dict(), path)
    return path


def load(weights: Path, precision: str = "fp32") -> Clip:
    return Clip.load(input="small", precision=precision, weights=weights)


def noise(*size: int, count: int = 2) -> Tensor:
    return torch.randint(0, 256, (count, 3, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def as_openai(image: Tensor, size: int) -> Tensor:
    """OpenAI's preprocessing of one picture, but with the rows first whatever Pillow is installed."""
    picture = Image.fromarray(image.permute(1, 2, 0).numpy())
    height, width = _pillow.shorter_side(image, size)
    picture = picture.resize((width, picture.height), Image.Resampling.BICUBIC).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    return Compose([CenterCrop(size), ToTensor(), Normalize(clip.MEAN, clip.STD)])(picture)


@pytest.mark.parametrize(
    "size", [(16, 16), (32, 32), (7, 40), (224, 224), (225, 223), (400, 301), (1, 90), (333, 640), (512, 512)]
)
def test_pixels_are_pillows(size: tuple[int, int]) -> None:
    images = noise(*size)
    for side in (64, 224):
        assert torch.equal(clip.preprocess(images, side), torch.stack([as_openai(image, side) for image in images]))


@pytest.mark.parametrize("size", [(256, 256), (100, 480), (300, 900), (60, 60), (233, 331)])
def test_pixels_are_those_of_the_published_code(size: tuple[int, int]) -> None:
    """Where no version of Pillow begins with the columns: torchvision's transforms as OpenAI composes them."""
    published = Compose([Resize(224, InterpolationMode.BICUBIC), CenterCrop(224), ToTensor(), Normalize(clip.MEAN, clip.STD)])
    images = noise(*size)
    expected = torch.stack([published(Image.fromarray(image.permute(1, 2, 0).numpy())) for image in images])
    assert torch.equal(clip.preprocess(images, 224), expected)


@pytest.mark.parametrize("size", [(256, 256), (101, 480), (300, 907), (60, 60), (233, 331)])
def test_the_square_first_as_cmmds_code_has_it(size: tuple[int, int]) -> None:
    images = noise(*size)
    side, (height, width) = min(size), size
    top, left = (height - side) // 2, (width - side) // 2

    def published(image: Tensor) -> Tensor:
        picture = Image.fromarray(image.permute(1, 2, 0).numpy()).crop((left, top, left + side, top + side))
        resized = picture.resize((224, 224), resample=Image.Resampling.BICUBIC)
        return Compose([ToTensor(), Normalize(clip.MEAN, clip.STD)])(resized)

    found = clip.preprocess(images, 224, square_first=True)
    assert torch.equal(found, torch.stack([published(image) for image in images]))
    assert torch.equal(found, clip.preprocess(images, 224)) == (height == width)


def test_the_variant_of_cmmd_prepares_pictures_as_its_code(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VARIANTS, "small", replace(VARIANTS["small"], square_first=True))
    square, images = load(weights), noise(60, 100)
    assert square.identity.preprocess == "small,centre-square,pil-bicubic-uint8-64,x/255,clip-mean-std"
    middle = load(weights)(images[..., 20:80].contiguous(), ["pool"])["pool"]
    torch.testing.assert_close(square(images, ["pool"])["pool"], middle)
    assert VARIANTS["l14-336-square"] == replace(VARIANTS["l14-336"], square_first=True)


def test_blocks_of_images_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    images = noise(50, 40, count=7)
    whole = clip.preprocess(images, 64)
    monkeypatch.setattr(_pillow, "BUDGET", 1)
    assert torch.equal(clip.preprocess(images, 64), whole)


def test_pictures_and_texts_are_open_clips(network: nn.Module, weights: Path) -> None:
    from open_clip import get_tokenizer

    extractor, images = load(weights), noise(80, 70, count=20)
    x = torch.stack([as_openai(image, 64) for image in images])
    with torch.no_grad():
        pictures, texts = network.encode_image(x), network.encode_text(get_tokenizer("ViT-B-32")(TEXTS))
    torch.testing.assert_close(extractor(images, ["pool"])["pool"], pictures, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(extractor.embed_text(TEXTS), texts, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(pictures.norm(dim=1), torch.ones(20), atol=0.01)  # metrics normalise


def test_shapes_and_independence_of_the_batch(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    extractor, images = load(weights), noise(64, 64, count=19)
    whole = extractor(images, ["pool"])["pool"]
    assert whole.shape == (19, extractor.width("pool"))
    assert whole.dtype == torch.float32
    one_by_one = torch.cat([extractor(image[None], ["pool"])["pool"] for image in images])
    torch.testing.assert_close(one_by_one, whole, rtol=1e-4, atol=1e-5)
    texts = extractor.embed_text(TEXTS)
    monkeypatch.setattr(clip, "TEXTS", 1)
    torch.testing.assert_close(extractor.embed_text(TEXTS), texts, rtol=1e-4, atol=1e-5)
    assert extractor.embed_text([]).shape == (0, 32)
    torch.testing.assert_close(texts[0], texts[1])


def test_what_describes_it(weights: Path) -> None:
    extractor = load(weights)
    assert Clip.inputs == ("b32", "l14", "l14-336", "l14-336-square")
    assert not extractor.training
    assert extractor.identity.weights_sha256 == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert extractor.identity.preprocess == "small,pil-bicubic-uint8-64-shorter-side,centre-crop,x/255,clip-mean-std"
    for variant in Clip.inputs:
        asset = VARIANTS[variant].weights
        assert len(asset.sha256) == 64
        assert all(asset.sha256 in url for url in asset.urls)
    assert Clip.layers["pool"] == VARIANTS["b32"].width


def test_the_published_sizes_are_open_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    """No weights are made: shapes alone, of the same networks built by open_clip's own configurations."""
    import open_clip

    monkeypatch.undo()
    names = {"b32": "ViT-B-32-quickgelu", "l14": "ViT-L-14-quickgelu", "l14-336": "ViT-L-14-336-quickgelu"}
    for variant, name in names.items():
        config = open_clip.get_model_config(name)
        with torch.device("meta"):
            ours = VARIANTS[variant].network()
            theirs = open_clip.CLIP(**{**config, "vision_cfg": open_clip.CLIPVisionCfg(**config["vision_cfg"]),
                                       "text_cfg": open_clip.CLIPTextCfg(**config["text_cfg"])})  # fmt: skip
        assert str(ours) == str(theirs)
        shapes = [{key: value.shape for key, value in one.state_dict().items()} for one in (ours, theirs)]
        assert shapes[0] == shapes[1]
        assert ours.transformer.resblocks[0].attn.num_heads == theirs.transformer.resblocks[0].attn.num_heads
        from open_clip.pretrained import get_pretrained_cfg

        assert VARIANTS[variant].weights.urls == (get_pretrained_cfg(name, "openai")["url"],)


def test_torchs_own_files_are_read_too(network: nn.Module, weights: Path, tmp_path: Path) -> None:
    torch.save({name: value.half() for name, value in network.state_dict().items()}, tmp_path / "half.pt")
    found = load(tmp_path / "half.pt")(noise(64, 64), ["pool"])["pool"]
    torch.testing.assert_close(found, load(weights)(noise(64, 64), ["pool"])["pool"], rtol=0.02, atol=0.02)


class Archive(nn.Module):
    """As OpenAI's files are: weights under open_clip's names, and three numbers beside them."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        for name, child in network.named_children():
            if name in ("visual", "transformer", "token_embedding", "ln_final"):
                self.add_module(name, Weights(child))
        for name in ("positional_embedding", "text_projection", "logit_scale"):
            self.register_parameter(name, nn.Parameter(getattr(network, name).detach().half()))
        for name, number in {"input_resolution": 64, "context_length": 77, "vocab_size": 49408}.items():
            self.register_buffer(name, torch.tensor(number))

    def forward(self) -> Tensor:
        return self.logit_scale


class Weights(nn.Module):
    """The parameters of a module without what it does."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        for name, child in module.named_children():
            self.add_module(name, Weights(child))
        for name, parameter in module.named_parameters(recurse=False):
            self.register_parameter(name, nn.Parameter(parameter.detach().half()))


def test_openais_archive_is_read_and_no_other_program(
    network: nn.Module, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ViT.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated
        torch.jit.save(torch.jit.script(Archive(network)), str(path))
    with pytest.raises(SetupError, match=r"ViT\.pt is a TorchScript program but not the published one"):
        load(path)
    published = replace(SMALL.weights, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setitem(VARIANTS, "small", replace(SMALL, weights=published))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = load(path)
    torch.testing.assert_close(found.embed_text(TEXTS), load(weights).embed_text(TEXTS), rtol=0.02, atol=0.02)


def test_wrong_weights_and_precisions_are_refused(network: nn.Module, weights: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="fp32 or tf32 only"):
        load(weights, "bf16")
    with pytest.raises(UsageError, match="tf32 is arithmetic of CUDA"):
        load(weights, "tf32").embed_text(["a dog"])
    state = {name: value for name, value in network.state_dict().items() if name != "visual.proj"}
    save_file(state, tmp_path / "part.safetensors")
    with pytest.raises(SetupError, match=r"visual\.proj is missing"):
        load(tmp_path / "part.safetensors")
    with pytest.raises(SetupError, match="weights of another network"):
        Clip.load(input="b32", precision="fp32", weights=weights)


def test_means_of_colours_are_close_to_what_the_picture_has() -> None:
    """A flat picture stays flat at every size."""
    flat = torch.tensor([10, 128, 250], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 37, 91)
    x = clip.preprocess(flat, 64)[0]
    expected = (np.array([10, 128, 250]) / 255 - clip.MEAN) / clip.STD
    assert np.allclose(x.amin((1, 2)), expected, atol=1e-6)
    assert np.allclose(x.amax((1, 2)), expected, atol=1e-6)
