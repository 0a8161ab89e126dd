"""Write what people look at: genpipe-stage report."""

from genpipe.stages.entry import run

if __name__ == "__main__":
    run("report")
