"""A hash of a net's weights."""

import hashlib

from torch import nn


def digest(module: nn.Module) -> str:
    """Returns the SHA-256 of all weights and buffers with their names; the file format does not matter."""
    hashed = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        hashed.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        hashed.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return hashed.hexdigest()
