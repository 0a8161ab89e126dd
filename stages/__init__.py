"""The stages of dvc.yaml, one thin script each."""

import gc

gc.set_threshold(
    100_000
)  # imports make a million objects that stay; to look them over time and again takes 0.6 s of a stage
