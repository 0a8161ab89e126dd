import subprocess
import sys

import pytest

from genpipe import registry
from genpipe.errors import UnknownName, Unsuitable
from genpipe.interfaces import ImageSpec


@pytest.mark.parametrize("kind", registry.KINDS)
def test_every_file_of_an_open_folder_is_a_name_with_a_class_and_a_summary(kind: str) -> None:
    assert registry.names(kind)
    for name, package, summary in registry.summaries(kind):
        assert package == "genpipe"
        assert hasattr(registry.load(kind, name), "Config")
        assert summary.endswith("."), f"genpipe/{kind}/{name}.py opens with no sentence"


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"no system is called 'vea'\. Did you mean 'vae'\? Available: .*dcgan"):
        registry.load("models", "vea")


def test_names_with_an_underscore_and_paths_are_no_names() -> None:
    assert not [name for name in registry.names("data") if name.startswith("_")]
    for name in ("_storage", "../models/vae", "vae.py", ""):
        with pytest.raises(UnknownName):
            registry.load("data", name)


def test_listing_needs_no_torch() -> None:
    code = "import sys; from genpipe import registry; list(registry.summaries('models')); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_part_that_no_memory_holds_is_unsuitable() -> None:
    copies = registry.load("models", "copies")
    with pytest.raises(Unsuitable, match="no memory holds it, with these knobs and images of 1×30370005×30370005"):
        registry.outline(copies, copies.Config(), ImageSpec(1, 30370005, 30370005))


def test_an_outline_needs_no_compiler() -> None:
    code = (
        "import sys; from genpipe import registry; from genpipe.interfaces import ImageSpec;"
        "kind = registry.load('models', 'dcgan'); registry.outline(kind, kind.Config(), ImageSpec(1, 32, 32));"
        "print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
