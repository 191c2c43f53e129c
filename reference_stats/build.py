"""Build the statistics that travel with genbench, and their index.

    python reference_stats/build.py --data-root DATA

DATA holds `MNIST/raw` and `cifar10-jpeg-{train,test}.zip`; digits come with scikit-learn. Six files of at most 3 MB: the
moments of all images under `tiny`, and the features of at most 5,000 of them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from genbench import files
from genbench.cli import run
from genbench.evaluation import statistics

HERE = Path(__file__).parent
DATASETS = ("digits", "mnist", "cifar10-jpeg")
ENTRY = """[[statistics]]
dataset = "{dataset}"
extractor = "tiny"
layer = "pool"
file = "{file}"
n = {n}
n_features = {n_features}
sha256 = "{sha256}"
command = "genbench stats build {dataset} --extractor tiny --max-features 5000"
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True)
    root = parser.parse_args().data_root
    entries = []
    for dataset in (f"{name}/{split}" for name in DATASETS for split in ("train", "test")):
        path = HERE / f"{dataset.replace('/', '-')}@tiny.safetensors"
        arguments = ["stats", "build", dataset, "--extractor", "tiny", "--max-features", "5000"]
        if run([*arguments, "--data-root", str(root), "--batch-size", "256", "-o", str(path)]):
            raise SystemExit(f"{dataset} failed")
        header = statistics.load(path).header
        assert header is not None
        counts = {"n": header.images.n, "n_features": header.n_features}
        entries.append(ENTRY.format(dataset=dataset, file=path.name, sha256=files.sha256(path), **counts))
    text = "# Written by build.py. Each file holds one layer's moments, their factor and a sample of features.\n\n"
    files.write_atomic(HERE / "index.toml", text + "\n".join(entries))


if __name__ == "__main__":
    main()
