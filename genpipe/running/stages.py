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
from genpipe.outputs import of_data, of_experiment, refuse_foreign
from genpipe.running import guarded
from genpipe.running.inputs import Inputs
from genpipe.running.setting_aside import set_aside, take_up
from genpipe.running.stopping import end_with_dvc

Facts = Iterator[Mapping[str, Any]]


def stage(
    name: str,
    run: Callable[[str, Inputs], Facts],
    arguments: list[str] | None = None,
    recorded: Callable[[str], None] = lambda key: None,
    in_place: bool = False,
) -> int:
    """Runs a stage for the key on the command line and notes how long it took; returns an exit status.

    What was set aside because its inputs had been edited is taken up again, if they are what they were, instead of
    running; nothing is set aside of a stage that takes up its own work `in_place`. `recorded` is called last in both
    cases. What a person did wrong ends in one message and the error's exit status, not in a traceback.
    """
    end_with_dvc()
    return guarded(lambda: _keyed(name, run, sys.argv[1:] if arguments is None else arguments, recorded, in_place))


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
    name: str,
    run: Callable[[str, Inputs], Facts],
    arguments: list[str],
    recorded: Callable[[str], None],
    in_place: bool,
) -> None:
    if not arguments:
        raise UsageError(f"python -m stages.{name} takes the name of what to run; none is given.")
    key = arguments[0]
    inputs = _begun(name, key)
    called = shlex.join(["python", "-m", f"stages.{name}", *arguments])
    if arguments != [key] and called != inputs.stage.command:  # since DVC has read params.yaml, perhaps hours ago
        raise InputsChanged(inputs.stage.name, [f"{paths.INDEX}: `{called}` has become `{inputs.stage.command}`"])
    mine = [place for place in (*of_data(key), *of_experiment(key)) if place.path.as_posix() in inputs.stage.outs]
    refuse_foreign(inputs.root, mine, "Move it elsewhere, and run again.")
    if take_up(inputs):
        print(f"{inputs.stage.name}: what it reads is again what it was; its result is taken up.", flush=True)
    else:
        _verified(inputs, name, key, run, in_place)
    recorded(key)


def _begun(name: str, key: str | None = None) -> Inputs:
    inputs = Inputs(root := paths.root(), wiring.stage(root, name, key))
    inputs.verify_fresh(BEGAN_NS)
    return inputs


def _verified(inputs: Inputs, name: str, key: str, run: Callable[[str, Inputs], Facts], in_place: bool) -> None:
    """Runs a stage; what it made of knobs that were edited meanwhile is set aside."""
    start = time.perf_counter()
    try:
        with noted() as warned, contextmanager(run)(key, inputs) as told:
            facts = dict(told) | ({"warnings": [*told.get("warnings", []), *warned]} if warned else {})
            timing = {"stage": name, "key": key, "wall_sec": time.perf_counter() - start, "facts": facts}
            write_json(paths.timing(name, key), timing)
            inputs.verify()
        inputs.verify()  # what came after may have taken long
    except InputsChanged as changed:
        raise InputsChanged(changed.stage, changed.moved, "" if in_place else _kept(inputs)) from None


def _kept(inputs: Inputs) -> str:
    """Sets aside what a stage made, and what there is to say of that."""
    try:
        kept = set_aside(inputs)
    except OSError as error:
        return f"What it made could not be kept ({error})."
    return "Undo the change first, and what it made is taken up again." if kept else ""


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
