"""Two classes that a class-conditional system learns to tell apart in seconds."""

from collections.abc import Callable

import numpy as np
import pytest

from genpipe.data._batches import Batches
from genpipe.interfaces import Generative, ImageSpec
from genpipe.training.devices import fabric
from genpipe.training.knobs import Optim, Train
from genpipe.training.loop import fit, seed

SHADES = ImageSpec(1, 8, 8, ("dark", "bright"))


def shades(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Images of one grey level each, dark or bright, with a little noise."""
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 2
    level = np.where(labels, 200, 55) + rng.integers(-30, 31, n)
    return (level[:, None, None, None] + rng.integers(-10, 11, (n, *SHADES.shape))).astype(np.uint8), labels


@pytest.fixture
def taught() -> Callable[..., Generative]:
    """Builds a system for the shades from its class and knobs, and trains it for some steps."""

    def teach(system: type[Generative], knobs: dict[str, object], steps: int, optim: Optim) -> Generative:
        device = fabric("32-true")
        seed(0)
        model = system(system.Config(**knobs), SHADES)
        batches = Batches(*shades(256), size=32, seed=0, device=device.device)
        fit(model, batches, Train(steps=steps), {phase.name: optim for phase in model.phases()}, device=device)
        return model.eval()

    return teach
