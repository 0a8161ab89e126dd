"""Batches of training images in an order that depends on (seed, epoch) alone."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from genpipe.data._storage import Prepared
from genpipe.interfaces import Batch
from genpipe.nn.pixels import to_model

_SHARE_OF_DEVICE = 0.5
"""Images live on the device if they take at most this share of its free memory."""


class Batches:
    """A training set, cut into batches; moved to the device once if it fits there.

    The order of images is one shuffle after the other, and a batch may span two of them; batch number k of a seed is
    the same whoever asks for it, so a position in the data is a single number.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray | None,
        *,
        size: int,
        seed: int,
        device: torch.device,
        flip: bool = False,
    ) -> None:
        self.size, self.seed, self.device, self.count, self.flip = size, seed, device, len(images), flip
        self._resident = _fits(images.nbytes, device)
        self._images = torch.from_numpy(np.array(images)).to(device) if self._resident else images
        self._labels = None if labels is None else torch.from_numpy(np.array(labels)).to(device)
        self._order = lru_cache(maxsize=2)(self._shuffled)

    @classmethod
    def of(cls, prepared: Prepared, *, size: int, seed: int, device: torch.device) -> "Batches":
        """The training images of a prepared data set."""
        images, labels = prepared.images("train"), prepared.labels("train")
        return cls(images, labels, size=size, seed=seed, device=device, flip=prepared.flip)

    def batch(self, number: int) -> Batch:
        """The number-th batch, from 0; which of its images are mirrored depends on (seed, number) alone."""
        first = number * self.size
        batch = self._take(np.concatenate(list(self._rows(first, first + self.size))))
        if not self.flip:
            return batch
        mirrored = torch.from_numpy(np.random.default_rng((self.seed, number, 1)).random(self.size) < 0.5)
        return Batch(torch.where(mirrored.to(self.device)[:, None, None, None], batch.x.flip(3), batch.x), batch.y)

    def in_order(self) -> Iterator[Batch]:
        """One pass over all images as they are stored, the last batch as small as it comes."""
        for first in range(0, self.count, self.size):
            yield self._take(np.arange(first, min(first + self.size, self.count)))

    def _rows(self, first: int, end: int) -> Iterator[np.ndarray]:
        """The stored positions of the first-th to the end-th image of the endless order, a piece an epoch."""
        while first < end:
            epoch, start = divmod(first, self.count)
            piece = self._order(epoch)[start : start + end - first]
            yield piece
            first += len(piece)

    def _shuffled(self, epoch: int) -> np.ndarray:
        return np.random.default_rng((self.seed, epoch)).permutation(self.count)

    def _take(self, rows: np.ndarray) -> Batch:
        if isinstance(self._images, Tensor):
            index = torch.from_numpy(rows).to(self.device)
            pixels = self._images[index]
        else:
            pixels = torch.from_numpy(self._images[rows]).to(self.device, non_blocking=True)
            index = torch.from_numpy(rows)
        return Batch(to_model(pixels), None if self._labels is None else self._labels[index.to(self.device)])


def _fits(size_bytes: int, device: torch.device) -> bool:
    if device.type != "cuda":
        import psutil

        return size_bytes <= _SHARE_OF_DEVICE * psutil.virtual_memory().available
    return size_bytes <= _SHARE_OF_DEVICE * torch.cuda.mem_get_info(device)[0]
