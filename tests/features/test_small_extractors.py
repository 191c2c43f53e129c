"""`tiny` and `pixels`: the same image gives the same features, whatever stands beside it and wherever it runs."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from genbench import catalog
from genbench.errors import SetupError, UsageError
from genbench.features.base import FeatureExtractor
from genbench.features.pixels import Pixels
from genbench.features.tiny import WEIGHTS, Tiny

# Features 0, 16, ..., 112 and logits 0, 5, 10, 15 of `waves(32)`, on a CPU of 2026. Another platform may differ by 1e-4.
GOLDEN_POOL = [0.494271, 0.155130, 0.025881, 0.533014, 0.057336, 0.357313, 0.159661, 0.010235]
GOLDEN_LOGITS = [1.971460, -0.195249, -0.836158, -1.017840]


def load(name: str, precision: str = "fp32") -> FeatureExtractor:
    extractor_class = catalog.find("extractors", name)
    return extractor_class.load(input=extractor_class.inputs[0], precision=precision, weights=None)


def waves(size: int, count: int = 4) -> Tensor:
    """uint8 (count, 3, size, size), the same on every machine: small whole numbers, no random generator."""
    i = torch.arange(count).view(-1, 1, 1, 1)
    c = torch.arange(3).view(1, -1, 1, 1)
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    return ((x * (3 + c + i) + y * (7 + 2 * i) + 40 * c + (x * y) % (5 + i) * 11) % 256).to(torch.uint8)


def as_tensor(images: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2)


@pytest.mark.parametrize("name", ["tiny", "pixels"])
@pytest.mark.parametrize("size", [8, 32, 50])
def test_shapes_and_independence_of_the_batch(name: str, size: int) -> None:
    extractor, images = load(name), waves(size, count=9)
    layers = list(extractor.layers)
    whole = extractor(images, layers)
    for layer, width in extractor.layers.items():
        assert whole[layer].shape == (9, width)
        assert whole[layer].dtype == torch.float32
        one_by_one = torch.cat([extractor(image[None], layers)[layer] for image in images])
        torch.testing.assert_close(one_by_one, whole[layer], rtol=1e-4, atol=1e-4)


def test_images_are_left_as_they_were() -> None:
    for name in ("tiny", "pixels"):
        images = waves(32)
        load(name)(images, ["pool"])
        assert torch.equal(images, waves(32))


def test_tiny_gives_the_features_it_gave_when_it_was_made() -> None:
    features = load("tiny")(waves(32), ["pool", "logits"])
    torch.testing.assert_close(features["pool"][0, ::16], torch.tensor(GOLDEN_POOL), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(features["logits"][0, ::5], torch.tensor(GOLDEN_LOGITS), rtol=1e-4, atol=1e-4)


def test_tiny_is_as_small_as_promised() -> None:
    extractor = load("tiny")
    assert sum(parameter.numel() for parameter in extractor.parameters()) <= 1_500_000
    assert WEIGHTS.stat().st_size <= 3 * 10**6
    card = (Path(__file__).parents[2] / "benchmarks" / "tiny_extractor" / "README.md").read_text()
    assert extractor.identity.weights_sha256 in card


def test_tiny_reads_digits_it_never_saw_in_either_polarity(digits: NDArray[np.uint8]) -> None:
    from sklearn.datasets import load_digits

    labels = torch.from_numpy(load_digits().target[:500]) + 10  # of 20 classes, the digits come second
    for images in (as_tensor(digits[:500]), 255 - as_tensor(digits[:500])):
        predicted = load("tiny")(images, ["logits"])["logits"].argmax(1)
        assert (predicted == labels).double().mean() > 0.9


def test_for_tiny_compression_is_small_beside_content(digits: NDArray[np.uint8]) -> None:
    def recompressed(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        buffer = io.BytesIO()
        Image.fromarray(image).resize((32, 32)).save(buffer, "JPEG", quality=80)
        return np.asarray(Image.open(buffer))

    extractor = load("tiny")
    plain = np.stack([np.asarray(Image.fromarray(image).resize((32, 32))) for image in digits[:100]])
    lossy = np.stack([recompressed(image) for image in digits[:100]])
    first, second = (extractor(as_tensor(images), ["pool"])["pool"] for images in (plain, lossy))
    assert (first - second).norm(dim=1).median() < 0.25 * torch.pdist(first).median()


def test_bf16_is_near_fp32_and_says_so(digits: NDArray[np.uint8]) -> None:
    exact, fast = load("tiny"), load("tiny", "bf16")
    a, b = (extractor(as_tensor(digits[:50]), ["pool"])["pool"] for extractor in (exact, fast))
    assert not torch.equal(a, b)
    assert (a - b).norm() < 0.05 * a.norm()
    assert exact.identity.difference(fast.identity) == "precision: fp32 / bf16"


def test_pixels_are_the_pixels() -> None:
    images = waves(8)
    expected = images.float().flatten(1) / 127.5 - 1
    torch.testing.assert_close(load("pixels")(images, ["pool"])["pool"], expected, rtol=0, atol=1e-6)
    with pytest.raises(UsageError, match="no weights"):
        Pixels.load(input="bilinear", precision="bf16", weights=None)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"stem.conv.weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(SetupError, match=r"other\.safetensors holds weights of another network"):
        Tiny.load(input="bilinear", precision="fp32", weights=tmp_path / "other.safetensors")
