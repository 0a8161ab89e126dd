"""The contract test of a model: what every model keeps, asked of one by its name.

`genpipe test-model NAME` runs it, and so does one line of a test: `check_model("mine")`.
"""

from collections.abc import Callable
from contextlib import suppress

from genpipe.config.project import load_project
from genpipe.contract import models, translating
from genpipe.contract.trials import Broken
from genpipe.errors import Unsuitable, UsageError
from genpipe.interfaces.spec import DataSpec
from genpipe.standins import NotApplicable, build

__all__ = ["CHECKS", "SPECS", "Broken", "Check", "NotApplicable", "check_model", "checks_of", "in_words"]

Check = Callable[[str, DataSpec], None]
"""Given the name of a model and images; raises Broken or NotApplicable."""
SPECS: tuple[DataSpec, ...] = (DataSpec(1, 8, 8, ("a", "b")), DataSpec(3, 16, 24, ("a", "b")))
"""The images for which a model is tried: gray squares, and in color what is wider than high."""


def check_model(name: str, specs: tuple[DataSpec, ...] = SPECS) -> None:
    """Does all checks of a model of the project around this folder, or of genpipe.

    Raises what the first check that fails does: Broken, or an error of the model's own.
    """
    with suppress(UsageError):  # where no project is, the models are genpipe's
        load_project()
    for check, spec in checks_of(name, specs):
        with suppress(NotApplicable):
            check(name, spec)


def checks_of(name: str, specs: tuple[DataSpec, ...] = SPECS) -> list[tuple[Check, DataSpec]]:
    """Each check with each of the images that a model can be built for. Raises UsageError if it suits none."""
    able = [spec for spec in specs if _suits(name, spec)]
    if not able:
        raise UsageError(f"{name} suits none of the images that it is tried with. Give the size of others (--size).")
    return [(check, spec) for check in CHECKS for spec in able]


def in_words(check: Check, spec: DataSpec) -> str:
    """What is checked, of which images: "samples have the shape, the range and the seed, 3×16×16"."""
    return f"{check.__name__.replace('_', ' ')}, {'×'.join(map(str, spec.shape))}"


def _suits(name: str, spec: DataSpec) -> bool:
    try:
        build(name, spec)
    except Unsuitable:
        return False
    return True


CHECKS: tuple[Check, ...] = (
    models.what_it_is_given_before_training_is_no_weight_of_it,
    models.a_phase_moves_its_own_weights_and_no_others,
    models.losses_are_finite_scalars_with_gradients_where_they_belong,
    models.the_same_seed_trains_the_same_weights,
    models.samples_have_the_shape_the_range_and_the_seed,
    models.sampling_leaves_the_other_random_generators_alone,
    models.another_process_can_draw_what_this_one_does,
    models.classes_are_drawn_as_asked_and_need_labels,
    models.layers_see_each_image_alike,
    models.codes_and_images_fit_each_other,
    models.likelihoods_are_one_an_image_and_of_the_draws_alone,
    translating.images_for_conditions_have_the_shape_the_range_and_the_seed,
    translating.an_image_is_decided_by_its_own_condition,
    translating.only_holes_are_filled,
    translating.attributes_are_changed_as_asked,
)
"""What every model keeps, where it has the capability."""
