"""What every model keeps, asked of each by the name of its file: a new one is tested without being mentioned."""

import pytest
import torch

from genpipe import registry
from genpipe.interfaces.spec import DataSpec
from genpipe.testing import CHECKS, SPECS, Check, NotApplicable


@pytest.mark.parametrize("name", registry.names("models"))
@pytest.mark.parametrize("spec", SPECS, ids=["gray-8", "rgb-16"])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_it_keeps_the_contract(name: str, spec: DataSpec, check: Check) -> None:
    torch.manual_seed(0)
    try:
        check(name, spec)
    except NotApplicable as why:
        pytest.skip(str(why))
