"""One stage of the graph as a process: its key, its time, its inputs.

What a stage runs is a generator. It verifies its inputs once it has read its knobs, and yields its facts once all its
files are written. What comes after that is done only if nothing that it had read was edited meanwhile; else
InputsChanged is raised where it waits.
"""

import shlex
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from genpipe import BEGAN_NS, paths, wiring
from genpipe.errors import InputsChanged, ModelWarning, UsageError
from genpipe.files import write_json
from genpipe.running import guarded
from genpipe.running.doubting import doubted
from genpipe.running.inputs import Inputs
from genpipe.running.setting_aside import set_aside, take_up
from genpipe.running.stopping import end_with_dvc

Facts = Iterator[Mapping[str, Any]]


def stage(
    name: str,
    run: Callable[[str, Inputs], Facts],
    arguments: list[str] | None = None,
    recorded: Callable[[str], None] = lambda key: None,
) -> int:
    """Runs a stage for the key on the command line and notes how long it took; returns an exit status.

    What was set aside because its inputs had been edited is taken up again, if they are what they were, instead of
    running. `recorded` is called last in both cases. What a person did wrong ends in one message and the error's exit
    status, not in a traceback.
    """
    end_with_dvc()
    return guarded(lambda: _keyed(name, run, sys.argv[1:] if arguments is None else arguments, recorded))


def single(name: str, run: Callable[[], Callable[[], object] | None]) -> int:
    """Runs a stage that there is once, then what it gives to be done with a sure result; returns an exit status."""

    def verified() -> None:
        inputs = _begun(name)
        after = run()
        inputs.verify()
        if after:
            after()
            inputs.verify()

    return guarded(verified)


def _keyed(
    name: str, run: Callable[[str, Inputs], Facts], arguments: list[str], recorded: Callable[[str], None]
) -> None:
    if not arguments:
        raise UsageError(f"genpipe-stage {name} takes the name of what to run; none is given.")
    key = arguments[0]
    inputs = _begun(name, key)
    called = shlex.join(["genpipe-stage", name, *arguments])
    if arguments != [key] and called != inputs.stage.command:  # since DVC has read params.yaml, perhaps hours ago
        raise InputsChanged(inputs.stage.name, [f"{paths.INDEX}: `{called}` has become `{inputs.stage.command}`"])
    if take_up(inputs):
        print(f"{inputs.stage.name}: what it reads is again what it was; its result is taken up.", flush=True)
    else:
        _verified(inputs, name, key, run)
    recorded(key)


def _begun(name: str, key: str | None = None) -> Inputs:
    inputs = Inputs(root := paths.root(), wiring.stage(root, name, key))
    inputs.verify_fresh(BEGAN_NS)
    inputs.verify_recorded()
    return inputs


def _verified(inputs: Inputs, name: str, key: str, run: Callable[[str, Inputs], Facts]) -> None:
    """Runs a stage; what it made is set aside if what it was made of was edited meanwhile and is known."""
    start, made = time.perf_counter(), False
    try:
        with doubted(inputs), noted() as warned, contextmanager(run)(key, inputs) as told:
            facts = dict(told) | ({"warnings": [*told.get("warnings", []), *warned]} if warned else {})
            wall_sec = time.perf_counter() - start
            timing = {"stage": name, "key": key, "wall_sec": wall_sec, "facts": facts, "code": inputs.code}
            write_json(paths.timing(name, key), timing)
            made = True
            inputs.verify()
        inputs.verify()  # what came after may have taken long
    except InputsChanged as changed:
        raise InputsChanged(changed.stage, changed.moved, _kept(inputs) if made else changed.remark) from None


def _kept(inputs: Inputs) -> str:
    """Sets aside what a stage made, and what there is to say of that."""
    try:
        if set_aside(inputs):
            return "Undo the change first, and what it made is taken up again."
    except OSError as error:
        return f"What it made could not be kept ({error})."
    if inputs.doubtful():
        return "What it made is not kept, for it may have read some of that before and after the change."
    return f"What it made is not kept{', but for ' if inputs.stage.persists else ''}{', '.join(inputs.stage.persists)}."


@contextmanager
def noted() -> Iterator[list[str]]:
    """The texts of all `ModelWarning`s while the block runs, each once; they are shown nevertheless."""
    found, show = list[str](), warnings.showwarning

    def note(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if issubclass(category, ModelWarning):
            found.append(str(message))
        show(message, category, *where, **more)

    warnings.showwarning = note
    try:
        yield found
    finally:
        warnings.showwarning = show
