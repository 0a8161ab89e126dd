"""One stage of the graph as a process: its key, its time, its inputs."""

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from genpipe import BEGAN_NS, paths, wiring
from genpipe.errors import InputsChanged, UsageError
from genpipe.files import write_json
from genpipe.running import guarded
from genpipe.running.inputs import Inputs
from genpipe.running.setting_aside import set_aside, take_up
from genpipe.running.stopping import end_with_dvc

Facts = Mapping[str, Any]


def stage(
    name: str,
    run: Callable[[str, Inputs], Facts | None],
    arguments: list[str] | None = None,
    recorded: Callable[[str], None] = lambda key: None,
) -> int:
    """Runs a stage for the key on the command line and notes how long it took; gives an exit status.

    What was set aside because its inputs had been edited is taken up again, if they are what they were, instead of
    running. `recorded` is called last, when the results are sure to be those of the inputs. What a person did wrong
    ends in one message and the error's exit status, not in a traceback.
    """
    end_with_dvc()
    return guarded(lambda: _keyed(name, run, sys.argv[1:] if arguments is None else arguments, recorded))


def single(name: str, run: Callable[[Inputs], None]) -> int:
    """Runs a stage that there is once; gives an exit status."""

    def verified() -> None:
        inputs = _begun(name)
        run(inputs)
        inputs.verify()

    return guarded(verified)


def _keyed(
    name: str, run: Callable[[str, Inputs], Facts | None], arguments: list[str], recorded: Callable[[str], None]
) -> None:
    if len(arguments) != 1:
        raise UsageError(f"python -m stages.{name} takes one name, but {len(arguments)} are given: {arguments}.")
    key = arguments[0]
    inputs = _begun(name, key)
    if take_up(inputs):
        print(f"{inputs.stage.name}: what it reads is again what it was; its result is taken up.", flush=True)
    else:
        _verified(inputs, key, run)
    recorded(key)


def _begun(name: str, key: str | None = None) -> Inputs:
    inputs = Inputs(root := paths.root(), wiring.stage(root, name, key))
    inputs.verify_fresh(BEGAN_NS)
    return inputs


def _verified(inputs: Inputs, key: str, run: Callable[[str, Inputs], Facts | None]) -> None:
    """Runs a stage; what it made of inputs that were edited meanwhile is set aside."""
    start, name = time.perf_counter(), inputs.stage.name.partition("@")[0]
    try:
        facts = run(key, inputs)
        timing = {"stage": name, "key": key, "wall_sec": time.perf_counter() - start, "facts": dict(facts or {})}
        write_json(paths.timing(name, key), timing)
        inputs.verify()
    except InputsChanged:
        set_aside(inputs)
        raise
