"""Laws of the Inception extractor, without its published weights; parity with other tools is in tests/parity."""

from __future__ import annotations

import os
import pickle
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from genbench import catalog
from genbench.errors import SetupError, UsageError
from genbench.features._precision import computing
from genbench.features.inception import SIZE, Inception, resize_clean, resize_pytorch, resize_tf

random = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks/speed/random_inception.py"))
IMAGES: Tensor = random["random_images"](3, 32, seed=1)


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return random["random_state"](0)


@pytest.fixture(scope="module")
def weights(state: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("inception") / "random.pth"
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def inception(weights: Path) -> Inception:
    return Inception.load(input="tf", precision="fp32", weights=weights)


@pytest.fixture(scope="module")
def features(inception: Inception) -> dict[str, Tensor]:
    return inception(IMAGES, inception.layers)


def test_the_catalogue_finds_it() -> None:
    assert catalog.find("extractors", "inception") is Inception


def test_layers_have_their_shapes_and_differ_from_image_to_image(features: dict[str, Tensor]) -> None:
    for layer, width in Inception.layers.items():
        assert features[layer].shape == (3, width)
        assert features[layer].dtype == torch.float32
        assert not features[layer].requires_grad
        assert features[layer].std(0).mean() > 0.01 * features[layer].abs().mean()


def test_pooled_features_are_those_of_any_batch_size(
    inception: Inception, features: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = torch.cat([inception(image[None], ["pool"])["pool"] for image in IMAGES])
    torch.testing.assert_close(alone, features["pool"], rtol=1e-4, atol=1e-5)
    monkeypatch.setattr("genbench.features.inception.CPU_CHUNK", 2)
    torch.testing.assert_close(inception(IMAGES, ["pool"])["pool"], features["pool"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layers", [["64"], ["192", "64"], ["spatial"], ["768"]])
def test_stopping_early_gives_the_same_features(
    inception: Inception, features: dict[str, Tensor], layers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_far(_: Tensor) -> Tensor:
        raise AssertionError("the last blocks are not needed for these layers")

    monkeypatch.setattr(inception.network.Mixed_7a, "forward", too_far)
    early = inception(IMAGES, layers)
    assert list(early) == layers
    for layer in layers:
        assert torch.equal(early[layer], features[layer])


def test_logits_are_without_bias(features: dict[str, Tensor], state: dict[str, Tensor]) -> None:
    torch.testing.assert_close(features["logits"], features["pool"] @ state["fc.weight"].T)


def test_spatial_features_are_the_channels_of_each_pixel_in_turn(inception: Inception, features: dict[str, Tensor]) -> None:
    with torch.no_grad():
        x = resize_tf(IMAGES).contiguous(memory_format=torch.channels_last)
        maps = dict(inception.network.maps(x))
    values = features["spatial"].view(3, 17, 17, 7)
    torch.testing.assert_close(values[:, 5, 9, 3], maps["spatial"][:, 3, 5, 9], rtol=1e-4, atol=1e-5)


def test_bfloat16_is_near(weights: Path, features: dict[str, Tensor]) -> None:
    half = Inception.load(input="tf", precision="bf16", weights=weights)
    for layer, value in half(IMAGES, half.layers).items():
        assert value.dtype == torch.float32
        assert (value - features[layer]).abs().max() < 0.02 * features[layer].abs().max()
        assert not torch.equal(value, features[layer])
    assert half.identity.precision == "bf16"


def test_the_identity_names_input_and_weights(weights: Path, inception: Inception) -> None:
    from genbench.files import sha256

    assert inception.identity.weights_sha256 == sha256(weights)
    names = {Inception.load(input=name, precision="fp32", weights=weights).identity.preprocess for name in Inception.inputs}
    assert names == {
        "tf1-bilinear-299,(x-128)/128",
        "torch-bilinear-299,2*(x/255)-1",
        "pil-bicubic-299-float,clip(0,255),(x-128)/128",
    }


# How images come to 299x299


def tensorflow1(image: np.ndarray) -> np.ndarray:
    """ResizeBilinear of one (H, W) float32 image to 299x299, pixel by pixel in float32."""
    height, width = image.shape
    result = np.empty((SIZE, SIZE), np.float32)
    for i in range(SIZE):
        y = np.float32(i) * np.float32(height / SIZE)
        top, bottom = int(y), min(int(y) + 1, height - 1)
        for j in range(SIZE):
            x = np.float32(j) * np.float32(width / SIZE)
            left, right = int(x), min(int(x) + 1, width - 1)
            upper = image[top, left] + (image[top, right] - image[top, left]) * (x - np.float32(left))
            lower = image[bottom, left] + (image[bottom, right] - image[bottom, left]) * (x - np.float32(left))
            result[i, j] = upper + (lower - upper) * (y - np.float32(top))
    return result


@pytest.mark.parametrize("size", [(7, 32), (311, 300)])
def test_tf_resize_is_tensorflows_to_the_bit(size: tuple[int, int]) -> None:
    image = torch.randint(0, 256, (1, 3, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    expected = (tensorflow1(image[0, 1].float().numpy()) - 128) / 128
    assert np.array_equal(resize_tf(image)[0, 1].numpy(), expected)


@pytest.mark.parametrize(
    ("resize", "low", "high"), [(resize_tf, -1, 127 / 128), (resize_pytorch, -1, 1), (resize_clean, -1, 127 / 128)]
)
def test_an_image_of_the_right_size_is_only_normalised(resize: Any, low: float, high: float) -> None:
    image = torch.randint(0, 256, (1, 3, SIZE, SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    expected = image / 255 * (high - low) + low
    torch.testing.assert_close(resize(image), expected, rtol=0, atol=1e-6)
    for flat in (0, 255):
        image = torch.full((1, 3, 20, 30), flat, dtype=torch.uint8)
        torch.testing.assert_close(resize(image), torch.full((1, 3, SIZE, SIZE), float(high if flat else low)))


# Weights


def save(state: object, path: Path) -> Path:
    torch.save(state, path)
    return path


def load(path: Path) -> Inception:
    return Inception.load(input="tf", precision="fp32", weights=path)


def test_every_form_of_the_weights_file_gives_the_same_features(
    state: dict[str, Tensor], features: dict[str, Tensor], tmp_path: Path
) -> None:
    without_counters = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    save_file(without_counters, tmp_path / "w.safetensors")
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)  # as the published file
    for path in (tmp_path / "w.safetensors", tmp_path / "old.pth", save(without_counters, tmp_path / "w.pth")):
        assert torch.equal(load(path)(IMAGES[:1], ["64"])["64"], features["64"][:1])


def test_wrong_weights_name_the_first_wrong_key(state: dict[str, Tensor], tmp_path: Path) -> None:
    name = "Mixed_5b.branch1x1.conv.weight"
    missing = {key: value for key, value in state.items() if key != name}
    for content, message in [
        (missing, f"{name} is missing"),
        ({**state, name: torch.zeros(3)}, rf"{name} has shape \(3,\), needed is \(64, 192, 1, 1\)"),
        ({**state, name: state[name].long()}, f"{name} is torch.int64"),
        ({**state, "AuxLogits.fc.weight": torch.zeros(1)}, "AuxLogits.fc.weight does not belong"),
        ([1, 2], "no state dict"),
        ({"epoch": 3}, "no state dict"),
    ]:
        with pytest.raises(SetupError, match=message) as caught:
            load(save(content, tmp_path / "bad.pth"))
        assert caught.value.code == "E-WEIGHTS"
        assert "6726825d" in caught.value.hint


@pytest.mark.parametrize("name", ["page.pth", "page.safetensors"])
def test_a_file_that_is_no_weights_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"<html>Please log in</html>")
    with pytest.raises(SetupError, match="cannot be read as weights"):
        load(tmp_path / name)


class Payload:
    """Unpickled without care, it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_a_pickle_never_runs(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    (tmp_path / "plain.pth").write_bytes(pickle.dumps({"fc.weight": Payload(trap)}))
    torch.save({"fc.weight": Payload(trap)}, tmp_path / "zip.pth")
    torch.save({"fc.weight": Payload(trap)}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    for name in ("plain.pth", "zip.pth", "old.pth"):
        with pytest.raises(SetupError, match="cannot be read as weights"):
            load(tmp_path / name)
        assert not trap.exists()
    pickle.loads((tmp_path / "plain.pth").read_bytes())
    assert trap.exists()  # the trap works


# Precision


def test_tf32_is_refused_on_a_cpu(weights: Path) -> None:
    extractor = Inception.load(input="tf", precision="tf32", weights=weights)
    with pytest.raises(UsageError, match="tf32 is arithmetic of CUDA devices, and this runs on cpu"):
        extractor(IMAGES, ["64"])


def test_the_programs_own_switches_change_nothing_and_come_back(inception: Inception, features: dict[str, Tensor]) -> None:
    torch.set_float32_matmul_precision("medium")
    try:
        with torch.autocast("cpu", torch.bfloat16), torch.inference_mode():
            assert torch.equal(inception(IMAGES, ["pool"])["pool"], features["pool"])
        assert torch.get_float32_matmul_precision() == "medium"
        assert torch.backends.mkldnn.matmul.fp32_precision == "bf16"
        with computing("fp32", torch.device("cpu")):
            assert torch.backends.cudnn.conv.fp32_precision == torch.backends.cuda.matmul.fp32_precision == "ieee"
    finally:
        torch.set_float32_matmul_precision("highest")
