"""The training loop: what it updates, when it stops, and that an interrupted run ends as if nothing had happened."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from toys import POINTS, Duel, Exploding, Line, points

from genbench.batch import Batch
from genbench.errors import SetupError, UsageError
from genbench.models.base import GenerativeModel
from genbench.models.stages import Stage
from genbench.training.budget import Budget
from genbench.training.log import read_log
from genbench.training.loop import DivergedError, train
from genbench.training.processes import Processes

FAMILY = Path(__file__).parent


def new_duel() -> Duel:
    torch.manual_seed(7)
    return Duel(POINTS)


def state_of(model: GenerativeModel) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def test_same_seed_same_weights_and_another_seed_others() -> None:
    runs = []
    for seed in (0, 0, 1):
        model = new_duel()
        train(model, points(), budget=Budget(steps=21), seed=seed)
        runs.append(state_of(model))
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])
    assert not torch.equal(runs[0]["generator.0.weight"], runs[2]["generator.0.weight"])


def test_counts_of_stages_phases_and_images() -> None:
    model = new_duel()
    trained = train(model, points(), budget=Budget(steps=210))
    assert trained.stages["moments"].steps == 1
    assert trained.stages["duel"].steps == trained.stages["polish"].steps == 100
    assert model.turns == 200  # two critic turns per step
    assert trained.stages["duel"].images == 32 * (200 + 50)  # the generator has its turn every second step
    assert trained.used.steps == 201
    torch.testing.assert_close(model.mean, points().images.mean((0, 2, 3)))


def test_a_turn_changes_its_own_modules_only() -> None:
    """The last stage owns the generator: from its first line to its end the critic stays, and the generator does not."""
    model = new_duel()
    seen: dict[str, torch.Tensor] = {}

    def report(line: Mapping[str, Any]) -> None:
        if line["stage"] == "polish" and not seen:
            seen.update(state_of(model))

    train(model, points(), budget=Budget(steps=63), report=report)
    after = state_of(model)
    assert torch.equal(seen["critic.0.weight"], after["critic.0.weight"])
    assert not torch.equal(seen["generator.0.weight"], after["generator.0.weight"])
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())


def test_global_chance_is_left_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    model = new_duel()
    torch.manual_seed(3)
    train(model, points(), budget=Budget(steps=3))
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("budget", [Budget(seconds=0.3), Budget(images=5_000), Budget(steps=40)], ids=str)
def test_every_kind_of_budget_ends(budget: Budget) -> None:
    trained = train(new_duel(), points(), budget=budget)
    assert budget.progress(trained.used) == pytest.approx(1.0, abs=0.1)
    assert trained.used.cpu_seconds > 0


@pytest.mark.parametrize("given", [{}, {"steps": 0}, {"steps": 3, "seconds": 1.0}])
def test_a_budget_is_one_positive_number(given: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="seconds, steps or images"):
        Budget(**given)


def test_resumes_bit_for_bit_after_kill_9(tmp_path: Path) -> None:
    """A process is killed in the middle of a stage; the run that goes on ends with the weights of one that was not."""
    whole = new_duel()
    train(whole, points(), budget=Budget(steps=400), folder=tmp_path / "whole")
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "import torch\n"
        f"sys.path.insert(0, {str(FAMILY)!r})\n"
        "from toys import Duel, POINTS, points\n"
        "from genbench.training.budget import Budget\n"
        "from genbench.training.loop import train\n"
        "torch.set_num_threads(1); torch.manual_seed(7)\n"
        "def report(line):\n"
        "    if line['steps'] > int(sys.argv[2]): os.kill(os.getpid(), signal.SIGKILL)\n"
        "train(Duel(POINTS), points(), budget=Budget(steps=400), folder=Path(sys.argv[1]), checkpoint_every=0, report=report)\n"
    )
    for killed_at in (120, 300):
        command = [sys.executable, "-c", script, str(tmp_path / "killed"), str(killed_at)]
        killed = subprocess.run(command, capture_output=True, text=True, check=False)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert len(list((tmp_path / "killed/checkpoints").glob("*.json"))) == 2
    resumed, made = new_duel(), list[int]()
    where = tmp_path / "killed"
    trained = train(resumed, points(), budget=Budget(steps=400), folder=where, report=lambda line: made.append(line["steps"]))
    assert min(made) > 300 - 400 // 100  # it went on, and did not begin again
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name
    assert trained.used.steps == train(new_duel(), points(), budget=Budget(steps=400)).used.steps
    steps = [line["steps"] for line in read_log(tmp_path / "killed")]
    assert steps == [line["steps"] for line in read_log(tmp_path / "whole")]


def test_a_finished_run_is_not_repeated(tmp_path: Path) -> None:
    model = new_duel()
    train(model, points(), budget=Budget(steps=60), folder=tmp_path)
    again, made = new_duel(), list[int]()
    trained = train(again, points(), budget=Budget(steps=60), folder=tmp_path, report=lambda line: made.append(line["steps"]))
    assert not made
    assert torch.equal(again.generator[0].weight, model.generator[0].weight)
    assert trained.used.steps == 1 + 29 + 29


def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path) -> None:
    train(new_duel(), points(), budget=Budget(steps=60), folder=tmp_path, checkpoint_every=0)
    newest = max((tmp_path / "checkpoints").glob("*.safetensors"))
    newest.write_bytes(newest.read_bytes()[:100])
    whole, resumed = new_duel(), new_duel()
    train(whole, points(), budget=Budget(steps=60))
    made: list[int] = []
    train(resumed, points(), budget=Budget(steps=60), folder=tmp_path, report=lambda line: made.append(line["steps"]))
    assert len(made) == 1  # the checkpoint before the damaged one is a step older
    assert torch.equal(whole.generator[0].weight, resumed.generator[0].weight)


def test_another_run_in_the_folder_is_refused(tmp_path: Path) -> None:
    train(new_duel(), points(), budget=Budget(steps=30), folder=tmp_path)
    with pytest.raises(UsageError, match="30 steps there, 40 steps here"):
        train(new_duel(), points(), budget=Budget(steps=40), folder=tmp_path)
    with pytest.raises(UsageError, match="another data"):
        train(new_duel(), points(100), budget=Budget(steps=30), folder=tmp_path)
    with pytest.raises(UsageError, match="another loss: None there, minimax here"):
        train(new_duel(), points(), budget=Budget(steps=30), folder=tmp_path, facts={"loss": "minimax"})
    with pytest.raises(UsageError, match="another precision: fp32 there, bf16 here"):
        train(new_duel(), points(), budget=Budget(steps=30), folder=tmp_path, precision="bf16")


def test_a_loss_that_is_not_finite_stops_with_step_phase_and_checkpoint(tmp_path: Path) -> None:
    torch.manual_seed(0)
    with pytest.raises(DivergedError, match=r"step 5 of stage 'main', phase 'boom'; the last good checkpoint is 000000005"):
        train(Exploding(POINTS), points(), budget=Budget(steps=50), folder=tmp_path, checkpoint_every=0)


def test_validation_keeps_the_best_weights_apart() -> None:
    values = iter([5.0, 3.0, 1.0, 2.0, 4.0])
    seen: list[torch.Tensor] = []

    def validate(model: GenerativeModel) -> float:
        torch.rand(3)  # takes chance of its own
        seen.append(model.generator[0].weight.clone())
        return next(values)

    model, plain = new_duel(), new_duel()
    trained = train(model, points(), budget=Budget(steps=210), validate=validate)
    train(plain, points(), budget=Budget(steps=210))
    assert trained.best is not None
    assert trained.best.value == 1.0
    assert trained.best_weights is not None
    assert torch.equal(trained.best_weights["generator.0.weight"], seen[2])
    assert len(seen) == 5
    assert torch.equal(model.generator[0].weight, seen[-1])  # the averaged weights of the last step
    assert torch.equal(model.generator[0].weight, plain.generator[0].weight)  # validating changes nothing


def test_log_lines(tmp_path: Path) -> None:
    train(new_duel(), points(), budget=Budget(steps=42), folder=tmp_path)
    lines = read_log(tmp_path)
    assert {line["stage"] for line in lines} == {"moments", "duel", "polish"}
    duel = [line for line in lines if line["stage"] == "duel"]
    assert {"critic/loss", "critic/real", "generator/loss", "images_per_second", "cpu_seconds", "peak_memory"} <= set(duel[0])
    assert [line["steps"] for line in lines] == sorted(line["steps"] for line in lines)


def test_bf16_trains_too() -> None:
    model = new_duel()
    train(model, points(), budget=Budget(steps=21), precision="bf16")
    assert all(tensor.isfinite().all() for tensor in model.state_dict().values())
    assert model.generator[0].weight.dtype == torch.float32


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_autocast_is_off_where_gradients_are_differentiated(precision: Literal["fp32", "bf16"]) -> None:
    model = Line()
    train(model, points(), budget=Budget(steps=1), precision=precision)
    assert model.autocast == {"plain": precision == "bf16", "exact": False}


def test_two_processes_share_the_work(tmp_path: Path) -> None:
    """DistributedDataParallel over gloo: both ranks end with the same weights, trained on batches of the same total size."""
    script = tmp_path / "two.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "import torch\n"
        f"sys.path.insert(0, {str(FAMILY)!r})\n"
        "import os\n"
        "from toys import Duel, Line, points\n"
        "from genbench.training.budget import Budget\n"
        "from genbench.training.loop import train\n"
        "torch.set_num_threads(1)\n"
        "from genbench.training.processes import joined\n"
        "rank, found = os.environ['RANK'], {}\n"
        "with joined(torch.device('cpu')):\n"  # processes meet once
        "    for kind in (Duel, Line):\n"
        "        torch.manual_seed(int(rank))\n"  # different initial weights: the leader's count
        "        model = kind()\n"
        "        trained = train(model, points(), budget=Budget(steps=42), folder=Path(sys.argv[1]) / kind.__name__)\n"
        "        found[kind.__name__] = {'weights': model.state_dict(), 'images': trained.used.images}\n"
        "torch.save(found, Path(sys.argv[1]) / f'{rank}.pt')\n"
    )
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", script, tmp_path]
    words = [str(part) for part in command]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    ranks = [torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1)]
    for kind in (Duel, Line):
        torch.manual_seed(0)
        alone = kind()
        single = train(alone, points(), budget=Budget(steps=42))
        first, second = (rank[kind.__name__] for rank in ranks)
        for name, tensor in alone.state_dict().items():
            torch.testing.assert_close(first["weights"][name], second["weights"][name], msg=name)
            if kind is Line:  # without chance, half a batch each is the whole batch of one process
                torch.testing.assert_close(first["weights"][name], tensor, msg=name)
        assert first["images"] == single.used.images


def test_a_batch_that_cannot_be_divided_is_refused() -> None:
    Processes(rank=0, world=4).check_divides(64)
    with pytest.raises(UsageError, match="a batch of 64 cannot be divided among 3 processes"):
        Processes(rank=0, world=3).check_divides(64)


def test_weights_that_are_not_finite_are_never_kept(tmp_path: Path) -> None:
    """The loss is finite and its gradient is not: the checkpoint before stays the newest."""

    class Edge(Line):
        def stages(self) -> list[Stage]:
            return [Stage(phases=super().stages()[0].phases[:1])]  # one turn a step: no second loss to show it

        def loss(self, phase: str, batch: Batch) -> dict[str, torch.Tensor]:
            return {"loss": (self.line.weight * 0).abs().sqrt().sum()}  # the root's slope at 0 times 0

    with pytest.raises(DivergedError, match="weights are not finite after step 0"):
        train(Edge(), points(), budget=Budget(steps=5), folder=tmp_path, checkpoint_every=0)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_tensorboard_is_an_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "torch.utils.tensorboard", None)
        with pytest.raises(SetupError, match=r"needs the package tensorboard"):
            train(new_duel(), points(), budget=Budget(steps=3), folder=tmp_path, tensorboard=True)
    pytest.importorskip("tensorboard")
    train(new_duel(), points(), budget=Budget(steps=30), folder=tmp_path, tensorboard=True)
    assert list((tmp_path / "tensorboard").glob("events*"))
