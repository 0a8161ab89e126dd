"""Images a second of the FID paper's network here, in torch-fidelity, and of torchvision's Inception v3.

    python benchmarks/features.py [--images 96] [--batch-size 32] [--size 32] [--threads 2] [--rounds 3]

All have random weights and see the same images on the same threads, or on the GPU where there is one; they take turns.
What counts are the ratios to torch-fidelity. `difference` is how far features are from torch-fidelity's, relative to
their length; torchvision's network is another one and has no such figure.
"""

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import torch
from torch import Tensor, nn

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
Extract = Callable[[np.ndarray], np.ndarray]


def write_random_weights(file: Path) -> None:
    """Writes weights for the FID paper's network, calibrated so that activations neither vanish nor explode."""
    from genpipe.extractors import _inception

    torch.manual_seed(0)
    body = _inception.convolutions()
    for module in body.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.bias, 0.5, 0.2)
            module.momentum = 1.0
    resizing = _inception.resizing(32, _inception.SIZE)
    with torch.no_grad():
        body.train()(resizing @ (torch.rand(4, 3, 32, 32) * 2 - 1) @ resizing.T)
    last = nn.Linear(2048, _inception.CLASSES).state_dict(prefix="fc.")
    torch.save(body.state_dict() | last, file)


def ours(name: str, weights: Path, size: int, batch_size: int) -> Extract:
    """An extractor of genpipe."""
    from genpipe import registry
    from genpipe.extractors import _inception, _weights
    from genpipe.interfaces.spec import DataSpec

    os.environ[_weights.VARIABLE] = str(weights)
    _inception.PUBLISHED = _weights.Published("random.pth", _weights.sha256(weights))
    kind = registry.load("extractors", name)
    extractor = kind(kind.Config(batch_size=batch_size), DataSpec(3, size, size))
    return lambda images: extractor.extract(images).features


def torch_fidelity(weights: Path, batch_size: int) -> Extract:
    """torch-fidelity's extractor, with the two layers that FID and Inception Score look at."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    layers = ["2048", "logits_unbiased"]
    net = FeatureExtractorInceptionV3("inception-v3-compat", layers, feature_extractor_weights_path=str(weights))
    net.to(DEVICE)
    return lambda images: batched(lambda x: net(x)[0], images, batch_size)


def torchvision(batch_size: int) -> Extract:
    """torchvision's Inception v3 with the transforms of its weights, and its logits."""
    from torchvision.models import Inception_V3_Weights, inception_v3

    net, prepare = inception_v3(weights=None, init_weights=False).eval().to(DEVICE), Inception_V3_Weights.DEFAULT
    transform = prepare.transforms()
    return lambda images: batched(lambda x: net(transform(x)), images, batch_size)


def batched(look: Callable[[Tensor], Tensor], images: np.ndarray, batch_size: int) -> np.ndarray:
    """What a network makes of images, batch by batch."""
    with torch.inference_mode():
        return torch.cat([look(x.to(DEVICE)).cpu() for x in torch.from_numpy(images).split(batch_size)]).numpy()


def measure(images: int, batch_size: int, size: int, rounds: int) -> dict[str, object]:
    """The rates of all, the median of some rounds; their ratios to torch-fidelity, and the difference of features."""
    pixels = np.random.default_rng(0).integers(0, 256, (images, 3, size, size), dtype=np.uint8)
    with TemporaryDirectory(prefix="genpipe-") as folder:
        weights = Path(folder) / "inception.pth"
        write_random_weights(weights)
        extractors = {
            "torch_fidelity": torch_fidelity(weights, batch_size),
            "inception": ours("inception", weights, size, batch_size),
            "inception_bf16": ours("inception_bf16", weights, size, batch_size),
            "torchvision": torchvision(batch_size),
        }
    features = {name: extract(pixels[:batch_size]) for name, extract in extractors.items()}  # warms up, too
    rates: dict[str, list[float]] = {name: [] for name in extractors}
    for _ in range(rounds):
        for name, extract in extractors.items():
            begun = perf_counter()
            extract(pixels)
            rates[name].append(images / (perf_counter() - begun))
    theirs, expected = median(rates["torch_fidelity"]), features["torch_fidelity"]
    return {
        "device": str(DEVICE),
        "threads": torch.get_num_threads(),
        "images_per_sec": {name: round(median(each), 1) for name, each in rates.items()},
        "ratio": {name: round(median(each) / theirs, 2) for name, each in rates.items()},
        "difference": {
            name: float(f"{np.linalg.norm(features[name] - expected) / np.linalg.norm(expected):.1e}")
            for name in ("inception", "inception_bf16")
        },
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--images", type=int, default=96)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    print(json.dumps(measure(given.images, given.batch_size, given.size, given.rounds), indent=2))
