"""Differentiable augmentation: real and generated images get the same random changes, in D's and G's updates."""

from collections.abc import Callable
from math import pi
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from genpipe.interfaces.tensors import Images
from genpipe.nn.affine import lines, moved, sampling, transposed, warped
from genpipe.nn.objectives import Logits

Kind = Literal["none", "diffaugment", "ada"]
PerImage = Float[Tensor, "b 1 1 1"]


class Augmentation(nn.Module):
    """No augmentation; the base of the others.

    Of the channels, the first `image_channels` are those of images, all of them by default; others are of maps beside
    them, which move with the images and keep their values.
    """

    def forward(self, x: Images, image_channels: int | None = None) -> Images:
        return x

    def update(self, real: Logits) -> None:
        """Receives D's output for real images."""

    def logs(self) -> dict[str, Tensor]:
        """Returns values for the curves."""
        return {}


class DiffAugment(Augmentation):
    """Color, translation and cutout of every image (Zhao et al. 2020, arXiv:2006.10738, section 4)."""

    MOVED, CUT = 1 / 8, 1 / 2
    """Shares of the side: the largest shift of an image, and the size of the rectangle that is cut out."""

    def forward(self, x: Images, image_channels: int | None = None) -> Images:
        x = _recolored(x, image_channels, self._colored)
        return self._cut(moved(x, self.MOVED, mirrored_border=False))

    def _colored(self, x: Images) -> Images:
        x = x + _uniform(x, -0.5, 0.5)
        x = _from_mean(x, _uniform(x, 0.0, 2.0), dims=(1,))
        return _from_mean(x, _uniform(x, 0.5, 1.5), dims=(1, 2, 3))

    def _cut(self, x: Images) -> Images:
        rows, columns = (self._within_cut(x, side) for side in (2, 3))
        return x * ~(rows[:, None, :, None] & columns[:, None, None, :])

    def _within_cut(self, x: Images, side: int) -> Bool[Tensor, "b n"]:
        """Which lines lie in the rectangle, whose middle is anywhere in the image."""
        size = int(x.shape[side] * self.CUT + 0.5)
        first = torch.randint(x.shape[side] + 1 - size % 2, (len(x), 1), device=x.device) - size // 2
        place = torch.arange(x.shape[side], device=x.device)
        return (place >= first) & (place < first + size)


