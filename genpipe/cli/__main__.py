"""python -m genpipe.cli, the same as the command genpipe."""

from genpipe.cli.main import main

main()
