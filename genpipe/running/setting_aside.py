"""What a stage made of inputs that are there no more, kept until they are there again.

An edit that is undone then costs seconds, not the hours that the stage took.
"""

import shutil
from pathlib import Path

from genpipe import paths
from genpipe.files import read_json, whole_folder, write_json
from genpipe.running.inputs import Inputs

_INPUTS, _OUTPUTS = "inputs.json", "outputs"


def set_aside(inputs: Inputs) -> bool:
    """Moves what a stage made out of the project, beside a fingerprint of what it was made of; returns whether it did.

    It does not if nobody knows in which state a file was read; nor if some of what the stage makes stays in its place,
    from where the stage itself takes it up.
    """
    made = [inputs.root / output for output in inputs.stage.outs]
    if inputs.stage.persists or inputs.doubtful() or not all(output.exists() for output in made):
        return False
    if (fingerprint := inputs.fingerprint()) is None:
        return False
    with whole_folder(paths.finished(inputs.stage.name)) as folder:
        for output in inputs.stage.outs:
            _move(inputs.root / output, folder / _OUTPUTS / output)
        write_json(folder / _INPUTS, fingerprint)
    return True


def take_up(inputs: Inputs) -> bool:
    """Puts what was set aside back into its place, if it was made of just these inputs; returns whether it was.

    Raises InputsChanged if something was edited while they were compared.
    """
    folder = paths.finished(inputs.stage.name)
    if not (folder / _INPUTS).exists() or _made_of(folder) != inputs.fingerprint():
        return False
    inputs.verify()
    (folder / _INPUTS).unlink()  # killed after that, nothing is left that could be taken for the whole
    for output in inputs.stage.outs:
        _move(folder / _OUTPUTS / output, inputs.root / output)
    shutil.rmtree(folder)
    return True


def _made_of(folder: Path) -> object:
    try:
        return read_json(folder / _INPUTS)
    except ValueError:  # damaged, and so of no use
        return object()


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir():
        shutil.rmtree(target)
    shutil.move(source, target)
