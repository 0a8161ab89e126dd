"""Training: one loop for every model, checkpoints, averaging and what a person sees of it."""
