"""A laboratory for generative models in which an experiment is a short YAML file."""

import time

__version__ = "0.1.0"

BEGAN_NS = time.time_ns()
"""When this process began to import genpipe: code that was edited later may be another than the one that runs."""
