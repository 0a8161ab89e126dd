"""The checks of `genpipe.testing`."""
