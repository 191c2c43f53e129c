"""Train `tiny`, the extractor that ships with genbench: 20 classes, CIFAR-10's and MNIST's, in one small network.

    python benchmarks/tiny_extractor/train.py --data-root DATA -o genbench/features/tiny.safetensors

DATA holds `cifar10-jpeg-train.zip`, `cifar10-jpeg-test.zip` (class/number.jpg, 32x32, JPEG quality 75: lossy copies, not
CIFAR-10's own pixels) and `MNIST/raw/` (the original idx files). About 45 minutes on two CPU cores with bfloat16.

What the network must not find foreign, and what the recipe does about it:
  PNG and JPEG           a third of the images are compressed once more at a random quality
  8x8 digits, upscaled   digits are cropped to their ink and reduced to 6..16 pixels before they are enlarged
  inverted polarity      half of the digits are black on white
"""

from __future__ import annotations

import argparse
import io
import json
import os
import time
import zipfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file
from sklearn.datasets import load_digits
from torch import Tensor
from torchvision.datasets import MNIST

from genbench.features.tiny import TinyNet, preprocess
from genbench.nn.conv_norm import fold_batch_norm

CIFAR_CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def load_cifar(path: Path) -> tuple[Tensor, Tensor]:
    """uint8 (N, 3, 32, 32) and class 0..9, in the order of the names in the archive."""
    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        images = [np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("RGB")) for name in names]
    labels = [CIFAR_CLASSES.index(name.split("/")[-2]) for name in names]
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous(), torch.tensor(labels)


def load_mnist(root: Path, train: bool) -> tuple[Tensor, Tensor]:
    """uint8 (N, 3, 28, 28) and class 10..19."""
    data = MNIST(root, train=train)
    return data.data[:, None].expand(-1, 3, -1, -1).contiguous(), data.targets + 10


