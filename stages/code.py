"""Write which code each stage runs: genpipe-stage code."""

from genpipe.stages.entry import run

if __name__ == "__main__":
    run("code")
