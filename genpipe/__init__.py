"""A laboratory for generative models in which an experiment is a short YAML file.

From Python: `genpipe.open("vae").sample(16)`; see docs/python.md. Promised is what `__all__` names, and `open`, which
is left out of it so that `from genpipe import *` leaves Python's own.
"""

import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genpipe.api.images import Images, images
    from genpipe.api.models import Model
    from genpipe.api.opening import open as open  # noqa: A004 - genpipe.open is how it is called
    from genpipe.api.scores import score
    from genpipe.api.tables import leaderboard
    from genpipe.api.training import build, fit

__version__ = "0.1.0"
__all__ = ["Images", "Model", "build", "fit", "images", "leaderboard", "score"]

BEGAN_NS = time.time_ns()
"""When this process began to import genpipe: code that was edited later may be another than the one that runs."""
_PLACES = {
    **dict.fromkeys(("Images", "images"), "images"),
    "Model": "models",
    "open": "opening",
    "score": "scores",
    "leaderboard": "tables",
    **dict.fromkeys(("build", "fit"), "training"),
}
"""The files of genpipe/api, which are imported once they are asked for."""


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'genpipe' has no attribute '{name}'")
    return getattr(import_module(f"genpipe.api.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PLACES])
