"""Draw the samples of an experiment: genpipe-stage sample NAME."""

from genpipe.stages.entry import run

if __name__ == "__main__":
    run("sample")
