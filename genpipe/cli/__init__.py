"""The command `genpipe`."""
