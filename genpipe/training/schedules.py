"""Learning-rate schedules: functions of the step alone, so a checkpoint does not store them."""

from math import cos, pi

from genpipe.config.training import Optim


def changes(knobs: Optim) -> bool:
    """Returns whether the learning rate ever differs from `lr`."""
    return knobs.schedule != "constant" or knobs.warmup_steps > 0


def learning_rate(knobs: Optim, done: int, steps: int) -> float:
    """Returns the learning rate of the step after `done` of `steps` steps.

    It rises to `lr` over the warm-up, in Goyal et al.'s way (2017, arXiv:1706.02677, section 2.2), and then falls;
    cosine is Loshchilov & Hutter's half wave without restarts (2017, arXiv:1608.03983, eq. 5).
    """
    if done < knobs.warmup_steps:
        return knobs.lr * (done + 1) / knobs.warmup_steps
    progress = (done - knobs.warmup_steps) / max(steps - knobs.warmup_steps, 1)
    match knobs.schedule:
        case "constant":
            return knobs.lr
        case "linear":
            return knobs.lr * (1 - progress)
        case "cosine":
            return knobs.lr * (1 + cos(pi * progress)) / 2
        case "step":
            return knobs.lr * knobs.decay_factor ** sum(done >= step for step in knobs.decay_at_steps)
