"""Training: one loop for every model, with checkpoints, weight averaging and progress."""
