"""Which code a result depends on: module → SHA-256, of all that a stage and the parts that YAML names import.

`dvc.yaml` names no code. The stage `code` writes one file for each stage and experiment or data set, and leaves a file
alone whose text is the same: so a stage runs again if code that it runs has changed, and for no other reason. This
module needs the standard library alone, and PyYAML where a YAML file has changed, for it runs at every `dvc repro`.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache, partial
from itertools import accumulate, chain
from pathlib import Path
from typing import Any

from genpipe import mentions, packages, paths
from genpipe.mentions import Parts
from genpipe.packages import GENPIPE, Packages

FRAME = {
    "genpipe.config.compatibility": "refuses what does not fit together",
    "genpipe.config.data_spec": "reads and writes what a model was made for",
    "genpipe.config.document": "reads YAML as DVC does, with lines",
    "genpipe.config.prerequisites": "refuses what cannot be had",
    "genpipe.config.project": "hands on what YAML says, which DVC compares; defaults are in schemas, which count",
    "genpipe.config.renamed": "are words",
    "genpipe.config.validation": "refuses what no schema allows",
    "genpipe.config.wiring": "reads dvc.yaml",
    "genpipe.errors": "are words",
    "genpipe.files": "reads and writes bytes as they are",
    "genpipe.fingerprints": "says what counts, and is none of it",
    "genpipe.mentions": "says what counts, and is none of it",
    "genpipe.packages": "finds a file by its name",
    "genpipe.paths": "are places",
    "genpipe.artifacts.prerequisites": "hands on what other stages have made, whose hashes DVC compares",
    "genpipe.provenance": "are keys and tags of what was made",
    "genpipe.registry": "finds a file by its name",
    "genpipe.running": "runs, stops and times stages",
    "genpipe.schema": "refuses what no schema knows",
    "genpipe.tracking": "copies results to MLflow",
}
"""Modules that decide no figure, and why: what they hold is followed no further, and counts for no stage."""
STAGES: Mapping[str, tuple[str, ...]] = {
    "check": packages.PARTS,
    "prepare": ("data", "derivations"),
    "reference": ("extractors",),
    "train": ("models", "derivations"),
    "sample": ("models",),
    "evaluate": ("models", "extractors", "metrics", "analyses"),
    "report": (),
}
"""The stages, and of which open folders each runs the files that YAML names."""
_BESIDE = {
    "prepare": "genpipe.config.datasets",
    "check": paths.PREREQUISITES_WIRING.as_posix(),
}
"""Where defaults stand that a stage reads and does not import by itself; and what `check` compares, where it is."""
OF_DATA, SINGLE = ("prepare", "reference"), ("check", "report")
NOTHING = "{}"
"""What is written of an experiment that needs nothing but data before it trains."""
Code = dict[str, str]
"""The SHA-256 of each module's file."""
_MOST_REMEMBERED = 1000
_EDITION = hashlib.sha256(b"".join(Path(file).read_bytes() for file in (__file__, mentions.__file__))).hexdigest()[:8]
"""What another edition of these files has found is not remembered."""


def of_stage(root: Path, stage: str, key: str | None = None) -> Code:
    """Returns the code that a stage runs for one experiment or data set; if YAML names none, that of the stage."""
    with Reader(root) as reader:
        return reader.of_stage(stage, key)


def of_modules(root: Path, modules: Iterable[str]) -> Code:
    """Returns the code of some modules and all that they import."""
    with Reader(root) as reader:
        return reader.closure(modules)


def digest(code: Code) -> str:
    """Returns one hash of it all."""
    return hashlib.sha256(json.dumps(code, sort_keys=True).encode()).hexdigest()


def differences(before: Code, now: Code) -> Iterator[str]:
    """Yields what there is to say of each module that is not what it was: "genpipe.nn.spectral has changed"."""
    for module in sorted({*before, *now}):
        if module not in now:
            yield f"{module} is used no more"
        elif module not in before:
            yield f"{module} is new"
        elif before[module] != now[module]:
            yield f"{module} has changed"


