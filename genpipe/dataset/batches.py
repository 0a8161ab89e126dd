"""Batches of training images in an order that depends on (seed, epoch) alone."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from time import perf_counter
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from genpipe.dataset.deriving import DerivedField, drawn_fields
from genpipe.dataset.prefetch import Prefetcher
from genpipe.dataset.storage import Prepared
from genpipe.interfaces.phases import Batch
from genpipe.interfaces.spec import FieldSpec, Kind
from genpipe.nn.pixel_range import to_model

_SHARE_OF_DEVICE = 0.5
"""Images and fields live on the device if they take at most this share of its free memory."""
_AHEAD = 4
"""The number of batches to read from disk in advance, by default."""
_Raw = tuple[Tensor, Tensor | None, dict[str, Tensor]]
"""uint8 images [b c h w], their labels, and the requested fields as they are stored."""


class StoredField(NamedTuple):
    """A field of all images: its rows [n *shape] as they are stored, and what they are."""

    rows: np.ndarray
    spec: FieldSpec


class BatchLoader:
    """A training set, cut into batches; moved to the device once if it fits there, else read ahead on threads.

    The order of images is one shuffle after the other, and a batch may span two of them; batch number k of a seed is
    the same whoever asks for it, so a position in the data is a single number. Images with equal rows in `group_by`
    stay together, and groups are shuffled. With `second`, every second image is one of these, and each kind is shuffled
    by itself. Several processes share each batch: with `part` = (i, n), this one gets the i-th
    of n equal parts of it. Fields in `drawn` are made of the images of each batch, mirrored or not, on the threads that
    read ahead; then nothing is moved to the device before it is asked for.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray | None,
        *,
        size: int,
        seed: int,
        device: torch.device,
        horizontal_flip: bool = False,
        part: tuple[int, int] = (0, 1),
        fields: Mapping[str, StoredField] | None = None,
        drawn: Mapping[str, DerivedField] | None = None,
        group_by: np.ndarray | None = None,
        second: Bool[np.ndarray, "n"] | None = None,
    ) -> None:
        self.size, self.seed, self.device, self.count = size, seed, device, len(images)
        self.horizontal_flip = horizontal_flip
        self._mine = slice(part[0] * size // part[1], (part[0] + 1) * size // part[1])
        rows = {name: field.rows for name, field in (fields or {}).items()}
        self._drawn = dict(drawn or {})
        self._specs = {name: field.spec for given in (fields or {}, self._drawn) for name, field in given.items()}
        self._resident = not self._drawn and _fits(
            images.nbytes + sum(values.nbytes for values in rows.values()), device
        )
        self._home = device if self._resident else torch.device("cpu")
        self._images = self._kept(images)
        self._labels = None if labels is None else torch.from_numpy(np.array(labels)).to(self._home)
        self._fields = {name: self._kept(values) for name, values in rows.items()}
        self._groups = None if group_by is None else np.unique(group_by, axis=0, return_inverse=True)[1].ravel()
        self._kinds = [] if second is None else [np.flatnonzero(~second), np.flatnonzero(second)]
        self._order = lru_cache(maxsize=4)(self._shuffled)
        self._read_ahead = Prefetcher(self._numbered)
        self.waited_sec = 0.0
        """How long whoever asked for batches waited for them."""

    @classmethod
    def of(
        cls,
        prepared: Prepared,
        *,
        size: int,
        seed: int,
        device: torch.device,
        part: tuple[int, int] = (0, 1),
        fields: Collection[str] = (),
        group_by: str | None = None,
        balance_by: str | None = None,
    ) -> "BatchLoader":
        """Returns the training images of a prepared data set with these fields, grouped or alternating by one of them.

        Raises DataError if the data set does not know them.
        """
        images, labels = prepared.images("train"), prepared.labels("train")
        drawn = drawn_fields(prepared, fields, seed)
        kept = [name for name in fields if name not in drawn]
        asked = {name: StoredField(prepared.field("train", name), prepared.spec.fields[name]) for name in kept}
        together = prepared.field("train", group_by) if group_by else None
        second = nonzero(prepared.field("train", balance_by)) if balance_by else None
        return cls(
            images, labels, size=size, seed=seed, device=device, horizontal_flip=prepared.horizontal_flip, part=part,
            fields=asked, drawn=drawn, group_by=together, second=second,
        )  # fmt: skip

    def batch(self, number: int, ahead: int = _AHEAD) -> Batch:
        """Returns a batch by its number, from 0; what is mirrored or drawn of it depends on (seed, number) alone.

        Where images are read from the disk, so many batches after this one are read meanwhile.
        """
        begun = perf_counter()
        raw = self._numbered(number) if self._resident else self._read_ahead.get(number, ahead)
        batch = self._sent(raw)
        self.waited_sec += perf_counter() - begun
        return batch

    def in_order(self) -> Iterator[Batch]:
        """Yields all images in stored order; the last batch may be smaller."""
        for rows in torch.arange(self.count, device=self._home).split(self.size):
            raw = self._raw(rows)
            yield self._sent(self._with_drawn(raw, rows.tolist()) if self._drawn else raw)

    def _numbered(self, number: int) -> _Raw:
        """The part of a batch that is this process's: its images, mirrored or not, and then what is drawn of them."""
        raw = self._raw(self._rows(number))
        if self.horizontal_flip:
            self._flip(raw, self._mirrored(number))
        return self._with_drawn(raw, range(self._mine.start, self._mine.stop), number) if self._drawn else raw

    def _with_drawn(self, raw: _Raw, places: Sequence[int], number: int | None = None) -> _Raw:
        """Images at these places of a batch, or of the data, with the fields that are drawn of them."""
        pixels, labels, fields = raw
        found = {name: field.rows(pixels.numpy(), places, number) for name, field in self._drawn.items()}
        return pixels, labels, {**fields, **{name: self._pinned(torch.from_numpy(v)) for name, v in found.items()}}

    def _rows(self, number: int) -> Tensor:
        """The stored positions of this process's part of a batch."""
        first, end = number * self.size + self._mine.start, number * self.size + self._mine.stop
        if not self._kinds:
            return self._stretch(first, end)
        rows = torch.empty(end - first, dtype=torch.int64, device=self._home)
        for begin in range(min(2, end - first)):
            mine, (place, kind) = rows[begin::2], divmod(first + begin, 2)
            mine[:] = self._stretch(place, place + len(mine), kind)
        return rows

    def _stretch(self, first: int, end: int, kind: int | None = None) -> Tensor:
        """So many places of the order of all images, or of one kind, over and over."""
        count, pieces = self.count if kind is None else len(self._kinds[kind]), []
        while first < end:
            epoch, start = divmod(first, count)
            pieces.append(self._order(epoch, kind)[start : start + end - first])
            first += len(pieces[-1])
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces)

    def _shuffled(self, epoch: int, kind: int | None) -> Tensor:
        """The order of an epoch, where the images are, so that no step has to send it."""
        rng = np.random.default_rng((self.seed, epoch))
        if kind is not None:
            order = np.random.default_rng((self.seed, epoch, 2 + kind)).permutation(self._kinds[kind])
        elif self._groups is None:
            order = rng.permutation(self.count)
        else:
            order = np.argsort(rng.permutation(self._groups.max() + 1)[self._groups], kind="stable")
        return torch.from_numpy(order).to(self._home)

    def _raw(self, rows: Tensor) -> _Raw:
        labels = None if self._labels is None else self._labels[rows]
        if labels is not None and not self._resident:
            labels = self._pinned(labels)
        return self._taken(self._images, rows), labels, {k: self._taken(v, rows) for k, v in self._fields.items()}

    def _kept(self, values: np.ndarray) -> Tensor | np.ndarray:
        """All rows on the device, or as they were, on the disk."""
        return torch.from_numpy(np.array(values)).to(self.device) if self._resident else values

    def _taken(self, values: Tensor | np.ndarray, rows: Tensor) -> Tensor:
        if isinstance(values, Tensor):
            return values[rows]
        dtype = torch.from_numpy(np.empty(0, values.dtype)).dtype
        found = torch.empty((len(rows), *values.shape[1:]), dtype=dtype, pin_memory=self.device.type == "cuda")
        np.take(values, rows.numpy(), axis=0, out=found.numpy(), mode="clip")  # the one mode without a copy
        return found

    def _sent(self, raw: _Raw) -> Batch:
        pixels, labels, fields = raw
        y = None if labels is None else labels.to(self.device, non_blocking=True)
        sent = {name: values.to(self.device, non_blocking=True) for name, values in fields.items()}
        of_kind = {name: as_tensor(values, self._specs[name].kind) for name, values in sent.items()}
        return Batch(to_model(pixels.to(self.device, non_blocking=True)), y, of_kind)

    def _flip(self, raw: _Raw, mirrored: Tensor) -> None:
        """Mirrors these images [b] of a batch where they lie, with all that has their shape."""
        pixels, _, fields = raw
        for x in (pixels, *(x for name, x in fields.items() if self._specs[name].image_shaped)):
            x.copy_(torch.where(mirrored.view(-1, *[1] * (x.ndim - 1)), x.flip(-1), x))

    def _mirrored(self, number: int) -> Tensor:
        """Which images are mirrored [b], where the images are."""
        drawn = torch.from_numpy(np.random.default_rng((self.seed, number, 1)).random(self.size) < 0.5)[self._mine]
        return self._pinned(drawn).to(self._home, non_blocking=True)

    def _pinned(self, values: Tensor) -> Tensor:
        """Values from where they can be sent to the device while it works."""
        return values.pin_memory() if self.device.type == "cuda" else values


def nonzero(rows: np.ndarray) -> Bool[np.ndarray, "n"]:
    """Returns which rows of a field are not zero."""
    return np.asarray(rows.reshape(len(rows), -1).any(axis=1))


def as_tensor(stored: Tensor, kind: Kind) -> Tensor:
    """Returns rows of a field as a model gets them: see `Batch.fields`."""
    match kind:
        case "image" | "frames":
            return to_model(stored.flatten(0, -4)).view(stored.shape)
        case "mask" | "attributes":
            return stored.float()
        case "label_map" | "tokens" | "class":
            return stored.long()
        case _:
            return stored


def _fits(size_bytes: int, device: torch.device) -> bool:
    if device.type != "cuda":
        import psutil

        return size_bytes <= _SHARE_OF_DEVICE * psutil.virtual_memory().available
    return size_bytes <= _SHARE_OF_DEVICE * torch.cuda.mem_get_info(device)[0]
