from collections.abc import Callable

import torch
from torch import nn
from torch.nn.functional import softplus

from genpipe.config.training import Optim
from genpipe.interfaces.generative import Generative
from genpipe.interfaces.phases import Batch
from genpipe.interfaces.spec import DataSpec
from genpipe.models.cgan import CGAN
from genpipe.models.dcgan import DCGAN

SPEC = DataSpec(1, 16, 16, ("a", "b", "c"))
SMALL = {"latent_dim": 5, "generator_channels": 4, "discriminator_channels": 4}


def test_it_draws_the_class_that_is_asked_for(taught: Callable[..., Generative]) -> None:
    model = taught(CGAN, SMALL, steps=60, optim=Optim(lr=2e-3, betas=(0.5, 0.999)))
    assert isinstance(model, CGAN)
    y = torch.arange(40) % 2
    with torch.inference_mode():
        gray = model.sample_of(y, torch.Generator().manual_seed(0)).mean((1, 2, 3))
    assert ((gray > 0) == (y == 1)).float().mean() > 0.95


def test_its_nets_are_those_of_dcgan_with_labels_at_their_inputs() -> None:
    def kernels(module: nn.Module) -> list[tuple[int, ...]]:
        return [tuple(m.weight.shape) for m in module.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]

    ours, theirs = CGAN(CGAN.Config(**SMALL), SPEC), DCGAN(DCGAN.Config(**SMALL), SPEC)
    (g, *g_rest), (d, *d_rest) = kernels(ours.generator), kernels(ours.discriminator)
    (g_plain, *g_plain_rest), (d_plain, *d_plain_rest) = kernels(theirs.generator), kernels(theirs.discriminator)
    assert (g_rest, d_rest) == (g_plain_rest, d_plain_rest)
    assert g == (g_plain[0] + 3, *g_plain[1:]), "transposed kernels have their inputs first"
    assert d == (d_plain[0], d_plain[1] + 3, *d_plain[2:])


def test_real_and_generated_images_are_judged_with_the_same_labels() -> None:
    """Against the definition, with a D whose logit is ten times the label plus the mean of the image."""
    model = CGAN(CGAN.Config(**SMALL), SPEC).eval()
    y = torch.tensor([0, 1, 2, 1])
    model.generator.forward = lambda z, y: torch.full((len(z), *SPEC.shape), -0.5) + y[:, None, None, None]
    model.discriminator.forward = lambda x, y: (x.mean((1, 2, 3)) + 10 * y)[:, None]
    loss, _ = model.discriminator_loss(Batch(torch.zeros(4, *SPEC.shape), y))
    torch.testing.assert_close(loss, softplus(-10.0 * y).mean() + softplus(11 * y - 0.5).mean())
    torch.testing.assert_close(
        model.generator_loss(Batch(torch.zeros(4, *SPEC.shape), y))[0], softplus(0.5 - 11 * y).mean()
    )
