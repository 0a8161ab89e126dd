"""What a stage adds to outputs that persist, trusted only if it is known what it was made of.

A stage takes up what it finds there by a key, which it computes at its beginning. If a file is edited while it runs,
what it stores from then on is not what the key says.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from genpipe import paths
from genpipe.files import read_json, write_json
from genpipe.running.inputs import Inputs


@contextmanager
def doubted(inputs: Inputs) -> Iterator[None]:
    """Removes at the end what persists of a stage, if nobody knows in which state it read a file.

    Of a stage that was killed meanwhile, the next one does, if any file has been touched since the killed one began.
    """
    if not inputs.stage.persists:
        yield
        return
    begun, stamps = paths.begun(inputs.root, inputs.stage.name), {k: list(v) for k, v in inputs.files.items()}
    if begun.exists() and _noted(begun) != stamps:
        _remove(inputs)
    write_json(begun, stamps)
    try:
        yield
    finally:
        if inputs.doubtful():
            _remove(inputs)
        begun.unlink()


def _noted(begun: Path) -> object:
    try:
        return read_json(begun)
    except ValueError:  # damaged
        return None


def _remove(inputs: Inputs) -> None:
    for output in (inputs.root / path for path in inputs.stage.persists):
        if output.exists():
            shutil.rmtree(output)
