"""`dinov2`: a vision transformer trained without labels, whose features rank generators more as people do than Inception's.

Sources: Oquab et al. 2023, https://arxiv.org/abs/2304.07193, for network and weights; Stein et al. 2023,
https://arxiv.org/abs/2306.04675, for its use as a measure, with dgm-eval's preparation of pictures: Pillow's bicubic filter to
224x224 pixels whatever the shape, whole levels, ImageNet's mean and spread. The network is timm's, without registers, computed
in float32; the features are the class token after the last normalisation.

The published position embeddings are of 37x37 patches, and here are 16x16. They are resized as Facebook's code does by
default, bicubic without antialiasing and with sampling points 37 / 16.1 apart; timm's own way, antialiased and 37 / 16 apart,
gives other features.

Variants: `l14` is ViT-L/14, which dgm-eval and EDM2 use; `b14` is ViT-B/14. Facebook publishes no hashes of these files: the
first download cannot be verified beyond its address and size, and later ones must bring the same. A log message says so.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache, partial
from math import isqrt
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genbench.assets import Asset, fetch
from genbench.errors import UsageError
from genbench.features._pillow import resize
from genbench.features._precision import computing
from genbench.features._weights import put_weights, read_weights
from genbench.features.base import FeatureExtractor, Precision

if TYPE_CHECKING:
    from timm.models.vision_transformer import VisionTransformer

log = logging.getLogger(__name__)

SIZE = 224  # pixels of each side that the network sees
PATCH = 14
OFFSET = 0.1  # patches that Facebook's code adds to the size of the grid that embeddings are resized to
CPU_CHUNK = 8  # images at a time on a CPU, however large the batch
MEAN = (0.485, 0.456, 0.406)  # of red, green and blue in [0, 1] in ImageNet, and their spread
STD = (0.229, 0.224, 0.225)


def _published(name: str, megabytes: int) -> Asset:
    url = f"https://dl.fbaipublicfiles.com/dinov2/{name}/{name}_pretrain.pth"
    return Asset(name=f"{name}_pretrain.pth", urls=(url,), sha256="", megabytes=megabytes)  # no hash is published


@dataclass(frozen=True, kw_only=True)
class Variant:
    """Size of a network: features, blocks, and heads of each block's attention."""

    width: int
    depth: int
    heads: int
    weights: Asset

    def network(self) -> VisionTransformer:
        """With random weights, for pictures of `SIZE`."""
        from timm.models.vision_transformer import VisionTransformer

        return VisionTransformer(
            img_size=SIZE,
            patch_size=PATCH,
            embed_dim=self.width,
            depth=self.depth,
            num_heads=self.heads,
            init_values=1.0,  # each branch has learned scales, which come with the weights
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
            num_classes=0,
        )


VARIANTS = {
    "l14": Variant(width=1024, depth=24, heads=16, weights=_published("dinov2_vitl14", 1218)),
    "b14": Variant(width=768, depth=12, heads=12, weights=_published("dinov2_vitb14", 346)),
}


def preprocess(images: Tensor) -> Tensor:
    """uint8 (N, 3, H, W) -> float32 (N, 3, 224, 224): stretched to a square, normalised channel by channel."""
    x = resize(images, (SIZE, SIZE)).float().div_(255)
    mean, std = (torch.tensor(numbers, device=x.device).view(3, 1, 1) for numbers in (MEAN, STD))
    return x.sub_(mean).div_(std)


def resize_positions(positions: Tensor, side: int) -> Tensor:
    """Embeddings (1, 1 + K * K, D) of the class token and of K x K patches -> (1, 1 + side * side, D), as Facebook does."""
    known = isqrt(positions.shape[1] - 1)
    if known == side:
        return positions
    grid = positions[:, 1:].float().unflatten(1, (known, known)).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, scale_factor=(side + OFFSET) / known, mode="bicubic")
    return torch.cat([positions[:, :1], grid.flatten(2).transpose(1, 2)], 1)


class DinoV2(FeatureExtractor):
    """uint8 (N, 3, H, W) of any size -> "pool", the class token of the last block, normalised."""

    layers: ClassVar = {"pool": 1024}
    inputs: ClassVar = tuple(VARIANTS)
    download: ClassVar = True

    def __init__(self, network: VisionTransformer, *, input: str, precision: Precision, weights_sha256: str) -> None:
        _refuse_bf16(precision)
        self.variant = VARIANTS[input]
        super().__init__(
            input=input,
            precision=precision,
            weights_sha256=weights_sha256,
            preprocess=f"{input},pil-bicubic-uint8-{SIZE}x{SIZE},x/255,imagenet-mean-std",
        )
        self.network = network

    @classmethod
    def load(cls, *, input: str, precision: Precision, weights: Path | None) -> DinoV2:
        """`weights`: a state dict with Facebook's names, of position embeddings on any square grid."""
        _refuse_bf16(precision)  # before a long download
        variant = VARIANTS[input]
        if weights is None and not variant.weights.sha256:
            _say_unverified(variant.weights.name)
        path, sha256 = fetch(variant.weights, weights=weights)
        hint = f"needed is {variant.weights.urls[0]}"
        state = dict(read_weights(path, hint=hint))
        state.pop("mask_token", None)  # for patches that are hidden in training
        positions = state.get("pos_embed")
        if positions is not None and positions.ndim == 3 and isqrt(positions.shape[1] - 1) ** 2 == positions.shape[1] - 1:
            state["pos_embed"] = resize_positions(positions, SIZE // PATCH)
        network = variant.network()
        put_weights(network, state, path, hint=hint)
        return cls(network, input=input, precision=precision, weights_sha256=sha256).eval()

    def width(self, layer: str) -> int:
        return {"pool": self.variant.width}[layer]

    def forward(self, images: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        with computing(self.identity.precision, images.device):
            parts = images.split(CPU_CHUNK if images.is_cpu else len(images))
            pool = torch.cat([self.network.forward_features(preprocess(part))[:, 0] for part in parts])
        return {layer: {"pool": pool}[layer] for layer in layers}


@lru_cache
def _say_unverified(name: str) -> None:
    """Once for each file."""
    log.warning("%s has no published hash to verify it by; what the first download brings is remembered", name)


def _refuse_bf16(precision: Precision) -> None:
    if precision == "bf16":
        raise UsageError("E-PRECISION", "dinov2 computes in fp32 or tf32 only", hint="leave --precision out, or use fp32")
