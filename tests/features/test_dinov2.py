"""`dinov2` with a small network of random weights, against Facebook's network and dgm-eval's pixels written out naively."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torchvision.transforms import Compose, InterpolationMode, Normalize, Resize, ToTensor

from genbench.errors import SetupError, UsageError
from genbench.features import dinov2
from genbench.features.dinov2 import VARIANTS, DinoV2, Variant

SMALL = Variant(width=64, depth=3, heads=4, weights=replace(VARIANTS["b14"].weights, name="small.pth"))
KNOWN = 37  # patches of each side in the published embeddings


@pytest.fixture(autouse=True)
def small_variant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VARIANTS, "small", SMALL)


def facebook_state(width: int = 64, depth: int = 3, known: int = KNOWN) -> dict[str, Tensor]:
    """A state dict with the names and shapes of the published files."""
    random = torch.Generator().manual_seed(0)

    def normal(*shape: int, scale: float = 0.2) -> Tensor:
        return scale * torch.randn(*shape, generator=random)

    state = {
        "cls_token": normal(1, 1, width),
        "pos_embed": normal(1, 1 + known * known, width, scale=1.0),
        "mask_token": normal(1, width),
        "patch_embed.proj.weight": normal(width, 3, 14, 14, scale=0.05),
        "patch_embed.proj.bias": normal(width),
    }
    for block in range(depth):
        name = f"blocks.{block}"
        for norm in ("norm1", "norm2"):
            state |= {f"{name}.{norm}.weight": 1 + normal(width), f"{name}.{norm}.bias": normal(width)}
        for layer, (into, out) in {
            "attn.qkv": (width, 3 * width),
            "attn.proj": (width, width),
            "mlp.fc1": (width, 4 * width),
            "mlp.fc2": (4 * width, width),
        }.items():
            state |= {f"{name}.{layer}.weight": normal(out, into), f"{name}.{layer}.bias": normal(out)}
        state |= {f"{name}.ls1.gamma": 0.5 + normal(width), f"{name}.ls2.gamma": 0.5 + normal(width)}
    return state | {"norm.weight": 1 + normal(width), "norm.bias": normal(width)}


def facebook_positions(positions: Tensor, w: int, h: int) -> Tensor:
    """interpolate_pos_encoding with the settings of the published networks: offset 0.1, no antialiasing."""
    n, dim = positions.shape[1] - 1, positions.shape[-1]
    w0, h0 = w // 14 + 0.1, h // 14 + 0.1
    grid = positions[:, 1:].reshape(1, int(math.sqrt(n)), int(math.sqrt(n)), dim).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, scale_factor=(w0 / math.sqrt(n), h0 / math.sqrt(n)), mode="bicubic", antialias=False)
    assert (int(w0), int(h0)) == tuple(grid.shape[-2:])
    return torch.cat((positions[:, :1], grid.permute(0, 2, 3, 1).reshape(1, -1, dim)), dim=1)


def facebook(state: dict[str, Tensor], x: Tensor, heads: int = 4, positions: Tensor | None = None) -> Tensor:
    """x_norm_clstoken of float (N, 3, 224, 224)."""

    def linear(x: Tensor, name: str) -> Tensor:
        return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    def norm(x: Tensor, name: str) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        scaled = centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt()
        return scaled * state[f"{name}.weight"] + state[f"{name}.bias"]

    def attention(x: Tensor, name: str) -> Tensor:
        q, k, v = linear(x, f"{name}.qkv").unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).softmax(-1) @ v
        return linear(mixed.transpose(1, 2).flatten(2), f"{name}.proj")

    patches = (
        F.conv2d(x, state["patch_embed.proj.weight"], state["patch_embed.proj.bias"], stride=14).flatten(2).transpose(1, 2)
    )
    x = torch.cat([state["cls_token"].expand(len(x), -1, -1), patches], 1)
    x = x + (facebook_positions(state["pos_embed"], 224, 224) if positions is None else positions)
    for block in range(sum(name.endswith("norm1.bias") for name in state)):
        name = f"blocks.{block}"
        x = x + state[f"{name}.ls1.gamma"] * attention(norm(x, f"{name}.norm1"), f"{name}.attn")
        hidden = F.gelu(linear(norm(x, f"{name}.norm2"), f"{name}.mlp.fc1"))
        x = x + state[f"{name}.ls2.gamma"] * linear(hidden, f"{name}.mlp.fc2")
    return norm(x, "norm")[:, 0]


def dgm_eval(image: Tensor) -> Tensor:
    """dgm-eval's preprocessing of one picture (3, H, W)."""
    transform = Compose(
        [
            Resize((224, 224), InterpolationMode.BICUBIC),
            ToTensor(),
            Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
        ]
    )
    return transform(Image.fromarray(image.permute(1, 2, 0).numpy()))


