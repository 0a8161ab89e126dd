"""python -m genpipe.cli, the same as the command genpipe."""

from genpipe.cli import main

main()
