"""Make what the scores of a data set look through: genpipe-stage reference NAME."""

from genpipe.stages.entry import run

if __name__ == "__main__":
    run("reference")