def noise(*size: int, count: int = 2) -> Tensor:
    return torch.randint(0, 256, (count, 3, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def saved(state: dict[str, Tensor], folder: Path) -> Path:
    torch.save(state, folder / "small.pth")
    return folder / "small.pth"


def load(weights: Path, precision: str = "fp32") -> DinoV2:
    return DinoV2.load(input="small", precision=precision, weights=weights)


@pytest.mark.parametrize("size", [(32, 32), (256, 256), (224, 224), (100, 300), (20, 500)])
def test_pixels_are_dgm_evals(size: tuple[int, int]) -> None:
    images = noise(*size)
    assert torch.equal(dinov2.preprocess(images), torch.stack([dgm_eval(image) for image in images]))


def test_features_are_facebooks(tmp_path: Path) -> None:
    state, images = facebook_state(), noise(60, 80, count=10)
    features = load(saved(state, tmp_path))(images, ["pool"])["pool"]
    expected = facebook(state, torch.stack([dgm_eval(image) for image in images]))
    assert features.shape == (10, 64)
    assert features.dtype == torch.float32
    torch.testing.assert_close(features, expected, rtol=1e-3, atol=1e-4)


def test_positions_are_resized_as_facebook_does_and_not_as_timm() -> None:
    from timm.layers import resample_abs_pos_embed

    positions = facebook_state()["pos_embed"]
    ours = dinov2.resize_positions(positions, 16)
    assert ours.shape == (1, 257, 64)
    torch.testing.assert_close(ours, facebook_positions(positions, 224, 224), rtol=0, atol=1e-6)
    timms = resample_abs_pos_embed(positions, [16, 16])
    assert (ours - timms).abs().mean() > 0.1
    exact = facebook_state(known=16)["pos_embed"]
    assert dinov2.resize_positions(exact, 16) is exact


def test_independence_of_the_batch(tmp_path: Path) -> None:
    extractor, images = load(saved(facebook_state(), tmp_path)), noise(64, 64, count=9)
    whole = extractor(images, ["pool"])["pool"]
    one_by_one = torch.cat([extractor(image[None], ["pool"])["pool"] for image in images])
    torch.testing.assert_close(one_by_one, whole, rtol=1e-3, atol=1e-4)


def test_what_describes_it(tmp_path: Path) -> None:
    extractor = load(saved(facebook_state(), tmp_path))
    assert DinoV2.inputs == ("l14", "b14")
    assert extractor.width("pool") == 64
    assert DinoV2.layers["pool"] == VARIANTS["l14"].width == 1024
    assert not extractor.training
    assert extractor.identity.extractor == "dinov2"
    assert extractor.identity.preprocess == "small,pil-bicubic-uint8-224x224,x/255,imagenet-mean-std"
    for variant in ("l14", "b14"):
        assert VARIANTS[variant].weights.urls[0].endswith(f"dinov2_vit{variant}/dinov2_vit{variant}_pretrain.pth")


@pytest.mark.parametrize(("variant", "name"), [("l14", "vit_large_patch14_dinov2"), ("b14", "vit_base_patch14_dinov2")])
def test_the_published_sizes_are_timms(variant: str, name: str) -> None:
    """No weights are made: shapes alone."""
    import timm

    with torch.device("meta"):
        ours, theirs = VARIANTS[variant].network(), timm.create_model(name, img_size=224)
    assert str(ours) == str(theirs)
    shapes = [{key: value.shape for key, value in one.state_dict().items()} for one in (ours, theirs)]
    assert shapes[0] == shapes[1]


def test_wrong_weights_and_precisions_are_refused(tmp_path: Path) -> None:
    state = facebook_state()
    with pytest.raises(UsageError, match="fp32 or tf32 only"):
        load(saved(state, tmp_path), "bf16")
    for fault, match in {
        "pos_embed": r"pos_embed has shape \(1, 100, 64\)",
        "norm.weight": r"norm\.weight has shape \(1, 100, 64\)",
    }.items():
        with pytest.raises(SetupError, match=match):
            load(saved(state | {fault: torch.zeros(1, 100, 64)}, tmp_path))
    with pytest.raises(SetupError, match=r"register_tokens does not belong"):
        load(saved(state | {"register_tokens": torch.zeros(1, 4, 64)}, tmp_path))
    with pytest.raises(SetupError, match="weights of another network"):
        DinoV2.load(input="b14", precision="fp32", weights=saved(state, tmp_path))


def test_a_file_without_a_published_hash_is_told_of_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENBENCH_OFFLINE", "1")
    dinov2._say_unverified.cache_clear()
    for _ in range(2):
        with pytest.raises(SetupError):
            DinoV2.load(input="b14", precision="fp32", weights=None)
    assert caplog.text.count("no published hash") == 1
