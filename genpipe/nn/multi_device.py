"""Work on many chunks, spread over several devices with a process each; results equal those of one device."""

import io
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import Any, TypeVar

import torch

from genpipe.errors import GenpipeError, UsageError

VARIABLE = "GENPIPE_DEVICES"
Chunk = TypeVar("Chunk")
Result = TypeVar("Result")


def wanted_devices() -> int:
    """Returns the number of devices for sampling and features: GENPIPE_DEVICES, or 1; `all` is every GPU here.

    Without a GPU, processes on the CPU are counted. Raises UsageError if there are not so many.
    """
    given, gpus = os.environ.get(VARIABLE, "") or "1", torch.cuda.device_count()
    if given == "all":
        return max(gpus, 1)
    if not given.isdigit() or not int(given) or int(given) > (gpus or int(given)):
        raise UsageError(f"{VARIABLE} is '{given}', but should be `all` or a number from 1 to {gpus or 'any'}.")
    return int(given)


def spread(work: Callable[[Chunk], Result], chunks: Sequence[Chunk], devices: int = 1) -> list[Result]:
    """Returns the results of all chunks in order, from a number of devices; one device is the present one.

    Several devices have processes of their own, which get the work with the tensors in it and take the chunks in turns.
    So the work must be a function of a module or a method, and what it makes of a chunk a matter of that chunk alone.
    """
    devices = min(devices, len(chunks))
    if devices <= 1:
        return [work(chunk) for chunk in chunks]
    packed, context = io.BytesIO(), get_context("spawn")
    torch.save(work, packed)
    places = context.SimpleQueue()
    for place in range(devices):
        places.put(f"cuda:{place}" if torch.cuda.is_available() else "cpu")
    begin = packed.getvalue(), places, max(torch.get_num_threads() // devices, 1)
    try:
        with ProcessPoolExecutor(devices, context, _begin, begin) as pool:
            return list(pool.map(_work, chunks))
    except BrokenProcessPool:
        raise GenpipeError(
            f"one of {devices} processes was ended from outside, most likely because memory ran out. "
            f"Let fewer work at once: {VARIABLE}=1."
        ) from None


_here: list[Callable[[Any], Any]] = []
"""The work of this process, if it is one of several."""


def _begin(packed: bytes, places: Any, threads: int) -> None:
    """Unpacks the work on the device of this process."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    device = torch.device(places.get())
    if device.type == "cuda":
        torch.cuda.set_device(device)
    _here.append(torch.load(io.BytesIO(packed), map_location=device, weights_only=False))  # from memory, not a file


def _end_with_parent() -> None:
    """A pool's processes would outlive one that is killed."""
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _work(chunk: Any) -> Any:
    return _here[0](chunk)
