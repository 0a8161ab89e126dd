"""Output heads of discriminators, with and without labels."""

from jaxtyping import Float
from torch import Tensor, cat, nn

from genpipe.interfaces.tensors import Labels

Vectors = Float[Tensor, "b d"]
DiscriminatorOutput = Float[Tensor, "b k"]


class ProjectionHead(nn.Module):
    """ψ(h) + ⟨e(y), h⟩, eq. 3 of Miyato & Koyama 2018 (arXiv:1802.05637): logits [b 1]."""

    def __init__(self, features: int, class_count: int) -> None:
        super().__init__()
        self.plain, self.of_class = nn.Linear(features, 1), nn.Embedding(class_count, features)

    def forward(self, h: Vectors, y: Labels) -> DiscriminatorOutput:
        return self.plain(h) + (self.of_class(y) * h).sum(1, keepdim=True)


class AuxiliaryHead(nn.Module):
    """The logit and logits of the classes, Odena et al. 2017 (arXiv:1610.09585): [b 1+k]; it does not get the label."""

    def __init__(self, features: int, class_count: int) -> None:
        super().__init__()
        self.real, self.classes = nn.Linear(features, 1), nn.Linear(features, class_count)

    def forward(self, h: Vectors, y: Labels) -> DiscriminatorOutput:
        return cat([self.real(h), self.classes(h)], dim=1)


class PlainHead(nn.Linear):
    """A head with the logit alone: [b 1]."""

    def __init__(self, features: int) -> None:
        super().__init__(features, 1)

    def forward(self, h: Vectors, y: Labels | None = None) -> DiscriminatorOutput:
        return super().forward(h)
