"""A pool of generated images, from which a discriminator also sees earlier ones.

Shrivastava et al. 2017 (arXiv:1612.07828), section 2.3, as in Zhu et al. 2017 (arXiv:1703.10593), section 4.
"""

import torch
from torch import Tensor, nn

from genpipe.interfaces.tensors import Images


class ImagePool(nn.Module):
    """Stores generated images until it is full; then half of them are exchanged for stored ones.

    Its buffers are not persistent: they belong to the training, and neither to the averaged nor to the saved weights.
    """

    stored: Tensor
    count: Tensor

    def __init__(self, size: int, shape: tuple[int, int, int]) -> None:
        """`size`: the number of images that it can store, each of a shape (c, h, w); 0: images pass unchanged."""
        super().__init__()
        self.size = size
        self.register_buffer("stored", torch.zeros(size, *shape), persistent=False)
        self.register_buffer("count", torch.zeros((), dtype=torch.long), persistent=False)

    @torch.no_grad()
    def forward(self, x: Images) -> Images:
        """Returns as many images as given, detached: new ones, and in place of some of them stored ones."""
        if not self.size:
            return x.detach()
        return torch.cat([self._exchanged(part) for part in x.detach().split(self.size)])

    def _exchanged(self, x: Images) -> Images:
        """No two images use the same slot, so that their order decides nothing; nothing waits for the device."""
        arrival = self.count + torch.arange(len(x), device=x.device)
        filling = (arrival < self.size)[:, None, None, None]
        order = self._full_slots_first()[(arrival - self.size).clamp(min=0)]
        slots = torch.where(arrival < self.size, arrival, order)
        exchanging = ~filling & (torch.rand(len(x), 1, 1, 1, device=x.device) < 0.5)
        old = self.stored[slots].to(x.dtype)
        self.stored[slots] = torch.where(filling | exchanging, x, old).to(self.stored.dtype)
        self.count.copy_((self.count + len(x)).clamp(max=self.size))
        return torch.where(exchanging, old, x)

    def _full_slots_first(self) -> Tensor:
        """The numbers of all slots: in random order those that are full, and then the others."""
        empty = torch.arange(self.size, device=self.stored.device) >= self.count
        return (torch.rand(self.size, device=self.stored.device) + empty).argsort()
