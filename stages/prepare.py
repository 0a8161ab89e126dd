"""Prepare a data set: genpipe-stage prepare NAME."""

from genpipe.stages.entry import run

if __name__ == "__main__":
    run("prepare")
