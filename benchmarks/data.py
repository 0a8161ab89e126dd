"""Images a second of preparing CIFAR-10 from its archive, against torchvision's ImageFolder with a DataLoader.

    python benchmarks/data.py [--archive cifar10-jpeg.tar.xz] [--workers 2] [--rounds 3]

Both have the same number of workers, and take turns. genpipe unpacks, decodes and writes the arrays with their digest;
ImageFolder finds the pictures unpacked already (by tar, timed apart) and only hands out batches. What counts is the
ratio. The first time, genpipe also lists the archive; later it remembers the list.
"""

import argparse
import json
import os
import subprocess
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

DEFAULT = Path(os.environ.get("GENPIPE_TEST_DATA", "../shared/data")) / "cifar10-jpeg.tar.xz"
PARTS = ("train", "test")
IMAGES = 60_000


def genpipe_images(archive: Path, folder: Path, workers: int) -> int:
    """How many images have been prepared."""
    from genpipe import registry
    from genpipe.dataset.preparing import prepare

    kind = registry.load("data", "archive")
    source = kind(kind.Config(path=str(archive.resolve())), Path())
    prepared = prepare(source, image_size=32, resize_mode="crop", seed=0, folder=folder, workers=workers)
    return sum(len(prepared.images(part)) for part in PARTS)


def torchvision_images(folder: Path, workers: int) -> int:
    """How many images have been handed out."""
    from torch.utils.data import DataLoader
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import PILToTensor

    sets = [ImageFolder(str(folder / part), PILToTensor()) for part in PARTS]
    loaders = [DataLoader(images, batch_size=256, num_workers=workers) for images in sets]
    return sum(len(x) for loader in loaders for x, _ in loader)


def rate(work: Callable[[], int]) -> float:
    """Images a second."""
    begun = perf_counter()
    return work() / (perf_counter() - begun)


def measure(archive: Path, workers: int, rounds: int) -> dict[str, object]:
    """The rates of both, the median of some rounds, and their ratio."""
    import_module("genpipe.dataset.preparing")
    import_module("torchvision.datasets")
    with TemporaryDirectory(prefix="genpipe-") as temporary:
        folder = Path(temporary)
        os.environ["GENPIPE_CACHE"] = str(folder / "cache")
        (folder / "pictures").mkdir()
        begun = perf_counter()
        subprocess.run(["tar", "-xf", str(archive.resolve())], cwd=folder / "pictures", check=True)
        unpacking_sec = perf_counter() - begun
        ours = [rate(lambda: genpipe_images(archive, folder / "cold", workers))]
        theirs = []
        for _ in range(rounds):
            ours.append(rate(lambda: genpipe_images(archive, folder / "warm", workers)))
            theirs.append(rate(lambda: torchvision_images(folder / "pictures", workers)))
    known, loader = median(ours[1:]), median(theirs)
    unpacked = 1 / (1 / loader + unpacking_sec / IMAGES)
    return {
        "workers": workers,
        "genpipe_images_per_sec": round(known),
        "genpipe_first_time_images_per_sec": round(ours[0]),
        "image_folder_images_per_sec": round(loader),
        "ratio": round(known / loader, 2),
        "ratio_first_time": round(ours[0] / loader, 2),
        "image_folder_with_unpacking_images_per_sec": round(unpacked),
        "ratio_with_unpacking": round(known / unpacked, 2),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--archive", type=Path, default=DEFAULT)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    print(json.dumps(measure(given.archive, given.workers, given.rounds), indent=2))
