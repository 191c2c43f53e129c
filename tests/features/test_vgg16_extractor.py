"""Laws of the VGG16 extractor on random weights; parity with torch-fidelity is in tests/parity."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from genbench import catalog
from genbench.errors import SetupError
from genbench.features import vgg16
from genbench.features.base import Precision
from genbench.features.vgg16 import MEAN, STD, VGG16, preprocess


def images(count: int = 3, size: int = 40, seed: int = 1) -> Tensor:
    return torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def narrow_vgg(precision: Precision = "fp32") -> VGG16:
    """Of the same form, with few channels."""
    torch.manual_seed(0)
    convolutions = nn.Sequential(nn.Conv2d(3, 4, 3, stride=32), nn.ReLU(inplace=True))  # 7x7 places, as VGG16's
    head = [nn.Linear(196, 32), nn.ReLU(True), nn.Dropout(), nn.Linear(32, 32), nn.ReLU(True), nn.Dropout(), nn.Linear(32, 10)]
    return VGG16(convolutions, nn.Sequential(*head), precision=precision, weights_sha256="").eval()


@pytest.fixture
def extractor() -> VGG16:
    return narrow_vgg()


def test_the_catalogue_finds_it() -> None:
    assert catalog.find("extractors", "vgg16") is VGG16


def test_the_layers_are_the_second_linear_one_after_its_relu_and_the_last(extractor: VGG16) -> None:
    features = extractor(images(), ["pool", "logits"])
    classifier = extractor.classifier
    with torch.no_grad():
        x = extractor.convolutions(preprocess(images())).flatten(1)
        pool = classifier[3](classifier[0](x).relu()).relu()
        torch.testing.assert_close(features["pool"], pool)
        torch.testing.assert_close(features["logits"], classifier[6](pool))
    assert (features["pool"] >= 0).all()
    assert (features["pool"] == 0).any()
    assert list(extractor(images(), ["logits"])) == ["logits"]


def test_no_gradients_and_the_same_features_in_any_batch(extractor: VGG16, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = extractor(images(9), ["pool"])["pool"]
    assert whole.dtype == torch.float32
    assert not whole.requires_grad
    alone = torch.cat([extractor(image[None], ["pool"])["pool"] for image in images(9)])
    torch.testing.assert_close(alone, whole, rtol=1e-5, atol=1e-6)
    monkeypatch.setattr(vgg16, "CPU_CHUNK", 2)
    torch.testing.assert_close(extractor(images(9), ["pool"])["pool"], whole, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [20, 224, 300])
def test_flat_images_come_to_the_range_of_imagenet(size: int) -> None:
    for level in (0, 51, 255):
        flat = torch.full((1, 3, size, size), level, dtype=torch.uint8)
        expected = (level / 255 - torch.tensor(MEAN)) / torch.tensor(STD)
        torch.testing.assert_close(preprocess(flat)[0, :, 100, 17], expected)


def test_an_image_of_the_right_size_is_only_normalised() -> None:
    image = images(1, 224)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
    torch.testing.assert_close(preprocess(image), (image / 255 - mean) / std, rtol=1e-5, atol=1e-6)


def test_bfloat16_is_near_and_says_so() -> None:
    exact, half = narrow_vgg(), narrow_vgg("bf16")
    a, b = exact(images(), ["pool"])["pool"], half(images(), ["pool"])["pool"]
    assert b.dtype == torch.float32
    assert not torch.equal(a, b)
    assert (a - b).norm() < 0.02 * a.norm()
    assert exact.identity.difference(half.identity) == "precision: fp32 / bf16"


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "other.pth")
    with pytest.raises(SetupError, match=r"other\.pth holds weights of another network: features.0.bias is missing") as caught:
        VGG16.load(input="tf", precision="fp32", weights=tmp_path / "other.pth")
    assert "397923af" in caught.value.hint
