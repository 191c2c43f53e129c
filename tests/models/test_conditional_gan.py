"""The label reaches both networks, which is what makes the GAN a conditional one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from genbench.batch import Batch, Condition, DataSpec
from genbench.models.gan.conditional_gan import ConditionalGAN
from genbench.seeding import Noise

SPECS = [DataSpec(channels=1, height=8, width=8, classes=4), DataSpec(channels=2, height=1, width=1, levels=0, classes=4)]


def build(spec: DataSpec) -> ConditionalGAN:
    torch.manual_seed(0)
    return ConditionalGAN(spec, channels=8, latent=8, hidden=32).eval()


def labels(*values: int) -> Condition:
    return Condition(labels=torch.tensor(values))


@pytest.mark.parametrize("spec", SPECS)
def test_images_depend_on_the_label(spec: DataSpec) -> None:
    """One z, four labels: four images."""
    model = build(spec)
    images = torch.cat([model.sample(Noise(0, [0]), labels(label)) for label in range(4)]).flatten(1)
    assert torch.pdist(images).min() > 1e-3


@pytest.mark.parametrize("spec", SPECS)
def test_the_discriminator_depends_on_the_label(spec: DataSpec) -> None:
    """One image under four labels: four logits. With the label in the generator only, nothing would ask it to obey."""
    model = build(spec)
    x = torch.rand(1, *spec.shape).expand(4, *spec.shape)
    if spec.is_points:
        logits = model.judge(x, labels(0, 1, 2, 3))
    else:  # batch normalisation mixes the images of a batch: judge the label of the first among the same company
        company = torch.rand(3, *spec.shape)
        logits = torch.stack([model.judge(torch.cat([x[:1], company]), labels(label, 0, 0, 0))[0] for label in range(4)])
    assert logits.unique().numel() == 4
    assert torch.pdist(logits[:, None]).min() > 1e-5


def test_fakes_are_judged_under_the_label_they_were_made_with() -> None:
    """Both phases hand one condition to both networks."""
    model, made, judged = build(SPECS[0]), [], []
    from_latents, judge = model.from_latents, model.judge

    def noted_from_latents(z: Tensor, condition: Condition) -> Tensor:
        made.append(condition.labels)
        return from_latents(z, condition)

    def noted_judge(x: Tensor, condition: Condition) -> Tensor:
        judged.append(condition.labels)
        return judge(x, condition)

    model.from_latents, model.judge = noted_from_latents, noted_judge  # type: ignore[method-assign]
    batch = Batch(x=torch.rand(4, 1, 8, 8), condition=labels(3, 1, 2, 0))
    model.critic_loss(batch, 0.0)
    model.generator_loss(batch, 0.0)
    assert len(made) == 2
    assert len(judged) == 3
    assert all(torch.equal(seen, torch.tensor([3, 1, 2, 0])) for seen in made + judged)


def test_it_learns_to_obey() -> None:
    """Class k of the points lies at one of two places; after a short training samples of k lie there."""
    torch.manual_seed(0)
    model = ConditionalGAN(DataSpec(channels=2, height=1, width=1, levels=0, classes=2), hidden=32, latent=4)
    centers = torch.tensor([[-0.5, 0.0], [0.5, 0.0]])
    optimizers = {
        phase.name: torch.optim.Adam(phase.modules[0].parameters(), lr=5e-3, betas=(0.5, 0.999)) for phase in phases(model)
    }
    for _ in range(120):
        label = torch.randint(2, (64,))
        batch = Batch(x=(centers[label] + 0.05 * torch.randn(64, 2))[:, :, None, None], condition=Condition(labels=label))
        for phase in phases(model):
            model.zero_grad()
            phase.loss(batch, 0.0)["loss"].backward()
            optimizers[phase.name].step()
    samples = model.generate(100)  # labels 0, 1, 0, 1, ...
    assert float((samples[0::2, 0] < 0).float().mean()) > 0.9
    assert float((samples[1::2, 0] > 0).float().mean()) > 0.9


def phases(model: ConditionalGAN) -> tuple:
    return model.stages()[0].phases
