"""Deep autoencoder (Hinton & Salakhutdinov 2006, doi:10.1126/science.1127647)."""

from genpipe.nn.autoencoding import Autoencoder
from genpipe.nn.encoder_decoder import EncoderDecoder


class AE(Autoencoder):
    """An encoder to latent_dim numbers and a decoder back; nothing shapes the distribution of the codes.

    Its "samples" decode codes from N(0, I): the lectures' point is that they are poor.
    """

    class Config(EncoderDecoder): ...
