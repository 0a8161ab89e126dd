"""SPADE, SRGAN and inpainting: what is their own beside the game with patches."""

from typing import Any

import pytest
import torch
from torch import Tensor

from genpipe.errors import Unsuitable
from genpipe.extractors.pixels import Pixels
from genpipe.interfaces.features import HasFeatures
from genpipe.interfaces.phases import Batch
from genpipe.interfaces.spec import DataSpec, FieldSpec
from genpipe.models.inpaint_gan import InpaintGAN
from genpipe.models.spade import SPADE
from genpipe.models.srgan import SRGAN, content_error

SMALL: dict[str, Any] = {"generator_channels": 4, "discriminator_channels": 4}
MAP = FieldSpec("label_map", (16, 16), 3)


def spade(**knobs: Any) -> SPADE:
    torch.manual_seed(0)
    return SPADE(SPADE.Config(**SMALL, latent_dim=3, **knobs), DataSpec(3, 16, 16, fields={"label_map": MAP})).eval()


def srgan(shape: tuple[int, int, int] = (3, 4, 4), **knobs: Any) -> SRGAN:
    spec = DataSpec(3, 16, 16, fields={"low_resolution": FieldSpec("image", shape)})
    return SRGAN(SRGAN.Config(**SMALL, generator_blocks=1, **knobs), spec)


@pytest.mark.parametrize("conditioning", ["modulation", "concatenation"])
def test_an_image_of_a_map_follows_the_map_and_the_style(conditioning: str) -> None:
    model, maps = spade(conditioning=conditioning), torch.zeros(2, 16, 16, dtype=torch.long)
    maps[1, 4:12, 4:12] = 1
    z = torch.randn(1, 3).expand(2, -1)
    with torch.inference_mode():
        plain, square = model.generator(z, torch.nn.functional.one_hot(maps, 3).movedim(-1, 1).float())
        rng = torch.Generator().manual_seed(0)
        many = model.translate(maps[1:].expand(5, -1, -1), rng)
    assert not torch.equal(plain, square)
    assert many.std(0).mean() > 0


def test_the_divergence_of_styles_is_in_the_loss() -> None:
    model = spade(kl_weight=0.5)
    batch = Batch(torch.rand(4, 3, 16, 16), None, {"label_map": torch.randint(0, 3, (4, 16, 16))})
    mu, logvar = (found.detach() for found in model.generator.style(batch.x))
    expected = sum(
        float(torch.distributions.kl_divergence(torch.distributions.Normal(m, (v / 2).exp()), STANDARD).sum())
        for m, v in zip(mu, logvar, strict=True)
    )
    logs = model.generator_loss(batch)[1]
    assert float(logs["kl"]) == pytest.approx(0.5 * expected / 4, rel=1e-4)


STANDARD = torch.distributions.Normal(0.0, 1.0)


def test_an_srresnet_is_an_srgan_that_is_pretrained_to_the_end() -> None:
    due = {
        share: [phase.name for phase in srgan(pretraining_share=share).phases() if phase.due(90, 100)]
        for share in (0.5, 1.0)
    }
    assert due == {0.5: ["discriminator", "generator"], 1.0: ["pretraining"]}


@pytest.mark.parametrize("shape", [(3, 5, 5), (1, 4, 4), (3, 4, 8), (3, 1, 1)])
def test_an_image_that_is_no_enlargement_of_its_source_is_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(Unsuitable, match=r"low_resolution.*3×16×16"):
        srgan(shape)


class Doubled(HasFeatures):
    """Two maps and a row; the last map counts."""

    def features(self, x: Tensor) -> list[Tensor]:
        return [x, 2 * x + 1, x.flatten(1)]


def test_the_content_is_the_last_map_and_its_error_a_share() -> None:
    fake, real = torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4)
    expected = (2 * (fake - real)).square().mean() / (2 * real + 1).square().mean()
    torch.testing.assert_close(content_error(Doubled(), fake, real), expected)


def test_the_content_needs_an_extractor_with_a_gradient() -> None:
    assert srgan().prerequisites(srgan().config).extractors == ("classifier",)
    assert srgan(content_weight=0.0).prerequisites(srgan(content_weight=0.0).config).extractors == ()
    with pytest.raises(Unsuitable, match="content_weight: 0"):
        srgan().use({"pixels": Pixels(Pixels.Config(), DataSpec(3, 16, 16))}, {})


@pytest.mark.parametrize("judges", ["patches", "image", "both"])
def test_patches_and_the_whole_image_have_an_equal_say(judges: str) -> None:
    torch.manual_seed(0)
    spec = DataSpec(3, 16, 16, fields={"holes": FieldSpec("mask", (1, 16, 16))})
    model = InpaintGAN(InpaintGAN.Config(**SMALL, generator_blocks=1, judges=judges), spec)
    x = torch.rand(2, 3, 16, 16)
    found = model.discriminator.judge(x)
    patches = found.features[-1]
    for layer in model.discriminator.scales[0][-1]:
        patches = layer(patches)
    whole, of_patches = model.discriminator.whole(found.features[-1])[:, 0], patches.mean((1, 2, 3))
    expected = {"patches": of_patches, "image": whole, "both": (whole + of_patches) / 2}[judges]
    torch.testing.assert_close(found.logits.mean((1, 2, 3, 4)), expected)
