"""Where mixed precision would be too coarse."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def full_precision(like: Tensor) -> AbstractContextManager[object]:
    """No mixed precision on the device of a tensor, while the block runs; a tensor without memory knows of none."""
    return nullcontext() if like.is_meta else torch.autocast(like.device.type, enabled=False)
