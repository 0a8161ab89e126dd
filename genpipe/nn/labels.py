"""Labels as inputs of class-conditional models."""

import torch
from torch import Tensor, nn

from genpipe.errors import Unsuitable
from genpipe.interfaces.phases import Batch
from genpipe.interfaces.spec import DataSpec
from genpipe.interfaces.tensors import Labels


class WithLabels(nn.Module):
    """A net with each label y among its inputs: one-hot, as further numbers of a code or planes of an image.

    Mirza & Osindero 2014 (arXiv:1411.1784) put one-hot vectors beside codes and images; to convolutions they are given
    as planes (Perarnau et al. 2016, arXiv:1611.06355). The net expects class_count inputs or channels more.
    """

    def __init__(self, net: nn.Module, class_count: int) -> None:
        super().__init__()
        self.net, self.class_count = net, class_count

    def forward(self, given: Tensor, y: Labels) -> Tensor:
        return self.net(beside(given, y, self.class_count))


def beside(given: Tensor, y: Labels, class_count: int) -> Tensor:
    """Appends one-hot labels to codes [b d] or images [b c h w]: [b d+k] or [b c+k h w]."""
    one_hot = torch.eye(class_count, device=y.device, dtype=given.dtype)[y]
    planes = one_hot.reshape(*one_hot.shape, *[1] * (given.ndim - 2))
    return torch.cat([given, planes.expand(*one_hot.shape, *given.shape[2:])], dim=1)


def class_count(spec: DataSpec) -> int:
    """Returns the number of classes. Raises Unsuitable if fewer than two have training images."""
    if len(spec.trained) < 2:
        raise Unsuitable(
            "a class-conditional model needs training images with labels of at least two classes, and this data set "
            f"has {len(spec.trained) or 'none'}. Take labeled data, or a model that asks for no labels."
        )
    return len(spec.classes)


def known(batch: Batch) -> Labels:
    """Returns the labels of a batch of data with classes."""
    assert batch.y is not None, "a class-conditional model was given a batch without labels"
    return batch.y