def source_file(root: Path, module: str, present: Callable[[str], bool] = os.path.isfile) -> Path | None:
    """Returns the file of a module, or of the data beside one ("genpipe/reporting/page.css.j2"); None if elsewhere."""
    if "/" in module:
        wanted = [f"{at}/{module}" for at in (root, packages.LIBRARY)]
    else:
        stem = f"{packages.LIBRARY if module.split('.')[0] == GENPIPE else root}/{module.replace('.', '/')}"
        wanted = [f"{stem}/__init__.py", f"{stem}.py"]  # Python takes the package, if there are both
    return next((Path(file) for file in wanted if present(file)), None)


def write(root: Path) -> None:
    """Writes the code of all stages of a project, and removes what is of none; same text, untouched file.

    Also writes that an experiment needs nothing before it trains, where no stage says what it needs.
    """
    with Reader(root) as reader:
        reader.write()


class Reader:
    """Reads a project's YAML and code, and remembers by the hash of a file what is in it."""

    def __init__(self, root: Path) -> None:
        self.root, self.memory = root, paths.private(paths.home(root)) / "code.json"
        self.known, self.used = _remembered(self.memory), dict[str, Any]()
        self.hash_of = cache(self._hash_of)
        self.listing, self.imports = cache(_listing), cache(self._imports)
        self.source_file = cache(partial(source_file, root, present=self._present))
        self.index = self._facts(root / paths.INDEX, mentions.index, "an index")
        self.needing = self._facts(root / paths.PREREQUISITES_WIRING, mentions.prerequisites, "prerequisites")
        self.packages = Packages(root, self.index["package"])
        self.modules = cache(self.packages.modules)

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        if not self.used.keys() <= self.known.keys():
            found = {**self.known, **self.used}
            with suppress(OSError):  # it saves time, and is needed for nothing
                _replace(self.memory, json.dumps(found if len(found) <= _MOST_REMEMBERED else self.used))

    def write(self) -> None:
        """Writes the code of all stages, and that an experiment needs nothing; removes what is of none."""
        codes = {paths.code(stage, key): self.of_stage(stage, key) for stage, key in self.stages()}
        wanted = {file: json.dumps(code, indent=1, sort_keys=True) + "\n" for file, code in codes.items()}
        wanted |= {paths.prerequisites(name): NOTHING for name in self.experiments if name not in self.needing}
        for file, text in wanted.items():
            if not (self.root / file).is_file() or (self.root / file).read_text(encoding="utf-8") != text:
                _replace(self.root / file, text)
        made = {*wanted, *map(paths.prerequisites, self.experiments)}
        for file in chain((self.root / paths.CODE).rglob("*.json"), (self.root / paths.PREREQUISITES).glob("*.json")):
            if file.relative_to(self.root) not in made:
                file.unlink()

    @property
    def datasets(self) -> list[str]:
        """The data sets of params.yaml; none if it is no such file."""
        return list(self.index["datasets"])

    @property
    def experiments(self) -> list[str]:
        """The experiments of params.yaml; none if it is no such file."""
        return list(self.index["experiments"])

    def stages(self) -> Iterator[tuple[str, str | None]]:
        """All stages there are, with the experiment or data set."""
        for stage in STAGES:
            if stage in SINGLE:
                yield stage, None
            else:
                yield from ((stage, key) for key in (self.datasets if stage in OF_DATA else self.experiments))

    def of_stage(self, stage: str, key: str | None) -> Code:
        named = self._parts(stage, key)
        wanted = [(kind, name) for kind in STAGES[stage] for name in named.get(kind, ())]
        parts = [self.modules(*one) for one in [*wanted, *(self._needed(key) if stage == "train" and key else ())]]
        own = [f"stages.{stage}", f"genpipe.stages.{stage}", *([_BESIDE[stage]] if stage in _BESIDE else [])]
        return self.closure([*own, *chain(*parts)])

    def closure(self, modules: Iterable[str]) -> Code:
        """What these modules import, directly or not, up to the frame."""
        found, waiting = Code(), list(modules)
        while waiting:
            module = waiting.pop()
            if module not in found and (file := self.source_file(module)):
                found[module] = self.hash_of(file)[0]
                waiting += self.imports(module)
        return found

    def _imports(self, module: str) -> tuple[str, ...]:
        """The modules that a module imports with the packages around them, and files beside it that it names."""
        file = self.source_file(module)
        assert file, "whoever asks has found it"
        facts = partial(_mentioned, module, file.name)
        return tuple(filter(self.source_file, self._facts(file, facts, f"{module} {file.name}")))

    def _parts(self, stage: str, key: str | None) -> Parts:
        if key is not None:
            return self._of_data(key) if stage in OF_DATA else self._of_experiment(key)
        every = [self._of_data(name) for name in self.index["datasets"]]
        every += [self._of_experiment(name) for name in self.index["experiments"]]
        return {kind: sorted({name for parts in every for name in parts.get(kind, ())}) for kind in STAGES[stage]}

    def _of_data(self, name: str | None) -> Parts:
        source, own, derived = self.index["datasets"].get(name, (None, None, []))
        extractors = own or self.index["extractors"]
        return {"data": [source] if source else [], "derivations": derived, "extractors": extractors}

    def _of_experiment(self, name: str) -> Parts:
        model, data = self.index["experiments"].get(name, (None, None))
        named = self._facts(self.root / paths.pipeline(name), mentions.pipeline, "a pipeline")
        return {"models": [model] if model else [], **self._of_data(data), **named}

    def _needed(self, name: str) -> Iterator[tuple[str, str]]:
        """The parts whose code a training runs besides its own: extractors, and the models of other experiments."""
        for path in self.needing.get(name, ()):
            match Path(path).parts:
                case ("runs", other, "model") if model := self.index["experiments"].get(other, (None,))[0]:
                    yield "models", model
                case ("runs", "reference", _, extractor):
                    yield "extractors", extractor

    def _present(self, file: str) -> bool:
        """Whether there is a file; each folder is looked at once, for most of what is asked for is not there."""
        folder, _, name = file.rpartition("/")
        return name in self.listing(folder) and Path(file).is_file()

    def _facts(self, file: Path, of: Callable[[bytes], Any], what: str) -> Any:
        """What a function makes of the text of a file, which may be missing."""
        hashed, text = self.hash_of(file)
        key = f"{_EDITION} {what} {hashed}"
        if key not in self.used:
            self.used[key] = self.known[key] if key in self.known else of(text)
        return self.used[key]

    def _hash_of(self, file: Path) -> tuple[str, bytes]:
        text = file.read_bytes() if file.is_file() else b""
        return hashlib.sha256(text).hexdigest(), text


