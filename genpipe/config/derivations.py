"""The derivations of a data set, built for its images."""

from collections.abc import Mapping
from dataclasses import replace

from genpipe import registry
from genpipe.errors import Unsuitable
from genpipe.interfaces.derivations import Derivation
from genpipe.interfaces.spec import DataSpec
from genpipe.schema import Strict


def field_name(name: str) -> str:
    """The field that a derivation makes: `lab.mine` makes `mine`."""
    return name.rpartition(".")[2]


def derivation(name: str, config: Strict, spec: DataSpec) -> Derivation:
    """A derivation for images. Raises Unsuitable if it cannot be made of them."""
    made: Derivation = registry.load("derivations", name)(config, replace(spec, fields={}))
    return made


def with_derived(spec: DataSpec, configs: Mapping[str, Strict]) -> DataSpec:
    """The description of images that also have the fields that are made of them.

    Raises Unsuitable if one cannot be made, or if the images have a field of that name already.
    """
    fields = dict(spec.fields)
    for name, config in configs.items():
        if field_name(name) in fields:
            raise Unsuitable(f"the images have a field '{field_name(name)}' already. Take this one out.")
        fields[field_name(name)] = derivation(name, config, spec).field
    return replace(spec, fields=fields)
