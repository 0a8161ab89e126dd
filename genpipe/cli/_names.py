"""Names for shell completion, found without imports of models and data; an error completes nothing."""

from contextlib import suppress

from genpipe.errors import GenpipeError


def recipes(incomplete: str) -> list[str]:
    """Returns the recipes that begin with the typed text."""
    return _starting(incomplete, _of_packages("recipes"))


def models(incomplete: str) -> list[str]:
    """Returns the models that begin with the typed text."""
    return _starting(incomplete, _of_packages("models"))


def experiments(incomplete: str) -> list[str]:
    """Returns the experiments of the project that begin with the typed text."""
    return _starting(incomplete, _index("experiments"))


def data(incomplete: str) -> list[str]:
    """Returns the data sets of the project that begin with the typed text."""
    return _starting(incomplete, _index("datasets"))


def _of_packages(kind: str) -> list[str]:
    """Returns the names in genpipe and in the package of the project, if there is one."""
    from genpipe import registry
    from genpipe.config.project import load_project

    with suppress(GenpipeError):
        load_project()
    return registry.names(kind)


def _index(section: str) -> list[str]:
    from genpipe import paths
    from genpipe.config.document import read

    try:
        return list(read(paths.root() / paths.INDEX).value[section])
    except (GenpipeError, KeyError, TypeError):
        return []


def _starting(incomplete: str, names: list[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
