"""The Python interface for notebooks and scripts. `genpipe` exports its stable part."""