class ADA(Augmentation):
    """Applies each change of an image with probability p, which follows D (Karras et al. 2020, arXiv:2006.06676).

    p rises while the mean sign of D's logits of real images is above `TARGET`, which is how it looks when D knows the
    training images by heart. The changes are those of the paper's appendix B that keep lines and columns what they are:
    mirroring, quarter turns (half turns of images that are not square), whole moves, scale; brightness, contrast, luma,
    hue, saturation.
    """

    TARGET = 0.6
    EVERY_TURNS = 4
    """Updates of D between changes of p."""
    MOVED, SCALED, BRIGHTER, CONTRAST, SATURATED = 1 / 8, 0.2, 0.2, 0.5, 1.0

    p: Float[Tensor, ""]
    signs: Float[Tensor, ""]
    images: Tensor
    turns: Tensor

    def __init__(self, ramp_images: int) -> None:
        """`ramp_images`: so many real images until p has gone from 0 to 1."""
        super().__init__()
        self.ramp_images = ramp_images
        for name in ("p", "signs", "images"):
            self.register_buffer(name, torch.zeros(()))
        self.register_buffer("turns", torch.zeros((), dtype=torch.long))

    def forward(self, x: Images, image_channels: int | None = None) -> Images:
        return _recolored(self._placed(x), image_channels, self._colored)

    @torch.no_grad()
    def update(self, real: Logits) -> None:
        """Changes p at every fourth update, all on the device."""
        self.signs += _over_processes(real.float().sign().flatten(1).mean(1).sum())
        self.images += _over_processes(torch.full_like(self.images, len(real)))
        self.turns += 1
        due = self.turns % self.EVERY_TURNS == 0
        step = (self.signs / self.images - self.TARGET).sign() * self.images / self.ramp_images
        self.p.copy_(torch.where(due, (self.p + step).clamp(0, 1), self.p))
        for noted in (self.signs, self.images):
            noted.masked_fill_(due, 0)

    def logs(self) -> dict[str, Tensor]:
        return {"augment_probability": self.p.clone()}

    def _chosen(self, x: Images) -> Bool[Tensor, "b 1"]:
        """Which images a change is made of."""
        return torch.rand(len(x), 1, device=x.device) < self.p

    def _or(self, x: Images, changed: Float[Tensor, "b 1"], unchanged: float) -> Float[Tensor, "b 1"]:
        return torch.where(self._chosen(x), changed, torch.full_like(changed, unchanged))

    def _placed(self, x: Images) -> Images:
        b, device = len(x), x.device
        mirrored = self._chosen(x) & (torch.rand(b, 1, device=device) < 0.5)
        quarters = torch.where(self._chosen(x), torch.randint(4, (b, 1), device=device), 0)
        square = x.shape[2] == x.shape[3]
        if not square:
            quarters = quarters // 2 * 2  # a quarter turn would exchange height and width
        scale = self._or(x, torch.exp2(self.SCALED * torch.randn(b, 1, device=device)), 1.0)
        shifted = self._chosen(x)
        # a quarter turn mirrors an image at its diagonal, and then its rows or its columns
        flipped = {2: (quarters == 1) | (quarters == 2), 3: ((quarters == 2) | (quarters == 3)) ^ mirrored}
        sides = []
        for side, flip in flipped.items():
            middle = (x.shape[side] - 1) / 2
            shift = (_uniform(x, -self.MOVED, self.MOVED).view(-1, 1) * x.shape[side]).round()
            place = (lines(x, side) - torch.where(shifted, shift, 0) - middle) / scale
            sides.append(sampling(torch.where(flip, -place, place) + middle, True))
        return warped(transposed(x, (quarters % 2 == 1)[:, 0]) if square else x, *sides)

    def _colored(self, x: Images) -> Images:
        b, c, device = len(x), x.shape[1], x.device
        brighter = self._or(x, self.BRIGHTER * torch.randn(b, 1, device=device), 0.0)
        contrast = self._or(x, torch.exp2(self.CONTRAST * torch.randn(b, 1, device=device)), 1.0)
        luma = self._or(x, torch.where(torch.rand(b, 1, device=device) < 0.5, -1.0, 1.0), 1.0)
        mixing = luma[:, :, None] * torch.full((c, c), 1 / c, device=device)
        if c == 3:
            saturation = self._or(x, torch.exp2(self.SATURATED * torch.randn(b, 1, device=device)), 1.0)
            mixing = mixing + saturation[:, :, None] * self._hue(x)
        else:
            mixing = mixing + torch.eye(c, device=device) - 1 / c
        flat = (x.float() + brighter[:, :, None, None]).flatten(2)
        return (contrast[:, :, None] * mixing @ flat).view(x.shape).to(x.dtype)

    def _hue(self, x: Images) -> Float[Tensor, "b 3 3"]:
        """Turns what is not gray about the axis of gray (Rodrigues' formula)."""
        angle = self._or(x, _uniform(x, -pi, pi).view(-1, 1), 0.0)[:, :, None]
        apart = torch.eye(3, device=x.device) - 1 / 3
        across = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]], device=x.device) / 3**0.5
        return angle.cos() * apart + angle.sin() * across


def augmentation(kind: Kind, ramp_images: int) -> Augmentation:
    """Returns the augmentation of a name."""
    if kind == "ada":
        return ADA(ramp_images)
    return DiffAugment() if kind == "diffaugment" else Augmentation()


def _recolored(x: Images, image_channels: int | None, change: Callable[[Images], Images]) -> Images:
    """The same with other colors of the channels of images."""
    if image_channels in (None, x.shape[1]):
        return change(x)
    return torch.cat([change(x[:, :image_channels]), x[:, image_channels:]], dim=1)


def _uniform(x: Images, low: float, high: float) -> PerImage:
    return torch.rand(len(x), 1, 1, 1, device=x.device) * (high - low) + low


def _from_mean(x: Images, factor: PerImage, dims: tuple[int, ...]) -> Images:
    """Images whose distance to their mean over some dimensions is multiplied."""
    mean = x.mean(dims, keepdim=True)
    return mean + (x - mean) * factor


def _over_processes(total: Tensor) -> Tensor:
    """The sum over all processes of a training."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(total)
    return total
