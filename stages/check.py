"""Look for everything that is wrong in the YAML files, before anything runs: genpipe-stage check."""

from genpipe.stages.entry import run

if __name__ == "__main__":
    run("check")
