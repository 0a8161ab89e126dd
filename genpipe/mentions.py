"""What a file mentions: modules that it imports, files beside it, parts that YAML names; nothing if it cannot be read.

What is wrong in a file, others say: `check`, or whoever imports it. The standard library is enough, but for YAML.
"""

import re
from typing import Any

Parts = dict[str, list[str]]
"""For each open folder what YAML names of it."""
_FILE_NAME = re.compile(r"[\w-]+(\.\w+)+")
_QUOTED = re.compile(rf"""["']({_FILE_NAME.pattern})["']""")


def imported(text: bytes) -> dict[str, Any]:
    """Returns what Python code imports, as level, module and symbol; and its strings that may be names of files."""
    imports, names = set[tuple[int, str, str]](), set[str]()
    import ast  # needed only where a file has changed

    try:
        waiting: list[ast.AST] = [ast.parse(text)]
    except (SyntaxError, ValueError):
        waiting = []  # whoever imports it says where
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
            continue
        if isinstance(node, ast.ImportFrom):
            imports |= {(node.level, node.module or "", alias.name) for alias in node.names}
        elif isinstance(node, ast.Import):
            imports |= {(0, alias.name, "") for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _FILE_NAME.fullmatch(node.value):
            names.add(node.value)
        waiting += ast.iter_child_nodes(node)
    return {"imports": sorted(imports), "names": sorted(names)}


def mentioned(text: bytes) -> dict[str, Any]:
    """Returns the files that a template names, in the same form."""
    names = {found[1] for found in _QUOTED.finditer(text.decode("utf-8", "replace"))}
    return {"imports": [], "names": sorted(names)}


def index(text: bytes) -> dict[str, Any]:
    """Returns what params.yaml names: of a data set its parts, of an experiment its model and data."""
    found = _mapping(_yaml(text))
    datasets = {str(name): _mapping(knobs) for name, knobs in _mapping(found.get("datasets")).items()}
    experiments = {str(name): _mapping(line) for name, line in _mapping(found.get("experiments")).items()}
    return {
        "package": _name(found.get("package")),
        "datasets": {
            name: (_word(k.get("source")), _words(k.get("extractors")), _words(k.get("derive")))
            for name, k in datasets.items()
        },
        "extractors": _words(_mapping(found.get("reference")).get("extractors")),
        "experiments": {
            name: (_word(line.get("model")), _word(line.get("data"))) for name, line in experiments.items()
        },
    }


def pipeline(text: bytes) -> Parts:
    """Returns what the file of an experiment names."""
    knobs = _mapping(_yaml(text))
    return {
        "metrics": _words(_mapping(knobs.get("evaluate")).get("metrics")),
        "analyses": _words(knobs.get("analyses")),
    }


def prerequisites(text: bytes) -> dict[str, list[str]]:
    """Returns what each experiment needs before it trains, as paths, of the wiring written for them."""
    stages = _mapping(_mapping(_yaml(text)).get("stages"))
    found = {_made(body): _mapping(body).get("deps") for body in stages.values()}
    listed = {name: deps if isinstance(deps, list) else [] for name, deps in found.items() if name}
    return {name: [dep for dep in deps if isinstance(dep, str)] for name, deps in listed.items()}


def _made(body: Any) -> str | None:
    """The experiment whose file a stage of that wiring makes."""
    outs = _mapping(body).get("outs")
    files = [file for out in outs if isinstance(out, dict) for file in out] if isinstance(outs, list) else []
    return files[0].rpartition("/")[2].removesuffix(".json") if len(files) == 1 and isinstance(files[0], str) else None


def _yaml(text: bytes) -> Any:
    import yaml  # takes as long as all the rest, and is needed only where a file has changed

    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError):
        return None  # `check` says what is wrong, with its line


def _mapping(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _words(value: Any) -> list[str]:
    return [name for name in value if _word(name)] if isinstance(value, list | dict) else []


def _word(value: Any) -> str | None:
    """A name of a part, with or without its package."""
    return value if isinstance(value, str) and all(map(_name, value.split("."))) else None


def _name(value: Any) -> str | None:
    return value if isinstance(value, str) and value.isidentifier() else None
