"""Full precision where mixed precision is too coarse."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor


def full_precision(like: Tensor) -> AbstractContextManager[object]:
    """Turns off mixed precision on a tensor's device while the block runs; has no effect for a meta tensor."""
    return nullcontext() if like.is_meta else torch.autocast(like.device.type, enabled=False)
