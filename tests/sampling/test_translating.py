"""Attributes as they are asked for, and what of given conditions is none."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from genpipe import registry
from genpipe.config.project import load_project
from genpipe.contract.translating import attributes_are_changed_as_asked
from genpipe.contract.trials import Broken
from genpipe.dataset.pairing import paired_masks
from genpipe.errors import DataError, GenpipeError
from genpipe.interfaces.sources import MapFile
from genpipe.interfaces.spec import DataSpec, FieldSpec
from genpipe.sampling.translating import changed

NAMES = ("bold", "kind=disc", "kind=star", "kind=square")
SPEC = FieldSpec("attributes", (4,), names=NAMES)
KNOWN = np.array([[0, 1, 0, 0], [1, 0, 0, 1]], np.float32)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"bold": True}, [[1, 1, 0, 0], [1, 0, 0, 1]]),
        ({"bold": 0}, [[0, 1, 0, 0], [0, 0, 0, 1]]),
        ({"kind": "star"}, [[0, 0, 1, 0], [1, 0, 1, 0]]),
        ({"kind": "disc", "bold": 1}, [[1, 1, 0, 0], [1, 1, 0, 0]]),
    ],
)
def test_attributes_that_are_not_asked_for_stay(changes: dict[str, Any], expected: list[list[int]]) -> None:
    before = KNOWN.copy()
    assert changed(KNOWN, changes, SPEC).tolist() == expected
    np.testing.assert_array_equal(KNOWN, before)


def test_attributes_without_names_have_numbers() -> None:
    assert changed(KNOWN, {"2": True}, FieldSpec("attributes", (4,)))[:, 2].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "give values of some: bold, kind"),
        (
            {"kind": "dics"},
            "no value of the attribute 'kind' is called 'dics'. Did you mean 'disc'? Available: disc, squ",
        ),
        ({"kind": True}, "no value of the attribute 'kind' is called 'True'"),
        ({"knid": "disc"}, "Did you mean 'kind'"),
        ({"bold": 2}, "the attribute 'bold' is 2; it may be true or false"),
        ({"bold": [1]}, "the attribute 'bold' is "),
    ],
)
def test_what_no_attribute_may_be_is_said(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(GenpipeError, match=said.replace("?", r"\?")):
        changed(KNOWN, changes, SPEC)


def test_masks_are_found_by_name_and_may_be_left_over() -> None:
    masks = [(name, name.encode()) for name in ("m/1.png", "m/2.png", "m/10.png")]
    found = paired_masks(masks, [("010.jpg", b""), ("002.jpg", b"")], 7)
    assert found == [("m/10.png", MapFile(b"m/10.png", None, 7)), ("m/2.png", MapFile(b"m/2.png", None, 7))]
    with pytest.raises(DataError, match=r"Without are 3\.png\. Rename"):
        paired_masks(masks, [("1.png", b""), ("3.png", b"")], None)
    with pytest.raises(DataError, match=r"Without are 1\.jpg, 1\.png"):
        paired_masks(masks, [("1.jpg", b""), ("1.png", b"")], None)


def test_the_contract_asks_an_editor_for_the_attributes_of_images(
    picture_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(picture_models)
    load_project()
    spec, kind = DataSpec(1, 16, 16, ("a", "b")), registry.load("models", "editor")
    attributes_are_changed_as_asked("editor", spec)
    monkeypatch.setattr(kind, "attributes_of", lambda self, x: torch.full((len(x), 2), 0.5))
    with pytest.raises(Broken, match="attributes of images are neither 0 nor 1"):
        attributes_are_changed_as_asked("editor", spec)
