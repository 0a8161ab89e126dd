import json
from collections.abc import Callable
from difflib import ndiff
from functools import reduce
from operator import getitem
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest
from PIL import Image

from genpipe import files, registry
from genpipe.config.document import read
from genpipe.config.project import Project
from genpipe.config.training import Optim, Train
from genpipe.errors import ConfigError, ExistsError, UnknownName, UsageError
from genpipe.interfaces.sampling import SamplingConfig
from genpipe.project.cost import parameters
from genpipe.project.new_experiment import ExperimentRequest, plan
from genpipe.project.overrides import apply_overrides
from genpipe.project.plan import Plan

Contents = Callable[[], dict[str, str]]
REPOSITORY = Path(__file__).parents[2]
LINE = "    fresh: {model: vae, data: mnist5k}\n"


def planned(root: Path, *sets: str, name: str = "fresh", force: bool = False, **more: Any) -> Plan:
    wish = ExperimentRequest(name, **{"recipe": "vae", "sets": sets, **more})
    return plan(Project(root), wish, force=force)


def test_planning_writes_nothing(small_project: Path, contents: Contents) -> None:
    before = contents()
    planned(small_project).verify()
    assert contents() == before


def test_the_experiment_and_its_index_line_are_written(small_project: Path, contents: Contents) -> None:
    index = contents()["params.yaml"]
    planned(small_project, "train.steps=5", "optim.autoencoder.lr=2e-4").write()
    assert contents()["params.yaml"] == index.replace("# the first\n", f"# the first\n{LINE}")
    text = (small_project / "pipelines" / "fresh.yaml").read_text()
    recipe = (small_project / "pipelines" / "vae.yaml").read_text()
    changed = [line for line in ndiff(recipe.splitlines(), text.splitlines()) if line.startswith(("+", "-"))]
    assert [line.split("#")[0].split() for line in changed] == [
        ["-", "lr:", "2.0e-3"],
        ["+", "lr:", "2e-4"],
        ["-", "steps:", "1800"],
        ["+", "steps:", "5"],
    ]
    knobs = Project(small_project).experiment("fresh").knobs
    assert (knobs.train.steps, knobs.optim["autoencoder"].lr) == (5, 2e-4)


def test_our_own_index_gains_exactly_one_line(small_project: Path) -> None:
    copyfile(REPOSITORY / "params.yaml", small_project / "params.yaml")
    index = planned(small_project).files[-1]
    changed = [line for line in index.diff().splitlines()[3:] if not line.startswith(" ")]
    assert changed == ["+  fresh: {model: vae, data: mnist5k}"]


def test_the_same_twice_changes_nothing(small_project: Path, contents: Contents) -> None:
    planned(small_project, "train.steps=5").write()
    before = contents()
    again = planned(small_project, "train.steps=5")
    assert (again.changes, again.diff(), again.stages()) == ([], "", [])
    again.write()
    assert contents() == before


def test_another_experiment_is_not_replaced_without_force(small_project: Path, contents: Contents) -> None:
    index = contents()["params.yaml"]
    with pytest.raises(ExistsError, match=r"pipelines/vae\.yaml would be overwritten.*--force"):
        planned(small_project, "train.steps=5", name="vae")
    planned(small_project, "train.steps=5", name="vae", force=True).write()
    assert Project(small_project).experiment("vae").knobs.train.steps == 5
    assert contents()["params.yaml"] == index


def test_another_index_line_is_not_replaced_without_force(small_project: Path, contents: Contents) -> None:
    index = contents()["params.yaml"]
    (small_project / "pipelines" / "vae.yaml").unlink()
    with pytest.raises(ExistsError, match=r"experiments\.vae of params\.yaml would be overwritten"):
        planned(small_project, name="vae", recipe="pca")
    planned(small_project, name="vae", recipe="pca", force=True).write()
    assert contents()["params.yaml"] == index.replace("{model: vae,", "{model: pca,")


