from pathlib import Path

import pytest

from genpipe import registry
from genpipe.config.document import parse
from genpipe.config.project import Project
from genpipe.config.schemas import Evaluate
from genpipe.config.training import LEFT_OUT, Optim, Train
from genpipe.errors import ConfigError, UnknownName
from genpipe.project import recipes
from genpipe.project.new_experiment import ExperimentRequest, plan

REFERENCE = "reference: {extractors: {classifier: {}}, optim: {classifier: {}}, train: {steps: 1}}\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    root: Path = tmp_path_factory.mktemp("project")
    data = "datasets:\n  digits: {source: digits, image_size: 32, resize_mode: pad}\n"
    (root / "params.yaml").write_text(f"seed: 0\n{REFERENCE}{data}experiments: {{}}\n")
    return Project(root)


@pytest.mark.parametrize("profile", recipes.PROFILES)
@pytest.mark.parametrize("name", recipes.names())
def test_every_profile_of_every_recipe_holds_to_its_schema(project: Project, name: str, profile: str) -> None:
    planned = plan(project, ExperimentRequest("fresh", name, profile=profile))
    start = recipes.recipe(name)
    (experiment,) = planned.experiments
    assert (experiment.model_name, experiment.data.name) == (start.model, start.data)
    (index,) = (parse(change.after or "").value for change in planned.files if change.file.name == "params.yaml")
    assert index["datasets"][start.data].items() >= recipes.datasets()[start.data].items()
    assert index["datasets"]["digits"] == {"source": "digits", "image_size": 32, "resize_mode": "pad"}
    for path, value in start.edits(profile).items():
        found = parse(planned.files[0].after or "").value
        for key in path.split("."):
            found = found[key]
        assert found == parse(value).value, path


@pytest.mark.parametrize("name", recipes.names())
def test_a_recipe_writes_out_its_knobs_with_a_comment(project: Project, name: str) -> None:
    start = recipes.recipe(name)
    knobs = parse(start.text).value
    model = registry.load("models", start.model)
    sections = {"model": model.Config, "train": Train, "sample": model.Sampling, "evaluate": Evaluate}
    for section, schema in sections.items():
        assert list(knobs[section]) == [name for name in schema.model_fields if name not in LEFT_OUT], section
    for phase in knobs["optim"].values():
        assert list(phase) == [name for name in Optim.model_fields if name not in LEFT_OUT]
    body = start.text.partition("\nseed:")[2].splitlines()
    bare = [line for line in body if line and " # " not in line and not line.rstrip().endswith((":", "{}"))]
    assert bare == []


@pytest.mark.parametrize("name", recipes.names())
def test_a_recipe_opens_with_source_expectation_and_measurement(name: str) -> None:
    text = recipes.recipe(name).text
    header = text.partition("\n\n")[0].splitlines()
    assert all(line.startswith("# ") for line in header)
    assert [any(line.startswith(f"# {word}:") for line in header) for word in ("Expected", "Measured")] == [True, True]
    assert recipes.summary(name) == header[0].removeprefix("# ")
    assert "recipe:" not in text


@pytest.mark.parametrize("name", recipes.names())
def test_a_recipe_states_what_it_was_measured_to_cost_where(name: str) -> None:
    cost = recipes.recipe(name).cost
    assert set(cost) == set(recipes.PROFILES)
    assert cost["smoke"] is not None
    assert cost["laptop"] is not None
    assert cost["smoke"].sec <= cost["laptop"].sec


@pytest.mark.parametrize("laptop", ["{sec: 0, machine: x}", "{sec: 3}", "3", "null, huge: null"])
def test_a_cost_is_held_to_its_schema(laptop: str) -> None:
    cost = f"{{smoke: null, laptop: {laptop}, gpu: null}}"
    text = f"# New.\nrecipe:\n  model: vae\n  data: mnist5k\n  cost: {cost}\n  profiles: {{}}\nseed: 0\n"
    with pytest.raises(ConfigError, match=r"recipes/new\.yaml:5: recipe\.cost\.(laptop|huge)"):
        recipes.parsed("new", text, "genpipe/recipes/new.yaml")


def test_a_cost_in_words() -> None:
    words = [recipes.Cost(sec=sec, machine="a machine").in_words() for sec in (12.0, 210.0)]
    assert words == ["12 s on a machine", "3.5 min on a machine"]


def test_every_model_has_a_recipe_and_every_recipe_a_smoke_profile() -> None:
    found = [recipes.recipe(name) for name in recipes.names()]
    assert {recipe.model for recipe in found} == set(registry.names("models"))
    assert all(recipe.edits("smoke") for recipe in found)


def test_the_block_is_held_to_its_schema() -> None:
    with pytest.raises(ConfigError, match=r"recipes/new\.yaml:3: recipe\.modle: unknown key\. Did you mean 'model'"):
        recipes.parsed(
            "new",
            "# New.\nrecipe:\n  modle: vae\n  data: mnist5k\n  profiles: {}\nseed: 0\n",
            "genpipe/recipes/new.yaml",
        )


def test_a_file_without_the_block_is_refused() -> None:
    with pytest.raises(ConfigError, match="recipe"):
        recipes.parsed("new", "seed: 0\n", "genpipe/recipes/new.yaml")


def test_recipes_in_subfolders_come_last_and_are_named_with_them() -> None:
    found = recipes.names()
    assert "claims/is_misses_what_fid_sees" in found
    assert [name.count("/") for name in found] == sorted(name.count("/") for name in found)
    assert recipes.summary("claims/is_misses_what_fid_sees").startswith("Claim: ")


@pytest.mark.parametrize("name", ["vaee", "../vae", "", "claims", "claims/../vae", "./vae", "/vae", "claims//vae"])
def test_unknown_recipes_are_refused(name: str) -> None:
    with pytest.raises(UnknownName, match="no recipe is called"):
        recipes.recipe(name)


def test_a_data_set_that_is_there_stays_as_it_is_and_only_the_recipe_s_own_is_added(project: Project) -> None:
    mine = project.with_dataset("mnist5k", {"source": "digits", "image_size": 16, "resize_mode": "pad"})
    planned = plan(mine, ExperimentRequest("fresh", "vae"))
    assert planned.experiments[0].data.common.image_size == 16
    assert "mnist5k" not in parse(planned.files[-1].after or "").value["datasets"]
    with pytest.raises(UnknownName, match="mixture"):
        plan(project, ExperimentRequest("fresh", "vae", data="mixture"))


def test_every_data_set_of_recipes_is_one_that_some_recipe_wants() -> None:
    assert set(recipes.datasets()) == {recipes.recipe(name).data for name in recipes.names()}
