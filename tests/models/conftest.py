"""Two classes that a class-conditional model learns to tell apart in seconds."""

from collections.abc import Callable

import numpy as np
import pytest

from genpipe.config.training import Optim, Train
from genpipe.dataset.batches import BatchLoader
from genpipe.interfaces.generative import Generative
from genpipe.interfaces.spec import DataSpec
from genpipe.training.devices import fabric
from genpipe.training.loop import fit, seed

SHADES = DataSpec(1, 8, 8, ("dark", "bright"))


def shades(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Images of one gray level each, dark or bright, with a little noise."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 2
    level = np.where(labels, 200, 55) + rng.integers(-30, 31, n)
    return (level[:, None, None, None] + rng.integers(-10, 11, (n, *SHADES.shape))).astype(np.uint8), labels


@pytest.fixture
def taught() -> Callable[..., Generative]:
    """Builds a model for the shades from its class and knobs, and trains it for some steps."""

    def teach(model_class: type[Generative], knobs: dict[str, object], steps: int, optim: Optim) -> Generative:
        device = fabric("32-true")
        seed(0)
        model = model_class(model_class.Config(**knobs), SHADES)
        batches = BatchLoader(*shades(256), size=32, seed=0, device=device.device)
        fit(model, batches, Train(steps=steps), {phase.name: optim for phase in model.phases()}, device=device)
        return model.eval()

    return teach
