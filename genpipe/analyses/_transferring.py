"""Classifiers on the codes of a model: from its weights, or from weights drawn anew."""

import copy
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from genpipe.errors import Unsuitable
from genpipe.interfaces.dataset_info import DatasetInfo
from genpipe.interfaces.generative import Encodes, Generative
from genpipe.interfaces.tensors import Images
from genpipe.nn.pixel_range import to_model

Classifier = TypeVar("Classifier", bound=nn.Module)
"""Images to logits."""
LR = 1e-3
BATCH_IMAGES = 32


class CodeClassifier(nn.Module):
    """A linear layer on the codes of an encoder, which are standardized by batch norm as they may have any scale."""

    def __init__(self, model: Generative, code_size: int, class_count: int) -> None:
        super().__init__()
        self.model = model
        self.head = nn.Sequential(nn.BatchNorm1d(code_size), nn.Linear(code_size, class_count))

    def forward(self, x: Images) -> Float[Tensor, "b k"]:
        assert isinstance(self.model, Encodes)
        return self.head(self.model.encode(x))


def missing(info: DatasetInfo) -> str | None:
    """What to say of data without classes; None if there are some."""
    few = f"a classifier needs two classes, and these images have {len(info.spec.trained) or 'none'}; remove it."
    return few if len(info.spec.trained) < 2 else None


def drawn_anew(model: Generative) -> Generative:
    """A copy of a model with other weights, each layer's as when it was made. Raises Unsuitable if it cannot be."""
    fresh = copy.deepcopy(model)
    for module in fresh.modules():
        if callable(reset := getattr(module, "reset_parameters", None)):
            reset()
    kept = [
        name
        for (name, old), new in zip(model.named_parameters(), fresh.parameters(), strict=True)
        if old.ndim > 1 and torch.equal(old, new)
    ]
    if kept:
        raise Unsuitable(
            f"the weights {kept[0]} cannot be drawn anew, so that there is nothing to compare with: "
            "give their module a method reset_parameters, or take the analysis out."
        )
    return fresh


def taught(
    classifier: Classifier,
    images: UInt8[np.ndarray, "n c h w"],
    labels: Int[np.ndarray, "n *h"],
    steps: int,
    seed: int,
) -> Classifier:
    """The classifier after so many steps of Adam on all weights that decide its answer; it learns from these images."""
    x, y = to_model(torch.from_numpy(images)).to(next(classifier.parameters()).device), torch.from_numpy(labels)
    y, rng = y.to(x.device), np.random.default_rng(seed)
    optimizer = torch.optim.Adam(classifier.requires_grad_(True).parameters(), lr=LR)
    size = min(BATCH_IMAGES, len(x))
    classifier.train()
    for _ in range(steps):
        some = torch.from_numpy(rng.choice(len(x), size, replace=False)).to(x.device)
        optimizer.zero_grad()
        cross_entropy(classifier(x[some]), y[some]).backward()
        optimizer.step()
    return classifier.eval()


def balanced(labels: Int[np.ndarray, "n"], count: int, seed: int) -> Int[np.ndarray, "k"]:
    """The numbers of so many images, of all classes alike: of each the first of a shuffle, class after class."""
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    rank = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        mine = shuffled[labels[shuffled] == label]
        rank[mine] = np.arange(len(mine))
    return shuffled[np.argsort(rank[shuffled], kind="stable")][:count]
