"""Good, slightly worse and clearly worse samples of digits, and what `genbench check` says to each.

    python benchmarks/check/three_doses.py [FOLDER] [--seed 0]

The 1,797 digits are dealt into a reference, a baseline and a fresh set of the same size: a generator that has not changed. Two
doses of noise make it slightly and clearly worse. Then values that are no numbers, and a result of another protocol.
Prints every command, what it says and its exit status. About 5 s on one core.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genbench.cli import run
from genbench.data.sets.digits import Digits

METRICS = "fd@tiny,kd@tiny,precision@tiny"
SLIGHT, CLEAR = 0.12, 0.3  # of noise, whose share replaces that of the image
POLICY = """\
[check]
alpha = 0.01

[[check.gate]]
metric = "fd@tiny"
max_increase = 0.4

[[check.gate]]
metric = "precision@tiny"
max_decrease = 0.08
"""


def digits() -> NDArray[np.uint8]:
    """All digits, uint8 (1797, 8, 8, 3)."""
    dataset = Digits()
    parts = [dataset.images(split) for split in dataset.splits]
    pixels = [part.read(i) for part in parts for i in range(len(part))]
    return np.stack(pixels).transpose(0, 2, 3, 1)


def noisy(images: NDArray[np.uint8], share: float, chance: np.random.Generator) -> NDArray[np.uint8]:
    """The images mixed with uniform noise."""
    noise = chance.uniform(0, 255, (*images.shape[:3], 1))
    return np.round((1 - share) * images + share * noise).astype(np.uint8)


def make(folder: Path, seed: int) -> None:
    """Write the sets and the policy."""
    chance = np.random.default_rng(seed)
    dealt = digits()
    reference, baseline, fresh = np.split(dealt[chance.permutation(len(dealt))], 3)
    sets = {
        "reference": reference,
        "baseline": baseline,
        "good": fresh,
        "slightly-worse": noisy(fresh, SLIGHT, chance),
        "clearly-worse": noisy(fresh, CLEAR, chance),
    }
    for name, images in sets.items():
        np.save(folder / f"{name}.npy", images)
    broken = fresh.astype(np.float32) / 255
    broken[7] = np.nan
    np.save(folder / "no-numbers.npy", broken)
    (folder / "genbench.toml").write_text(POLICY)


def commands() -> list[tuple[str, tuple[int, ...]]]:
    """Each with the exit statuses that are right."""
    measure = "evaluate {}.npy --ref reference.npy -q --metrics {} -o {}"
    return [
        (measure.format("baseline", METRICS, "base"), (0,)),
        ("check base --update-baseline --reason first", (0,)),
        ("check good.npy --ref reference.npy -q", (0,)),
        ("check good.npy --ref reference.npy -q --strict", (0,)),
        ("check slightly-worse.npy --ref reference.npy -q", (0,)),
        ("check slightly-worse.npy --ref reference.npy -q --strict", (0, 4)),
        ("check clearly-worse.npy --ref reference.npy -q --worst worst.png", (1,)),
        ("check no-numbers.npy --ref reference.npy -q --value-range 0,1", (5,)),
        (measure.format("good", "fd@tiny,prdc@tiny:k3", "other"), (0,)),
        ("check other", (3,)),
    ]


def show(folder: Path, seed: int) -> bool:
    """Run everything in `folder`; whether each exit status is right."""
    make(folder, seed)
    os.chdir(folder)
    right = True
    for command, expected in commands():
        print(f"$ genbench {command}", flush=True)
        status = run(command.split())
        print(f"exit {status}{'' if status in expected else f', which should be one of {expected}'}\n", flush=True)
        right &= status in expected
    return right


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        right = show(folder, arguments.seed)
        os.chdir("/")
    raise SystemExit(not right)


if __name__ == "__main__":
    main()
