"""Memory of a device: kept between steps, and explained when it is not enough."""

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from genpipe.errors import OutOfMemory

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""As in malloc.h."""


def keep_freed_memory() -> None:
    """Lets the process keep freed memory, up to a gigabyte per block; works with glibc only.

    A step allocates what the last one freed, and to get that from the kernel anew takes a tenth of its time and more.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, 2**30)
        libc.mallopt(_M_TRIM_THRESHOLD, -1)


@contextmanager
def memory_in_words(what: str, batch_images: int, device: torch.device, remedy: str) -> Iterator[None]:
    """Turns PyTorch's out-of-memory errors into OutOfMemory."""
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
