"""What every model keeps, asked of each by the name of its file: a new one is tested without being mentioned."""

import re
from typing import get_args

import numpy as np
import pytest
import torch

from genpipe import registry
from genpipe.contract.models import the_same_seed_trains_the_same_weights
from genpipe.dataset.batches import BatchLoader
from genpipe.errors import Unsuitable
from genpipe.interfaces.spec import DataSpec, FieldSpec, Kind
from genpipe.standins import build, stored_fields
from genpipe.testing import CHECKS, SPECS, Check, NotApplicable


@pytest.mark.parametrize("name", registry.names("models"))
@pytest.mark.parametrize("spec", SPECS, ids=["gray-8x8", "rgb-16x24"])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_it_keeps_the_contract(name: str, spec: DataSpec, check: Check) -> None:
    torch.manual_seed(0)
    try:
        check(name, spec)
    except NotApplicable as why:
        pytest.skip(str(why))


@pytest.mark.parametrize("name", registry.names("models"))
def test_a_size_that_it_cannot_have_is_refused_with_the_nearest_that_it_can(name: str) -> None:
    """Others take images of any sides."""
    odd, even = (DataSpec(3, *sides, ("a", "b")) for sides in ((17, 25), (16, 24)))
    build(name, even)
    refused = ""
    try:
        build(name, odd)
    except Unsuitable as error:
        refused = str(error)
    assert not refused or re.search(r"17×25.*nearest: 16×24\. Change `image_size`", refused)


def test_a_vae_that_needs_fields_of_every_kind_gets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = get_args(Kind)
    monkeypatch.setattr(registry.load("models", "vae"), "fields", {kind: kind for kind in kinds})
    told = FieldSpec("label_map", (8, 8), 7)
    model = build("vae", DataSpec(1, 8, 8, ("a", "b"), fields={"label_map": told, "other": FieldSpec("number")}))
    spec = model.init_args[1]
    assert spec.fields.keys() == {*kinds, "other"}
    assert spec.fields["label_map"] == told, "what is said of a field is kept"
    images, fields = np.zeros((24, 1, 8, 8), np.uint8), stored_fields(model, 24)
    batch = BatchLoader(images, None, size=24, seed=0, device=torch.device("cpu"), fields=fields).batch(0)
    assert {name: values.shape[1:] for name, values in batch.fields.items()} == {
        kind: spec.fields[kind].shape for kind in kinds
    }
    assert batch.fields["label_map"].unique().tolist() == list(range(7))
    the_same_seed_trains_the_same_weights("vae", SPECS[1])
