"""What tells one net's weights from another's."""

import hashlib

from torch import nn


def digest(module: nn.Module) -> str:
    """The SHA-256 of all weights and buffers with their names, whatever file they came from."""
    hashed = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        hashed.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        hashed.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return hashed.hexdigest()
