"""Train an experiment: genpipe-stage train NAME."""

from genpipe.stages.entry import run

if __name__ == "__main__":
    run("train")
