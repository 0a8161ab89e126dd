"""What is said when the memory of a device is not enough."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from genpipe.errors import OutOfMemory


@contextmanager
def memory_in_words(what: str, batch_images: int, device: torch.device, remedy: str) -> Iterator[None]:
    """Makes PyTorch's errors for want of memory an OutOfMemory."""
    try:
        yield
    except RuntimeError as error:
        if not (isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)):
            raise
        raise OutOfMemory(what, batch_images, *_capacity(device), remedy) from None


def _capacity(device: torch.device) -> tuple[str, int]:
    """What a device is called, and how many bytes of memory it has."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device), torch.cuda.get_device_properties(device).total_memory
    import psutil

    return "this computer", psutil.virtual_memory().total
