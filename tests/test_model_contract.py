"""What every system keeps, asked of each by the name of its file: a new one is tested without being mentioned."""

import pytest
import torch

from genpipe import registry
from genpipe.interfaces import ImageSpec
from genpipe.testing import CHECKS, SPECS, Check, NotApplicable


@pytest.mark.parametrize("name", registry.names("models"))
@pytest.mark.parametrize("spec", SPECS, ids=["grey-8", "rgb-16"])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_it_keeps_the_contract(name: str, spec: ImageSpec, check: Check) -> None:
    torch.manual_seed(0)
    try:
        check(name, spec)
    except NotApplicable as why:
        pytest.skip(str(why))
