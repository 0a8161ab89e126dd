"""Note what an experiment needs before it trains: genpipe-stage prerequisites NAME."""

from genpipe.stages.entry import run

if __name__ == "__main__":
    run("prerequisites")
