"""Linear support vector machines on features of any kind."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

Rows = Float[np.ndarray, "n d"]
_VALIDATED = 5
"""One in so many labeled rows decides how much errors count."""
_ITERATIONS = 100
_LEAST_DEVIATION = 1e-6


@dataclass(frozen=True)
class L2SVM:
    """One against the rest: the largest of w·x + b says the class, x standardized by what it learned from."""

    mean: Float[Tensor, " d"]
    deviation: Float[Tensor, " d"]
    weights: Float[Tensor, "d+1 k"]
    classes: Int[np.ndarray, " k"]

    def accuracy(self, rows: Rows, labels: Int[np.ndarray, "n"]) -> float:
        """The share of rows that it names right."""
        x = with_one((torch.tensor(rows).to(self.mean) - self.mean) / self.deviation)
        return float((self.classes[(x @ self.weights).argmax(1).cpu().numpy()] == labels).mean())


def l2_svm(rows: Rows, labels: Int[np.ndarray, "n"], error_weight: float, device: torch.device) -> L2SVM:
    """Minimizes ½‖w‖² + C Σ max(0, 1 − y w·x)² of each class against the rest, C the weight of errors.

    Fan et al. 2008 (JMLR 9:1871), eqs. 1 and 3, the bias among the weights, as in LIBLINEAR; solved by L-BFGS, in
    float64: in float32 the line search ends where rounding hides the slope, and each processor rounds otherwise.
    """
    x, classes = torch.tensor(rows).to(device, torch.float64), np.unique(labels)
    mean, deviation = x.mean(0), x.std(0, unbiased=False).clamp(min=_LEAST_DEVIATION)
    x, y = with_one((x - mean) / deviation), torch.from_numpy(labels[:, None] == classes).to(device) * 2.0 - 1.0
    weights = torch.zeros(x.shape[1], len(classes), dtype=x.dtype, device=device, requires_grad=True)
    solver = torch.optim.LBFGS([weights], max_iter=_ITERATIONS, history_size=10, line_search_fn="strong_wolfe")

    def objective() -> Tensor:
        solver.zero_grad()
        value = 0.5 * weights.square().sum() + error_weight * (1 - y * (x @ weights)).clamp(min=0).square().sum()
        value.backward()
        return value

    solver.step(objective)
    return L2SVM(mean, deviation, weights.detach(), classes)


def validated(rows: Rows, labels: Int[np.ndarray, "n"], error_weights: Sequence[float], device: torch.device) -> L2SVM:
    """One with the weight of errors that names most rows right in every fifth that the others do not see."""
    kept = np.arange(len(rows)) % _VALIDATED == 0
    found = [
        l2_svm(rows[~kept], labels[~kept], weight, device).accuracy(rows[kept], labels[kept])
        for weight in error_weights
    ]
    return l2_svm(rows, labels, error_weights[int(np.argmax(found))], device)


def with_one(x: Float[Tensor, "n d"]) -> Float[Tensor, "n d+1"]:
    """Rows with a 1 behind them, whose weight is the bias."""
    return torch.cat([x, torch.ones_like(x[:, :1])], dim=1)
