"""Score an experiment: genpipe-stage evaluate NAME."""

from genpipe.stages.entry import run

if __name__ == "__main__":
    run("evaluate")