def recompress(images: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """Send a share of uint8 (N, 3, H, W) through JPEG at a quality between 50 and 95."""
    images = images.clone()
    for i in np.flatnonzero(rng.random(len(images)) < share):
        buffer = io.BytesIO()
        Image.fromarray(images[i].permute(1, 2, 0).numpy()).save(buffer, "JPEG", quality=int(rng.integers(50, 96)))
        images[i] = torch.from_numpy(np.array(Image.open(buffer))).permute(2, 0, 1)
    return images


def resize(images: Tensor, size: int) -> Tensor:
    resized = F.interpolate(images.float(), (size, size), mode="bilinear", antialias=True, align_corners=False)
    return resized.round().clamp(0, 255).to(torch.uint8)


def augment_photos(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Shift by up to 4 pixels, mirror, and now and then lose colour or resolution; uint8 (N, 3, 32, 32)."""
    n = len(images)
    padded = F.pad(images.float(), (4, 4, 4, 4), mode="reflect").to(torch.uint8)
    top, left = torch.from_numpy(rng.integers(0, 9, (2, n)))
    rows = (top[:, None] + torch.arange(32))[:, None, :, None]
    columns = (left[:, None] + torch.arange(32))[:, None, None, :]
    images = padded[torch.arange(n)[:, None, None, None], torch.arange(3)[None, :, None, None], rows, columns]
    mirrored = torch.from_numpy(rng.random(n) < 0.5)
    images[mirrored] = images[mirrored].flip(3)
    grey = torch.from_numpy(rng.random(n) < 0.05)
    images[grey] = images[grey].float().mean(1, keepdim=True).round().to(torch.uint8).expand(-1, 3, -1, -1)
    blurred = torch.from_numpy(rng.random(n) < 0.1)
    images[blurred] = resize(resize(images[blurred], int(rng.integers(14, 29))), 32)
    return recompress(images, 0.2, rng)


def augment_digits(images: Tensor, rng: np.random.Generator) -> Tensor:
    """Turn, zoom between the whole frame and the ink, reduce and enlarge, invert; uint8 (N, 3, 28, 28) -> (N, 3, 32, 32)."""
    n = len(images)
    angle = torch.from_numpy(rng.uniform(-0.2, 0.2, n)).float()
    zoom_x, zoom_y = torch.from_numpy(rng.uniform(0.62, 1.1, n)).float(), torch.from_numpy(rng.uniform(0.95, 1.05, n)).float()
    shift = torch.from_numpy(rng.uniform(-0.12, 0.12, (n, 2))).float()
    cos, sin = angle.cos() * zoom_x, angle.sin() * zoom_x
    theta = torch.stack(
        [torch.stack([cos, -sin, shift[:, 0]], 1), torch.stack([sin * zoom_y, cos * zoom_y, shift[:, 1]], 1)], 1
    )
    turned = F.grid_sample(images.float(), F.affine_grid(theta, [n, 3, 28, 28], align_corners=False), align_corners=False)
    images = turned.round().clamp(0, 255).to(torch.uint8)
    coarse = torch.from_numpy(rng.random(n) < 0.35)
    fine = torch.empty((n, 3, 32, 32), dtype=torch.uint8)
    fine[~coarse] = resize(images[~coarse], 32)
    fine[coarse] = resize(resize(images[coarse], int(rng.integers(6, 17))), 32)
    inverted = torch.from_numpy(rng.random(n) < 0.5)
    fine[inverted] = 255 - fine[inverted]
    return recompress(fine, 0.3, rng)


@torch.inference_mode()
def accuracy(network: TinyNet, images: Tensor, labels: Tensor) -> float:
    predicted = torch.cat([network(preprocess(batch))[1].argmax(1) for batch in images.split(500)])
    return float((predicted == labels).double().mean())


def shipped(network: TinyNet) -> TinyNet:
    """What users load: normalisation folded, weights rounded to half precision, arithmetic in float32."""
    copy = TinyNet()
    copy.load_state_dict(network.state_dict())
    return fold_batch_norm(copy).half().float()


def train(root: Path, epochs: int, seed: int) -> tuple[TinyNet, dict[str, float]]:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    photos, photo_labels = load_cifar(root / "cifar10-jpeg-train.zip")
    digits, digit_labels = load_mnist(root, train=True)
    photos_per_batch, digits_per_batch = 200, 56
    steps = len(photos) // photos_per_batch
    network = TinyNet().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.3, epochs * steps, pct_start=0.2)
    for epoch in range(epochs):
        network.train()
        started, total = time.perf_counter(), 0.0
        photo_order, digit_order = rng.permutation(len(photos)), rng.permutation(len(digits))
        for step in range(steps):
            p = photo_order[step * photos_per_batch : (step + 1) * photos_per_batch]
            d = digit_order[step * digits_per_batch : (step + 1) * digits_per_batch]
            batch = torch.cat([augment_photos(photos[p], rng), augment_digits(digits[d], rng)])
            labels = torch.cat([photo_labels[p], digit_labels[d]])
            with torch.autocast("cpu", torch.bfloat16):
                logits = network(preprocess(batch).contiguous(memory_format=torch.channels_last))[1]
            loss = F.cross_entropy(logits.float(), labels, label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1}/{epochs} loss {total / steps:.3f} {time.perf_counter() - started:.0f} s", flush=True)
        if (epoch + 1) % 5 == 0 or epoch + 1 == epochs:
            scores = evaluate(shipped(network), root)
            print(json.dumps(scores), flush=True)
    return shipped(network), scores


def evaluate(network: TinyNet, root: Path) -> dict[str, float]:
    """Accuracy among all 20 classes. The 8x8 digits of scikit-learn are never trained on."""
    mnist, mnist_labels = load_mnist(root, train=False)
    small = load_digits()
    eight = torch.from_numpy(np.round(small.images * 255 / 16)).to(torch.uint8)[:, None].expand(-1, 3, -1, -1)
    eight_labels = torch.from_numpy(small.target) + 10
    return {
        "cifar10-jpeg/test": accuracy(network, *load_cifar(root / "cifar10-jpeg-test.zip")),
        "mnist/test": accuracy(network, mnist, mnist_labels),
        "mnist/test inverted": accuracy(network, 255 - mnist, mnist_labels),
        "digits (8x8)": accuracy(network, eight, eight_labels),
        "digits (8x8) inverted": accuracy(network, 255 - eight, eight_labels),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=36)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    network, scores = train(options.data_root, options.epochs, options.seed)
    save_file({name: value.half().contiguous() for name, value in network.state_dict().items()}, options.out)
    print(json.dumps(scores, indent=2))


if __name__ == "__main__":
    main()
