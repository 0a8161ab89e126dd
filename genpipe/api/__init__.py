"""The face for notebooks and scripts. What of it is promised, `genpipe` itself names."""