@cache
def framed(module: str) -> bool:
    """Whether a module decides no figure; "genpipe" alone names no module that does."""
    return module == GENPIPE or any(name in FRAME for name in accumulate(module.split("."), "{}.{}".format))


def _listing(folder: str) -> frozenset[str]:
    """The names of what is in a folder; none if there is no folder. Raises PermissionError if it cannot be read."""
    try:
        with os.scandir(folder) as found:
            return frozenset(entry.name for entry in found)
    except PermissionError:
        raise
    except OSError:
        return frozenset()


def _mentioned(module: str, file_name: str, text: bytes) -> list[str]:
    """What may be modules that the text of one imports, with the packages around them, and files beside it."""
    facts = mentions.imported(text) if file_name.endswith(".py") else mentions.mentioned(text)
    if "/" in module:
        package, named = module.split("/")[:-1], set[str]()
    else:
        package = module.split(".") if file_name == "__init__.py" else module.split(".")[:-1]
        named = {".".join(package)}
    for level, name, symbol in facts["imports"]:
        around = package[: len(package) - level + 1] if level else []
        named |= {".".join(filter(None, [*around, name])), ".".join(filter(None, [*around, name, symbol]))}
    packages = {".".join(name.split(".")[:k]) for name in named for k in range(1, name.count(".") + 2)}
    beside = {"/".join([*package, name]) for name in facts["names"]}
    return sorted(name for name in packages | beside if not framed(name))


def _remembered(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _replace(file: Path, text: str) -> None:
    """Replaces a file as a whole; genpipe.files, which needs numpy, would take longer than all else here."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(file)
