"""Discriminator's optimum: D beside D* = p/(p + p_G), and the value of the game beside −log 4."""

from dataclasses import dataclass
from math import log
from typing import Annotated, Any

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field

from genpipe import plotting
from genpipe.analyses._points import Cells, Lattice, Points, components, points_of
from genpipe.errors import Unsuitable
from genpipe.interfaces.analyses import Analysis, AnalysisContext, AnalysisResult
from genpipe.nn.adversarial import UnconditionalGAN
from genpipe.nn.objectives import OBJECTIVES
from genpipe.schema import Strict

_AT_ONCE = 50_000
_SEEN = 5e-3
"""Cells of less than this share of the largest mass are left white in pictures of D."""


class DiscriminatorOptimum(Analysis):
    """Propositions 1 and theorem 1 of Goodfellow et al. 2014 (arXiv:1406.2661), on points of a known kind of density.

    The data's density is that of a mixture of normal distributions, one a class, fitted to the labeled points; G's is
    counted. Gap: the mean of |D − D*| over both. Values are in nats; that of D* is −log 4 + 2 JSD.
    """

    class Config(Strict):
        samples: Annotated[int, Field(ge=1000, le=100_000_000)] = 500_000
        """Of G, to count its density."""
        cells: Annotated[int, Field(ge=10, le=1000)] = 100
        """Along each side of the square (or line) from -1 to 1."""

    requires = (UnconditionalGAN,)

    def run(self, context: AnalysisContext) -> AnalysisResult:
        model = context.model
        assert isinstance(model, UnconditionalGAN)
        if not OBJECTIVES[model.config.loss].probability:
            raise Unsuitable(
                f"discriminator_optimum: under the loss {model.config.loss} D gives no probability; use minimax or "
                "non-saturating, or take the analysis out."
            )
        lattice = Lattice(points_of(context.real.training.images[:1]).shape[1], self.config.cells)
        p = lattice.mass(components(context.real.training))
        game = Game(p, lattice.counted(drawn(model, self.config.samples, context.seed)), said(model, lattice.centers))
        numbers = {
            "discriminator_gap": game.gap,
            "value_nats": game.value(game.d),
            "optimal_value_nats": game.value(game.optimum),
            "jsd_nats": game.jsd,
        }
        picture = plotting.drawn(720, 300 if lattice.dimensions == 1 else 640, lambda f: _draw(f, lattice, game))
        told = (
            f"The densities, and D beside D* = p/(p + p_G), which differ by {game.gap:.3f} on average. The value of "
            f"the game is {numbers['value_nats']:.3f} nats, under D* {numbers['optimal_value_nats']:.3f}; it would be "
            f"−log 4 = {-log(4):.3f} if G had the density of the data."
        )
        return AnalysisResult({"discriminator_optimum": (picture, told)}, numbers)


@dataclass(frozen=True)
class Game:
    """The masses of data and of G in each cell, and what D says there."""

    p: Cells
    p_g: Cells
    d: Cells

    @property
    def optimum(self) -> Cells:
        """D*; ½ where neither is."""
        both = self.p + self.p_g
        return np.divide(self.p, both, out=np.full_like(both, 0.5), where=both > 0)

    @property
    def gap(self) -> float:
        return float(((self.p + self.p_g) / 2 * np.abs(self.d - self.optimum)).sum())

    def value(self, d: Cells) -> float:
        """E_p log D + E_G log(1 − D) in nats, eq. 1."""
        return float(_expected_log(self.p, d) + _expected_log(self.p_g, 1 - d))

    @property
    def jsd(self) -> float:
        """The Jensen-Shannon divergence of the two in nats, from 0 to log 2."""
        half = (self.p + self.p_g) / 2
        return float(sum(_expected_log(q, q) - _expected_log(q, half) for q in (self.p, self.p_g)) / 2)


def _expected_log(mass: Cells, of: Cells) -> float:
    there = mass > 0
    return float((mass[there] * np.log(np.maximum(of[there], np.finfo(np.float64).tiny))).sum())


def drawn(model: UnconditionalGAN, n: int, seed: int) -> Points:
    """Points of G before they are put into levels."""
    rng = torch.Generator(model.device).manual_seed(seed)
    counts = [min(_AT_ONCE, n - first) for first in range(0, n, _AT_ONCE)]
    with torch.inference_mode():
        return np.concatenate([model.sample(count, rng).flatten(1).double().cpu().numpy() for count in counts])


def said(model: UnconditionalGAN, points: Points) -> Float[np.ndarray, "n"]:
    """D(x) at points, from 0 to 1."""
    x = torch.from_numpy(points).float().to(model.device)[:, :, None, None]
    with torch.inference_mode():
        return model.discriminator(x).double().sigmoid()[:, 0].cpu().numpy()


def _draw(figure: Any, lattice: Lattice, config: Game) -> None:
    if lattice.dimensions == 1:
        _lines(figure, lattice, config)
    else:
        _maps(figure, lattice, config)


def _lines(figure: Any, lattice: Lattice, config: Game) -> None:
    x, cell = lattice.centers[:, 0], 2 / lattice.cells_a_side
    densities = plotting.panel(figure, 1, 2, 1, title="density", x="x")
    densities.plot(x, config.p / cell, color=plotting.SOFT, label="data")
    densities.plot(x, config.p_g / cell, color=plotting.ACCENT, label="G")
    judged = plotting.panel(figure, 1, 2, 2, title="D(x)", x="x")
    judged.plot(x, np.where(_seen(config), config.optimum, np.nan), color=plotting.SOFT, label="D*")
    judged.plot(x, config.d, color=plotting.WARM, label="D")
    judged.set_ylim(-0.03, 1.03)
    for axes in (densities, judged):
        axes.set_xlim(-1, 1)
        axes.legend()


def _maps(figure: Any, lattice: Lattice, config: Game) -> None:
    most = max(config.p.max(), config.p_g.max())
    kinds = [("data", config.p, most), ("G", config.p_g, most), ("D*", config.optimum, 1), ("D", config.d, 1)]
    for place, (title, values, top) in enumerate(kinds, 1):
        axes = plotting.panel(figure, 2, 2, place, title=title)
        square = (values if place < 3 else np.where(_seen(config), values, np.nan)).reshape(*[lattice.cells_a_side] * 2)
        colors = "Greys" if place < 3 else "RdBu"
        axes.imshow(square.T, colors, vmin=0, vmax=top, origin="lower", extent=(-1, 1, -1, 1), interpolation="nearest")
        axes.grid(False)


def _seen(config: Game) -> Any:
    both = config.p + config.p_g
    return both > _SEEN * both.max()
