"""Each algorithm has a decay of its own."""

import pytest
from pydantic import ValidationError

from genpipe.config.training import Optim


@pytest.mark.parametrize(("algorithm", "own"), [("sgd", "momentum"), ("rmsprop", "alpha")])
def test_what_adam_takes_is_not_taken_for_another(algorithm: str, own: str) -> None:
    with pytest.raises(ValidationError, match=f"{algorithm} takes `{own}` where adam takes `betas`"):
        Optim(algorithm=algorithm, betas=(0.5, 0.9))
    assert getattr(Optim(algorithm=algorithm, betas=(0.5, 0.9), **{own: 0.7}), own) == 0.7
    assert Optim(algorithm=algorithm).betas == (0.9, 0.999)
