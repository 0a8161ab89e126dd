"""Feature matching: generated images are to give a discriminator's layers what real ones give them.

Salimans et al. 2016 (arXiv:1606.03498), section 3.1; image by image in Wang et al. 2018 (arXiv:1711.11585), eq. 4.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import l1_loss

from genpipe.interfaces.tensors import Scalar


def feature_matching(real: Sequence[Tensor], fake: Sequence[Tensor]) -> Scalar:
    """Returns the mean over layers of the mean |difference| of their outputs, differentiable in those of fakes alone.

    Both have the outputs of the same layers, each [b c h w].
    """
    pairs = zip(real, fake, strict=True)
    return torch.stack([l1_loss(generated, of_real.detach()) for of_real, generated in pairs]).mean()