@pytest.mark.parametrize("failing", ["vae.yaml", "params.yaml"])
def test_both_files_are_written_or_none(
    small_project: Path, contents: Contents, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    (small_project / "pipelines" / "vae.yaml").write_text("of no experiment\n")
    index = contents()["params.yaml"].replace("vae: {model: vae,", "vae: {model: pca,")
    (small_project / "params.yaml").write_text(index)
    change = planned(small_project, name="vae", force=True)
    before = contents()
    write = files.write_text

    def full(path: Path, text: str) -> None:
        if path.name == failing and text != before.get(str(path.relative_to(small_project))):
            raise OSError(28, "No space left on device", str(path))
        write(path, text)

    monkeypatch.setattr(files, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        change.write()
    assert contents() == before


def test_a_new_pipeline_file_goes_if_the_index_cannot_be_written(
    small_project: Path, contents: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    change, before, write = planned(small_project), contents(), files.write_text
    monkeypatch.setattr(
        files, "write_text", lambda path, text: write(path, text) if path.name != "params.yaml" else 1 / 0
    )
    with pytest.raises(ZeroDivisionError):
        change.write()
    assert contents() == before


def test_a_file_that_changed_meanwhile_is_not_lost(small_project: Path, contents: Contents) -> None:
    change = planned(small_project)
    with (small_project / "params.yaml").open("a") as index:
        index.write("# somebody's\n")
    before = contents()
    with pytest.raises(ExistsError, match="just been changed"):
        change.write()
    assert contents() == before


def test_dvc_refuses_outputs_inside_outputs(small_project: Path, contents: Contents) -> None:
    before = contents()
    with pytest.raises(ConfigError, match=r"(?s)DVC would refuse.*'runs/checked\.json'\('dvc\.yaml:check'\)"):
        planned(small_project, name="checked.json").write()
    assert contents() == before


def test_dvc_reads_what_was_composed(small_project: Path) -> None:
    from dvc.repo import Repo

    planned(small_project, "optim.autoencoder.lr=1e-4", name="1").write()
    Repo.init(str(small_project), no_scm=True).close()
    with Repo(str(small_project)) as repo:
        (stage,) = (s for s in repo.index.stages if s.addressing.endswith("train@1"))
        (params,) = (p.read_params() for p in stage.params)
    expected = read(small_project / "pipelines" / "1.yaml").value
    assert json.dumps(params, sort_keys=True) == json.dumps({k: expected[k] for k in params}, sort_keys=True)
    assert params["optim"]["autoencoder"]["lr"] == 1e-4


def test_an_experiment_can_be_the_start(small_project: Path) -> None:
    planned(small_project, "train.steps=7").write()
    planned(small_project, "model.kl_weight=4", name="beta", recipe=None, source="fresh").write()
    beta = Project(small_project).experiment("beta")
    assert (beta.knobs.train.steps, beta.resolved()["model"]["kl_weight"]) == (7, 4.0)


def test_analyses_that_the_data_cannot_serve_stay_out(small_project: Path) -> None:
    (small_project / "pictures").mkdir()
    for k in range(120):
        Image.new("L", (16, 16), 2 * k).save(small_project / "pictures" / f"{k}.png")
    index = small_project / "params.yaml"
    data = "    plain: {source: folder, path: pictures, image_size: 16, extractors: [pixels]}\n"
    index.write_text(index.read_text().replace("    mnist5k:", f"{data}    mnist5k:"))
    served, plain = (planned(small_project, recipe="dcgan", data=data) for data in ("mnist5k", "plain"))
    assert served.left_out == ()
    assert list(plain.left_out) == [
        "arithmetic: the images have no classes, and two are needed",
        "feature_learning: a classifier needs two classes, and these images have none",
    ]
    assert set(served.experiments[0].analyses) - set(plain.experiments[0].analyses) == {
        "arithmetic",
        "feature_learning",
    }
    with pytest.raises(ConfigError, match="needs two classes"):
        planned(small_project, "analyses.feature_learning.images=50", recipe="dcgan", data="plain")


def test_stages_leave_out_what_is_prepared(small_project: Path) -> None:
    change = planned(small_project)
    own = ["train@fresh", "sample@fresh", "evaluate@fresh", "report"]
    assert change.stages() == ["check", "prepare@mnist5k", "reference@mnist5k", *own]
    (small_project / "data" / "mnist5k").mkdir(parents=True)
    (small_project / "runs" / "reference" / "mnist5k").mkdir(parents=True)
    assert change.stages() == ["check", *own]


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("train.steps=5", ["train@vae", "sample@vae", "evaluate@vae"]),
        ("sample.images=50", ["sample@vae", "evaluate@vae"]),
        ("analyses.sample_grid.rows=3", ["evaluate@vae"]),
    ],
)
def test_a_replaced_experiment_runs_from_where_it_changed(
    small_project: Path, setting: str, expected: list[str]
) -> None:
    for made in ("data/mnist5k", "runs/reference/mnist5k", "reports/scores/vae.json"):
        (small_project / made).mkdir(parents=True)
    assert planned(small_project, setting, name="vae", force=True).stages() == ["check", *expected, "report"]


def test_parameters_are_those_of_the_built_model(small_project: Path) -> None:
    (experiment,) = planned(
        small_project, "model.widths=[3]", "model.architecture=mlp", "model.latent_dim=2"
    ).experiments
    encoder, decoder = 32 * 32 * 3 + 3 + 3 * 4 + 4, 2 * 3 + 3 + 3 * 32 * 32 + 32 * 32
    assert parameters(experiment) == encoder + decoder


@pytest.mark.parametrize("name", ["a/b", "../a", "..", "", ".hidden", "real-x", "a" * 81, "a b", "a\n"])
def test_names_that_are_not_allowed(small_project: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be called"):
        planned(small_project, name=name)


@pytest.mark.parametrize(
    ("setting", "error", "message"),
    [
        ("model.latnt_dim=3", UnknownName, "Did you mean 'model.latent_dim'"),
        ("train.compil=on", UnknownName, "Did you mean 'train.compile'"),
        ("evaluate.metrics.kid.degre=2", UnknownName, "Did you mean 'evaluate.metrics.kid.degree'"),
        ("lr=3", UnknownName, r"Available: optim\.autoencoder\.lr\."),
        ("nonsense=3", UnknownName, "no knob is called 'nonsense'"),
        ("evaluate.metrics.fidd={}", UnknownName, "Did you mean 'evaluate.metrics.fid'"),
        ("train.steps=-1", ConfigError, r"experiment 'fresh': train\.steps: should be greater than or equal to 0"),
        ("train.steps=many", ConfigError, r"train\.steps: should be a valid integer"),
        ("train.steps=[1", ConfigError, "not valid YAML"),
        ("model.architecture=convv", ConfigError, r"'mlp' or 'conv'"),
        ("optim=3", ConfigError, "optim: should be a valid dictionary"),
        ("train.steps", UsageError, "a path, '=' and a value"),
        ("=3", UsageError, "a path, '=' and a value"),
    ],
)
def test_settings_that_are_refused(small_project: Path, setting: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        planned(small_project, setting)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("train.compile=on", "on"),
        ("train.tf32=false", False),
        ("train.devices=auto", "auto"),
        ("train.deterministic=true", True),
        ("train.grad_accumulation_steps=2", 2),
        ("optim.autoencoder.warmup_steps=3", 3),
        ("evaluate.metrics.kid.degree=2", 2),
        ("analyses.active_units.images=7", 7),
    ],
)
def test_every_knob_of_the_schema_can_be_set(small_project: Path, setting: str, value: object) -> None:
    path = setting.partition("=")[0].split(".")
    recipe = read(small_project / "pipelines" / "vae.yaml").value
    assert reduce(lambda there, key: there.get(key, {}), path, recipe) != value
    for more in ({}, {"name": "varied"}):
        change = planned(small_project, *([setting] if not more else []), grid=[setting] if more else [], **more)
        assert reduce(getitem, path, change.experiments[0].resolved()) == value


def test_every_documented_knob_of_training_is_known(small_project: Path) -> None:
    text = (small_project / "pipelines" / "vae.yaml").read_text()
    model_class = registry.load("models", "vae")
    for schema, at in ((Train, "train"), (Optim, "optim.autoencoder"), (SamplingConfig, "sample")):
        for name in schema.model_fields:
            assert apply_overrides(text, [(f"{at}.{name}", "1")], model_class)


def test_a_setting_below_a_value_without_room_is_refused(small_project: Path) -> None:
    with pytest.raises(UnknownName, match="no knob"):
        planned(small_project, "model=3", "model.latent_dim=2")


def test_a_part_of_an_open_folder_can_be_added(small_project: Path) -> None:
    change = planned(small_project, "analyses={}", "analyses.sample_grid={rows: 3}")
    assert change.experiments[0].resolved()["analyses"] == {"sample_grid": {"rows": 3}}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"data": "mnst5k"}, "Did you mean 'mnist5k'"),
        ({"profile": "huge"}, r"no profile of recipe 'vae' is called 'huge'"),
        ({"recipe": None, "source": "va"}, "Did you mean 'vae'"),
    ],
)
def test_unknown_names_give_the_nearest(small_project: Path, more: dict[str, str], message: str) -> None:
    with pytest.raises(UnknownName, match=message):
        planned(small_project, **more)


@pytest.mark.parametrize("start", [{"recipe": None}, {"source": "vae"}])
def test_one_start_is_needed(small_project: Path, start: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="one recipe or"):
        planned(small_project, **start)


def test_a_data_set_whose_name_looks_like_a_number(small_project: Path) -> None:
    index = small_project / "params.yaml"
    index.write_text(index.read_text().replace("    mnist5k: {", '    "5": {'))
    planned(small_project, data="5").write()
    assert '    fresh: {model: vae, data: "5"}\n' in index.read_text()
    assert Project(small_project).experiment("fresh").data.name == "5"
