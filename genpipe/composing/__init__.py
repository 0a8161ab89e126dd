"""Changes of what experiments a project has: new ones, fewer, other names.

Each function computes a `Plan`, and `Plan.write` does it all or nothing; what the configuration or DVC would refuse is
not done.
"""

from genpipe.composing import _recipes as recipes
from genpipe.composing._checking import problems, strays, verify
from genpipe.composing._cost import memory, parameters
from genpipe.composing._datasets import data_outputs, data_removal, plan_data, relative, settings, suited
from genpipe.composing._journal import Journal
from genpipe.composing._lock import carry_out, changing, interrupted
from genpipe.composing._new import Wish, measured, plan
from genpipe.composing._old import outputs_of, removal, renaming
from genpipe.composing._origin import Knob, knobs
from genpipe.composing._plan import Change, Plan
from genpipe.composing._recipes import Cost, Recipe
from genpipe.composing._stale import Stale, stale
from genpipe.composing._temporary import Temporary, temporaries

__all__ = [
    "Change",
    "Cost",
    "Journal",
    "Knob",
    "Plan",
    "Recipe",
    "Stale",
    "Temporary",
    "Wish",
    "carry_out",
    "changing",
    "data_outputs",
    "data_removal",
    "interrupted",
    "knobs",
    "measured",
    "memory",
    "outputs_of",
    "parameters",
    "plan",
    "plan_data",
    "problems",
    "recipes",
    "relative",
    "removal",
    "renaming",
    "settings",
    "stale",
    "strays",
    "suited",
    "temporaries",
    "verify",
]
