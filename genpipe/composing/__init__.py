"""Changes of what a project has: a beginning, new experiments, data sets and models, fewer, other names.

Each function computes a `Plan`, and `Plan.write` does it all or nothing; what the configuration or DVC would refuse is
not done.
"""

from genpipe.composing import _recipes as recipes
from genpipe.composing._checking import problems, strays, verify
from genpipe.composing._cost import memory, parameters
from genpipe.composing._datasets import data_outputs, data_removal, plan_data, relative, settings, suited
from genpipe.composing._init import Beginning, beginning
from genpipe.composing._journal import Journal
from genpipe.composing._lock import carry_out, changing, interrupted
from genpipe.composing._new import Wish, measured, plan
from genpipe.composing._old import outputs_of, removal, renaming
from genpipe.composing._origin import Knob, knobs
from genpipe.composing._own_model import new_model
from genpipe.composing._plan import Change, Plan
from genpipe.composing._recipes import Cost, Recipe
from genpipe.composing._refresh import deviations, renewal
from genpipe.composing._stale import Stale, stale
from genpipe.composing._temporary import Temporary, temporaries
from genpipe.composing._upgrade import again

__all__ = [
    "Beginning",
    "Change",
    "Cost",
    "Journal",
    "Knob",
    "Plan",
    "Recipe",
    "Stale",
    "Temporary",
    "Wish",
    "again",
    "beginning",
    "carry_out",
    "changing",
    "data_outputs",
    "data_removal",
    "deviations",
    "interrupted",
    "knobs",
    "measured",
    "memory",
    "new_model",
    "outputs_of",
    "parameters",
    "plan",
    "plan_data",
    "problems",
    "recipes",
    "relative",
    "removal",
    "renaming",
    "renewal",
    "settings",
    "stale",
    "strays",
    "suited",
    "temporaries",
    "verify",
]
