"""The numerical precision of PyTorch."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from genpipe.config.training import Train
from genpipe.errors import TrainingError
from genpipe.training.memory import keep_freed_memory


@contextmanager
def numerics(train: Train, device: torch.device) -> Iterator[None]:
    """Sets the precision of a GPU to a recipe's while the block runs; a CPU always uses full precision.

    On a CPU the process keeps the memory that it frees from now on.

    Raises TrainingError if results shall be the same every time and an operation cannot give that.
    """
    if device.type != "cuda":
        keep_freed_memory()
        yield
        return
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark
    _set("high" if train.tf32 else "highest", train.tf32, not train.deterministic)
    if train.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without which cuBLAS refuses
    torch.use_deterministic_algorithms(train.deterministic)
    try:
        yield
    except RuntimeError as error:
        if "deterministic" not in str(error):
            raise
        operation = str(error).partition(" does not have")[0]
        raise TrainingError(
            f"train.deterministic is true, but {operation} gives another result every time. Set it to false."
        ) from None
    finally:
        torch.use_deterministic_algorithms(False)
        _set(*before)


def _set(matmul: str, tf32: bool, benchmark: bool) -> None:
    torch.set_float32_matmul_precision(matmul)
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = benchmark
