"""The parts of the loop: stream, average, learning rate, noise, saved models."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from toys import POINTS, Duel, Line

from genbench.batch import Condition, Examples
from genbench.errors import DataError, UsageError
from genbench.models.stages import Recipe
from genbench.seeding import Noise
from genbench.training.average import RAMP, WeightAverage
from genbench.training.budget import Budget, Clock
from genbench.training.saved import build_model, load_model, save_model
from genbench.training.stream import Stream
from genbench.training.turn import lr_scale, make_optimizer


def numbered(n: int, sources: bool = False) -> Examples:
    values = torch.arange(n, dtype=torch.float32).reshape(n, 1, 1, 1)
    return Examples(images=values, labels=torch.arange(n), sources=values.to(torch.uint8) if sources else None)


def drawn(stream: Stream, batches: int) -> list[int]:
    return [int(value) for _ in range(batches) for value in next(stream).x.flatten()]


def test_an_epoch_holds_every_example_once_and_batches_are_full() -> None:
    values = drawn(Stream(numbered(10), 4, seed=0), 5)
    assert len(values) == 20
    assert sorted(values[:10]) == sorted(values[10:]) == list(range(10))
    assert values[:10] != values[10:] != list(range(10))


def test_a_batch_may_be_larger_than_the_examples() -> None:
    assert sorted(drawn(Stream(numbered(3), 7, seed=0), 1)[:6]) == [0, 0, 1, 1, 2, 2]


def test_position_is_all_a_stream_remembers() -> None:
    first, second = Stream(numbered(10), 4, seed=5), Stream(numbered(10), 4, seed=5)
    values = drawn(first, 6)
    second.position = 12
    assert drawn(second, 3) == values[12:]


def test_processes_share_a_batch_without_overlap() -> None:
    whole = drawn(Stream(numbered(12), 6, seed=1), 2)
    parts = [drawn(Stream(numbered(12), 6, seed=1, rank=rank, world=2), 2) for rank in (0, 1)]
    assert sorted(parts[0] + parts[1]) == sorted(whole)
    assert not set(parts[0][:3]) & set(parts[1][:3])


def test_labels_stay_with_their_images_and_unpaired_sources_do_not() -> None:
    paired = next(Stream(numbered(100, sources=True), 50, seed=0))
    unpaired = next(Stream(numbered(100, sources=True), 50, seed=0, unpaired=True))
    sources = (paired.condition.sources + 1) * 127.5
    torch.testing.assert_close(sources, paired.x)
    assert torch.equal(paired.condition.labels, paired.x.flatten().long())
    assert ((unpaired.condition.sources + 1) * 127.5 - unpaired.x).abs().max() > 1


def test_the_half_life_is_ramped_in_images() -> None:
    """Half-life min(H, 5 % of the images seen): after n images the decay of a step of b images is 0.5 ** (b / half-life)."""
    model = Duel(POINTS)
    average = WeightAverage(model, half_life=1_000)
    start = average.model.critic[0].weight.clone()
    with torch.no_grad():
        model.critic[0].weight.add_(1.0)
    average.update(images_seen=2_000, new_images=64)
    expected = start + (1 - 0.5 ** (64 / (RAMP * 2_000)))
    torch.testing.assert_close(average.model.critic[0].weight, expected)
    before = average.model.critic[0].weight.clone()
    average.update(images_seen=1_000_000, new_images=500)  # beyond the ramp: half a half-life
    torch.testing.assert_close(average.model.critic[0].weight, before + (start + 1 - before) * (1 - 0.5**0.5))


def test_a_short_run_forgets_its_random_start() -> None:
    """The fixed decay 0.9999 of the papers would keep 61 % of it after 5,000 steps; the ramp keeps next to nothing."""
    model = Line()
    torch.nn.init.ones_(model.line.weight)
    average = WeightAverage(model, half_life=500_000)
    torch.nn.init.zeros_(model.line.weight)
    for step in range(5_000):
        average.update(images_seen=64 * (step + 1), new_images=64)
    assert 0.9999**5_000 > 0.6
    assert float(average.model.line.weight.max()) < 1e-6


def test_buffers_are_copied() -> None:
    model = Duel(POINTS)
    average = WeightAverage(model, half_life=1_000)
    model.mean.fill_(3.0)
    average.update(images_seen=64, new_images=64)
    assert torch.equal(average.model.mean, model.mean)


def test_warmup_is_never_longer_than_a_twentieth_of_the_budget() -> None:
    recipe = Recipe(warmup=5_000)
    assert lr_scale(recipe, 0.0, 0) == pytest.approx(1 / 5_000)
    assert lr_scale(recipe, 0.025, 10) == pytest.approx(0.5)
    assert lr_scale(recipe, 0.05, 20) == 1.0
    assert lr_scale(Recipe(warmup=10), 0.001, 20) == 1.0


def test_decays_end_at_zero() -> None:
    assert lr_scale(Recipe(decay="linear"), 0.25, 9) == 0.75
    assert lr_scale(Recipe(decay="cosine"), 0.5, 9) == pytest.approx(0.5)
    assert lr_scale(Recipe(decay="cosine"), 1.0, 9) == pytest.approx(0.0)
    assert lr_scale(Recipe(), 0.9, 9) == 1.0


def test_optimizers_are_what_the_recipe_says() -> None:
    parameters = [nn.Parameter(torch.zeros(2))]
    assert type(make_optimizer(parameters, Recipe())) is torch.optim.Adam
    assert type(make_optimizer(parameters, Recipe(weight_decay=0.1))) is torch.optim.AdamW
    assert type(make_optimizer(parameters, Recipe(optimizer="rmsprop"))) is torch.optim.RMSprop


def test_parts_of_a_budget() -> None:
    assert Budget(steps=100).part(0.25) == Budget(steps=25)
    assert Budget(seconds=10).part(0.5).progress(Clock(seconds=2.5)) == 0.5
    assert Budget(images=10).progress(Clock(images=99)) == 1.0


def test_noise_belongs_to_the_index() -> None:
    together, alone = Noise(0, range(5)), Noise(0, [3])
    for draw in ("normal", "uniform"):
        assert torch.equal(getattr(together, draw)(2, 7)[3:4], getattr(alone, draw)(2, 7))
    logits = torch.zeros(5, 4, 6)
    assert torch.equal(together.categorical(logits)[3:4], alone.categorical(logits[:1]))
    assert not torch.equal(Noise(1, [3]).normal(4), Noise(0, [3]).normal(4))
    assert not torch.equal(Noise(0, [4]).normal(4), Noise(0, [3]).normal(4))


def test_noise_has_the_distribution_it_says() -> None:
    noise = Noise(0, range(4_000))
    normal, uniform = noise.normal(4), noise.uniform(4)
    assert abs(float(normal.mean())) < 0.03
    assert abs(float(normal.std()) - 1) < 0.03
    assert abs(float(uniform.mean()) - 0.5) < 0.02
    assert float(uniform.min()) >= 0
    probabilities = torch.tensor([0.1, 0.2, 0.7])
    counts = torch.bincount(noise.categorical(probabilities.log().expand(4_000, 3)), minlength=3) / 4_000
    torch.testing.assert_close(counts, probabilities, atol=0.03, rtol=0)


def test_generate_does_not_depend_on_the_batch_size() -> None:
    model = Duel(POINTS)
    whole = model.generate(10, seed=3, batch_size=10)
    torch.testing.assert_close(model.generate(10, seed=3, batch_size=3), whole)
    torch.testing.assert_close(model.generate(4, seed=3, first=6), whole[6:])
    assert model.training  # as it was before


def test_an_unknown_knob_is_no_silent_default() -> None:
    with pytest.raises(UsageError, match=r"no knobs? of Duel named 'temperatur'"):
        Duel(POINTS).generate(2, knobs={"temperatur": 0.5})


def test_a_condition_goes_to_its_own_sample() -> None:
    class Echo(Duel):
        task = "paired"

        def sample(self, noise: Noise, condition: Condition, **knobs: float) -> torch.Tensor:
            return condition.sources

    sources = torch.arange(7.0).reshape(7, 1, 1, 1)
    assert torch.equal(Echo(POINTS).generate(7, condition=Condition(sources=sources), batch_size=3), sources)
    with pytest.raises(ValueError, match="pass condition="):
        Echo(POINTS).generate(7)


def test_a_saved_model_is_the_same_model(tmp_path: Path) -> None:
    model = Duel(POINTS)
    save_model(tmp_path, model, name="toys:Duel", args={})
    assert torch.equal(load_model(tmp_path).generate(4), model.generate(4))


def test_errors_of_saved_models_teach(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        load_model(tmp_path / "nowhere")
    with pytest.raises(DataError, match="holds no trained model"):
        load_model(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(DataError, match="is not finished"):
        load_model(tmp_path)
    save_model(tmp_path, Duel(POINTS), name="toys:Duel", args={})
    (tmp_path / "model.safetensors").write_bytes(b"half")
    with pytest.raises(DataError, match="cannot be read"):
        load_model(tmp_path)
    with pytest.raises(UsageError, match="did you mean"):
        build_model("gmn", POINTS, {})
    with pytest.raises(UsageError, match=r"no arguments? of toys:Duel"):
        build_model("toys:Duel", POINTS, {"widht": 3})
