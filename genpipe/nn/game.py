"""The losses of a discriminator and of the generator whose images it sees, with a penalty and augmentation."""

from collections.abc import Sequence
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn

from genpipe.interfaces.tensors import Logs, Scalar
from genpipe.nn import augmentation, objectives, penalties
from genpipe.nn.objectives import Logits
from genpipe.schema import Strict

Given = Float[Tensor, "_ k h w"]
"""Images that D sees, and the channels of maps beside them."""


class AdversarialConfig(Strict):
    """Knobs of the game of a generator and a discriminator."""

    loss: objectives.Loss = "non-saturating"
    penalty: penalties.Kind = "none"
    """The penalty on D's gradient with respect to images, or on its change under augmentation."""
    penalty_weight: Annotated[float, Field(gt=0)] = 10.0
    penalty_interval: Annotated[int, Field(ge=1)] = 1
    """Updates of D between penalties; each penalty is multiplied by this number."""
    discriminator_steps: Annotated[int, Field(ge=1)] = 1
    augment: augmentation.Kind = "none"
    """Random augmentation of the images that D sees."""
    ada_ramp_images: Annotated[int, Field(ge=1)] = 500_000
    """Fewest real images that D sees while the probability of `augment: ada` rises from 0 to 1."""

    @model_validator(mode="after")
    def _hears_a_sign(self) -> "AdversarialConfig":
        if self.augment == "ada" and not objectives.OBJECTIVES[self.loss].signed:
            raise ValueError(f"`augment: ada` follows the sign of D's logits, which says nothing under {self.loss}")
        return self


class Game(nn.Module):
    """The game around one discriminator. Raises Unsuitable if the penalty does not suit its layers."""

    def __init__(self, config: AdversarialConfig, discriminator: nn.Module) -> None:
        super().__init__()
        self.objective = objectives.OBJECTIVES[config.loss]
        self.penalty = penalties.Penalty(config.penalty, config.penalty_weight, config.penalty_interval)
        self.augment = augmentation.augmentation(config.augment, config.ada_ramp_images)
        if config.penalty in penalties.OF_GRADIENT:
            penalties.refuse_batch_norm(discriminator)

    def discriminator_loss(
        self, real: Logits, refused: Sequence[Logits], critic: penalties.Critic, given: Given, generated: Given
    ) -> tuple[Scalar, Logs, Logs]:
        """Returns D's loss of its logits, further terms of the loss by their names, and what curves show.

        Of all that D has to refuse with equal weights, generated images come first.
        The terms are those of `critic`, which augments, at what D is given of real and of generated images. The
        augmentation follows the logits of real images.
        """
        self.augment.update(real.detach())
        n = min(len(given), len(generated))
        terms = self.penalty(critic, given[:n], generated[:n])
        logs = objectives.logit_logs(self.objective, real, refused[0]) | self.augment.logs()
        losses = [self.objective.discriminator(real, fake) for fake in refused]
        return torch.stack(losses).mean(), terms, logs

    def generator_loss(self, fake: Logits, real: Logits | None) -> Scalar:
        """Returns G's loss of D's logits; those of real images are needed if `objective.compares`."""
        return self.objective.generator(fake, *([] if real is None else [real]))
