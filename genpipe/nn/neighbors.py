"""Nearest neighbors by Euclidean distance, block by block."""

import numpy as np
import torch
from jaxtyping import Float, Int

_BLOCK = 1000


def nearest(
    queries: Float[np.ndarray, "n d"], points: Float[np.ndarray, "m d"], k: int = 1
) -> tuple[Float[np.ndarray, "n k"], Int[np.ndarray, "n k"]]:
    """Returns the distances to the k nearest points of each query, nearest first, and their indices."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    p = torch.tensor(points, device=device)
    blocks = [torch.topk(torch.cdist(q.to(device), p), k, largest=False) for q in torch.tensor(queries).split(_BLOCK)]
    return (
        torch.cat([b.values for b in blocks]).cpu().numpy(),
        torch.cat([b.indices for b in blocks]).cpu().numpy(),
    )


def flat(images: np.ndarray) -> Float[np.ndarray, "n d"]:
    """Returns images [n c h w] uint8 as rows of float32."""
    return images.reshape(len(images), -1).astype(np.float32)
