"""Autoencoder whose decoder reuses the encoder's weights (Vincent et al. 2010, JMLR 11:3371, section 3.1)."""

from genpipe.interfaces.spec import DataSpec
from genpipe.nn.tied import Tied, TiedAutoencoder


class TiedAE(TiedAutoencoder):
    """z = σ(W x + b), x̂ = σ(Wᵀ z + b′), layer on layer; untied, the way back has weights of its own."""

    class Config(Tied):
        tied: bool = True

    def __init__(self, config: Config, spec: DataSpec) -> None:
        super().__init__(config, spec, config.tied)
