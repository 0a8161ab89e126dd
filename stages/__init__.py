"""The stages of dvc.yaml, one thin script each."""

from genpipe.running import collect_seldom

collect_seldom()
