"""IcGAN: what D refuses, and that the encoders learn of a GAN that stays as it is."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

from genpipe.errors import UsageError
from genpipe.interfaces.phases import Batch
from genpipe.interfaces.spec import DataSpec, FieldSpec
from genpipe.models.icgan import Discriminator, IcGAN, one_changed
from genpipe.nn.conv import downsample_stack
from genpipe.sampling.translating import answer

SPEC = DataSpec(1, 16, 16, fields={"attributes": FieldSpec("attributes", (3,))})
SMALL: dict[str, Any] = {"latent_dim": 5, "generator_channels": 4, "discriminator_channels": 4, "encoder_channels": 4}


def icgan(**knobs: Any) -> IcGAN:
    torch.manual_seed(0)
    return IcGAN(IcGAN.Config(**SMALL, **knobs), SPEC)


def batch(n: int = 8) -> Batch:
    torch.manual_seed(1)
    return Batch(torch.rand(n, 1, 16, 16) * 2 - 1, None, {"attributes": torch.randint(0, 2, (n, 3)).float()})


def test_wrong_attributes_differ_in_one() -> None:
    given = batch(400).fields["attributes"]
    found = (one_changed(given) != given).float()
    assert found.sum(1).eq(1).all()
    assert found.mean(0).tolist() == pytest.approx([1 / 3] * 3, abs=0.08)


class Agreement(nn.Module):
    """A D whose logit is the mean of the image plus the sum of the signs."""

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return (x.mean((1, 2, 3)) + y.sum(1))[:, None]


def test_half_of_what_d_refuses_are_real_images_with_wrong_attributes() -> None:
    """Real images of 0.5 with all attributes: 3.5; one of them wrong: 1.5; images of G: g + 3."""
    model = icgan()
    model.discriminator = Agreement()
    given = Batch(torch.full((4, 1, 16, 16), 0.5), None, {"attributes": torch.ones(4, 3)})
    torch.manual_seed(2)
    of_generated = model.fake(given).mean((1, 2, 3)) + 3
    torch.manual_seed(2)
    loss, _ = model.discriminator_loss(given)
    refused = (softplus(of_generated).mean() + softplus(torch.tensor(1.5))) / 2
    torch.testing.assert_close(loss, softplus(torch.tensor(-3.5)) + refused)


def test_d_gets_the_attributes_after_its_first_layer() -> None:
    d = Discriminator(IcGAN.Config(**SMALL), SPEC, 3)
    assert [layer.in_channels for layer in d.modules() if isinstance(layer, nn.Conv2d)] == [1, 4 + 3, 8]
    assert d.first[0].weight.shape == downsample_stack([1, 4])[0].weight.shape
    x, y = torch.rand(2, 1, 16, 16), torch.ones(2, 3)
    assert not torch.equal(d.eval()(x, y), d(x, -y))


def test_encoders_learn_after_the_gan() -> None:
    for step, due in ((60, ["discriminator", "generator"]), (61, ["code_encoder", "attribute_encoder"])):
        assert [phase.name for phase in icgan(encoder_share=0.4).phases() if phase.due(step, 100)] == due


def test_encoders_leave_the_gan_as_it_is() -> None:
    model = icgan().train()
    before = {name: value.clone() for name, value in model.generator.state_dict().items()}
    for loss in (model.code_error, model.attribute_error):
        loss(batch())[0].backward()
    assert all(torch.equal(value, before[name]) for name, value in model.generator.state_dict().items())
    assert all(weight.grad is None for weight in model.generator.parameters())
    assert model.generator.training


def test_errors_of_encoders_are_those_of_codes_and_signs() -> None:
    model, given = icgan().eval(), batch()
    torch.manual_seed(3)
    error, _ = model.code_error(given)
    torch.manual_seed(3)
    z = torch.randn(8, 5)
    signs = torch.where(given.fields["attributes"] > 0, 1.0, -1.0)
    found = model.encode(model.generator(torch.cat([z, signs], 1)))
    torch.testing.assert_close(error, ((found - z) ** 2).mean())
    torch.testing.assert_close(
        model.attribute_error(given)[0], ((model.attribute_encoder(given.x) - signs) ** 2).mean()
    )


def test_a_reconstruction_is_an_edit_that_changes_nothing() -> None:
    model, x = icgan().eval(), batch().x
    with torch.inference_mode():
        own = model.attributes_of(x)
        assert torch.equal(model.reconstruct(x), model.edit(x, own))
        assert not torch.equal(model.edit(x, own), model.edit(x, 1 - own))


def test_a_served_model_draws_for_attributes_and_edits_an_image_that_comes_with_them() -> None:
    model, y = icgan().eval(), [[1, 0, 1], [0, 1, 0]]
    x = [[[[100] * 16] * 16]] * 2
    drawn, edited = answer(model, 3, 0, {"attributes": y}), answer(model, 1, 0, {"x": x, "attributes": y})
    assert (drawn.shape, edited.shape) == ((6, 1, 16, 16), (2, 1, 16, 16))
    given = torch.full((2, 1, 16, 16), 100 / 127.5 - 1)
    with torch.inference_mode():
        expected = (model.edit(given, torch.tensor(y).float()) + 1) * 127.5
    assert torch.from_numpy(edited).sub(expected).abs().max() <= 0.5 + 1e-3
    with pytest.raises(UsageError, match="an image is edited in one way"):
        answer(model, 2, 0, {"x": x, "attributes": y})
