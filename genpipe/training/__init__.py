"""Training: one loop for every system, checkpoints, averaging and what a person sees of it."""
