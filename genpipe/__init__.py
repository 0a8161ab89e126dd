"""A laboratory for generative models in which an experiment is a short YAML file."""

__version__ = "0.1.0"
