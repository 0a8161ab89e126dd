"""Names for the shell's completion, found without importing what they name; an error completes nothing."""

from contextlib import suppress

from genpipe.errors import GenpipeError


def recipes(incomplete: str) -> list[str]:
    """The recipes that begin so."""
    return _starting(incomplete, _of_packages("recipes"))


def models(incomplete: str) -> list[str]:
    """The models that begin so."""
    return _starting(incomplete, _of_packages("models"))


def experiments(incomplete: str) -> list[str]:
    """The experiments of the project that begin so."""
    return _starting(incomplete, _index("experiments"))


def data(incomplete: str) -> list[str]:
    """The data sets of the project that begin so."""
    return _starting(incomplete, _index("datasets"))


def _of_packages(kind: str) -> list[str]:
    """What genpipe has, and the package of the project, if there is one."""
    from genpipe import config, registry

    with suppress(GenpipeError):
        config.load()
    return registry.names(kind)


def _index(section: str) -> list[str]:
    from genpipe import paths
    from genpipe.document import read

    try:
        return list(read(paths.root() / paths.INDEX).value[section])
    except (GenpipeError, KeyError, TypeError):
        return []


def _starting(incomplete: str, names: list[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
