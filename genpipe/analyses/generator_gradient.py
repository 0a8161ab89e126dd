"""Saturation: what is left of G's gradient as D gets better and G stays (Arjovsky & Bottou 2017, arXiv:1701.04862)."""

import copy
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from genpipe import plotting
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.interfaces.tensors import Images
from genpipe.nn.adversarial import UnconditionalGAN
from genpipe.nn.objectives import cross_entropy, minimax, non_saturating
from genpipe.nn.pixel_range import to_model
from genpipe.schema import Strict

LOSSES = {"minimax": minimax, "non_saturating": non_saturating}
Rows = Mapping[str, Float[np.ndarray, "k"]]


class GeneratorGradient(Analysis):
    """The norm of the gradient of G's weights under both losses of the first paper, while a copy of D goes on learning.

    The minimax gradient vanishes as D becomes sure (theorem 2.4 and figure 2 of arXiv:1701.04862); the other does not.
    """

    class Config(Strict):
        turns: Annotated[int, Field(ge=2)] = 500
        """Of the copy of D, each with images of its own."""
        looks: Annotated[int, Field(ge=2)] = 25
        batch_size: Annotated[int, Field(ge=2)] = 64
        lr: Annotated[float, Field(gt=0)] = 1e-3
        """Of Adam."""

    requires = (UnconditionalGAN,)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        at = np.unique(np.linspace(0, self.config.turns, self.config.looks).round().astype(int))
        rows = self._followed(context, set(at.tolist()))
        picture = plotting.drawn(560, 320, lambda figure: _draw(figure, at, rows))
        numbers = {f"generator_gradient_{name}_left": float(rows[name][-1] / rows[name][0]) for name in LOSSES}
        told = (
            f"The norm of G's gradient while D takes {self.config.turns} turns more and G none. Of the minimax "
            f"gradient {numbers['generator_gradient_minimax_left']:.2g} of its length is left, of the non-saturating "
            f"one "
            f"{numbers['generator_gradient_non_saturating_left']:.2g}; the loss of D falls from {rows['d'][0]:.2g} to "
            f"{rows['d'][-1]:.2g} nats."
        )
        return AnalysisResult({"generator_gradient": (picture, told)}, numbers)

    def _followed(self, context: AnalysisContext, looks: set[int]) -> Rows:
        """The norms of the gradients, and the loss of D, after some of its turns."""
        model = copy.deepcopy(context.model).train()
        assert isinstance(model, UnconditionalGAN)
        rng = torch.Generator(model.device).manual_seed(context.seed)
        moving = torch.optim.Adam(model.discriminator.parameters(), self.config.lr, betas=(0.5, 0.999))
        rows: dict[str, list[float]] = {name: [] for name in ("d", *LOSSES)}
        for turn in range(self.config.turns + 1):
            real, z = self._images(context, model, rng), model.prior(self.config.batch_size, rng)
            model.requires_grad_(True)
            loss = cross_entropy(model.discriminator(real), model.discriminator(model.generator(z).detach()))
            if turn in looks:
                rows["d"].append(loss.item())
                for name, norm in gradient_norms(model, z).items():
                    rows[name].append(norm)
            moving.zero_grad()
            loss.backward()
            moving.step()
        return {name: np.array(values) for name, values in rows.items()}

    def _images(self, context: AnalysisContext, model: UnconditionalGAN, rng: torch.Generator) -> Images:
        """Training images at random."""
        images = context.real.training.images
        which = torch.randint(len(images), (self.config.batch_size,), generator=rng, device=rng.device)
        return to_model(torch.from_numpy(np.array(images[which.cpu().numpy()])).to(model.device))


def gradient_norms(model: UnconditionalGAN, z: Float[Tensor, "b d"]) -> dict[str, float]:
    """The norm of the gradient of all weights of G under each loss, with the same codes."""
    weights = list(model.generator.parameters())
    logit = model.discriminator(model.generator(z))
    found = {}
    for name, loss in LOSSES.items():
        gradients = torch.autograd.grad(loss(logit), weights, retain_graph=True)
        found[name] = float(torch.nn.utils.get_total_norm(gradients))
    return found


def _draw(figure: Any, at: Int[np.ndarray, "k"], rows: Rows) -> None:
    axes = plotting.panel(figure, title="norm of G's gradient", x="further turns of D")
    for name, color, label in (
        ("minimax", plotting.WARM, "minimax"),
        ("non_saturating", plotting.ACCENT, "non-saturating"),
    ):
        axes.plot(at, np.maximum(rows[name], np.finfo(np.float32).tiny), color=color, label=label)
    axes.set_yscale("log")
    axes.set_xlim(0, at[-1])
    axes.legend()
