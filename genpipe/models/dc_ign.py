"""Deep convolutional inverse graphics network (Kulkarni et al. 2015, arXiv:1503.03167)."""

from typing import Annotated, Any

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from genpipe.errors import Unsuitable
from genpipe.interfaces.phases import Batch
from genpipe.interfaces.spec import DataSpec
from genpipe.interfaces.tensors import Codes, Logs, Scalar
from genpipe.nn.variational import LatentVariableModel, Variational, negative_elbo


class DCIGN(LatentVariableModel):
    """A VAE that sees sweeps, of which one thing varies, and may tell their images apart by the codes of that alone.

    Section 3.1 of the paper: all other codes are replaced by their mean over the sweep before they are decoded, and
    their gradient by how far they are from it. Data of sweeps tell of each image its sweep and what varies in that.
    """

    class Config(Variational):
        factor_codes: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)] = [1, 1]
        """Numbers of a code for the first things that vary, as the source orders them; others share the rest."""
        invariance_weight: Annotated[float, Field(ge=0)] = 1.0
        """Of the gradient that pulls the other codes to their mean."""

    fields = {"sweep": "number"}
    group_by = "sweep"
    owner: Tensor

    def __init__(self, config: Config, spec: DataSpec) -> None:
        super().__init__(config, spec)
        counts = [*config.factor_codes, config.latent_dim - sum(config.factor_codes)]
        if counts[-1] < 1:
            raise Unsuitable(
                f"factor_codes take {sum(config.factor_codes)} of {config.latent_dim} numbers, and nothing is left for "
                "what else varies. Make latent_dim larger."
            )
        self.kl_weight, self.invariance_weight = config.kl_weight, config.invariance_weight
        self.last = len(counts) - 1
        self.register_buffer("owner", torch.tensor([thing for thing, count in enumerate(counts) for _ in range(count)]))

    def loss(self, batch: Batch) -> tuple[Scalar, Logs]:
        """Negative lower bound in nats per image, of images decoded from clamped codes."""
        sweep, varied = batch.fields["sweep"].unbind(1)
        active = self.owner == varied.clamp(max=self.last)[:, None]
        together = (sweep[:, None] == sweep).float()
        mean_of = together / together.sum(1, keepdim=True)

        def decode(z: Codes) -> Any:
            return self.decoder(_Clamped.apply(z, active, mean_of, self.invariance_weight))

        return negative_elbo(batch.x, self.posterior(batch.x), decode, self.likelihood, self.kl_weight)


class _Clamped(torch.autograd.Function):
    """Codes of which those that are not active are the mean over their sweep; its gradient is not the mean's.

    The gradient of the active codes passes; that of the others is (z − mean) · weight, per image of the batch: the
    gradient of half their mean squared distance from the mean, if that stood still.
    """

    @staticmethod
    def forward(ctx: Any, z: Codes, active: Bool[Tensor, "b d"], mean_of: Float[Tensor, "b b"], weight: float) -> Codes:
        mean = (mean_of @ z.float()).to(z.dtype)
        ctx.save_for_backward(z - mean, active)
        ctx.weight = weight / len(z)
        return torch.where(active, z, mean)

    @staticmethod
    def backward(ctx: Any, gradient: Codes) -> tuple[Codes, None, None, None]:
        deviation, active = ctx.saved_tensors
        return torch.where(active, gradient, ctx.weight * deviation), None, None, None
