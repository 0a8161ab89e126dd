"""Models, data, metrics, analyses, extractors and recipes of a person's own, in the package that params.yaml names."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from genpipe import fingerprints, packages, paths, registry
from genpipe.cli import main
from genpipe.config.project import Project, load_project
from genpipe.errors import AmbiguousName, ConfigError, ExistsError, PartError, UnknownName, UsageError
from genpipe.project import recipes
from genpipe.project.checking import problems
from genpipe.project.lock import carry_out
from genpipe.project.new_experiment import ExperimentRequest, plan
from genpipe.project.own_model import new_model

ROOT = Path(__file__).parents[2]
MODEL = '''"""A model of our own."""

from genpipe.models.vae import VAE
from lab.nn.helping import FACTOR


class Flow(VAE):
    """A copy."""

    factor = FACTOR

    class Config(VAE.Config):
        latent_dim: int = 5
'''
FILES = {
    "lab/__init__.py": "",
    "lab/models/flow.py": MODEL,
    "lab/nn/helping.py": "FACTOR = 2\n",
    "lab/data/stripes.py": (ROOT / "genpipe/data/digits.py").read_text().replace("Digits", "Stripes"),
    "lab/metrics/sharpness.py": (ROOT / "genpipe/metrics/psnr.py").read_text(),
    "lab/analyses/rows.py": (ROOT / "genpipe/analyses/sample_grid.py").read_text(),
    "lab/extractors/levels.py": (ROOT / "genpipe/extractors/pixels.py").read_text(),
    "lab/recipes/flow.yaml": (ROOT / "genpipe/recipes/vae.yaml")
    .read_text()
    .replace("model: vae\n  data: mnist5k", "model: flow\n  data: ours"),
    "lab/recipes/_datasets.yaml": (
        "ours: {source: stripes, image_size: 16}\nmnist5k: {source: stripes, image_size: 32}\n"
    ),
}


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def edit(root: Path, file: str, old: str, new: str) -> None:
    text = (root / file).read_text()
    assert old in text
    (root / file).write_text(text.replace(old, new))


@pytest.fixture
def lab(project: Path) -> Path:
    """The small project with a package of its own."""
    write(project, FILES)
    edit(project, "params.yaml", "seed: 0\n", "package: lab\nseed: 0\n")
    return project


@pytest.fixture
def genpipe(project: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> Callable[..., tuple[int, str, str]]:
    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["genpipe", *words])
        return main.run(), *capsys.readouterr()

    return run


@pytest.mark.parametrize(
    ("kind", "name"),
    [("models", "flow"), ("data", "stripes"), ("metrics", "sharpness"), ("analyses", "rows"), ("extractors", "levels")],
)
def test_own_parts_are_found_beside_genpipe_s(lab: Path, kind: str, name: str) -> None:
    Project(lab)
    for called in (name, f"lab.{name}"):
        assert registry.load(kind, called).__module__ == f"lab.{kind}.{name}"
    assert name in registry.names(kind)
    theirs = next(other for other in registry.names(kind) if other != name)
    assert registry.load(kind, f"genpipe.{theirs}") is registry.load(kind, theirs)
    with pytest.raises(UnknownName):
        registry.load(kind, f"genpipe.{name}")


def test_a_name_of_both_packages_is_an_error_that_offers_both(lab: Path) -> None:
    write(lab, {"lab/models/vae.py": MODEL})
    with pytest.raises(ConfigError, match=r"experiments\.first\.model: more than one .* lab\.vae or genpipe\.vae"):
        Project(lab).experiment("first")
    for package, module in (("lab", "lab.models.vae"), ("genpipe", "genpipe.models.vae")):
        edit(lab, "params.yaml", "{model: ", f"{{model: {package}.") if package == "lab" else edit(
            lab, "params.yaml", "lab.vae", "genpipe.vae"
        )
        assert Project(lab).experiment("first").model_name == f"{package}.vae"
        assert module in fingerprints.of_stage(lab, "train", "first")
        assert problems(lab) == []
    assert {"lab.vae", "genpipe.vae"} <= set(registry.names("models"))
    assert "vae" not in registry.names("models")


def test_an_experiment_of_own_parts_alone(lab: Path) -> None:
    edit(lab, "lab/recipes/flow.yaml", "    fid: {}", "    fid: {}\n    sharpness: {}")
    edit(lab, "lab/recipes/flow.yaml", "  sample_grid:", "  rows: {}\n  sample_grid:")
    edit(lab, "params.yaml", "  extractors:\n", "  extractors:\n    levels: {}\n")
    carry_out(lab, lambda project: plan(project, ExperimentRequest("mine", "flow", data="ours", profile="smoke")))
    experiment = Project(lab).experiment("mine")
    assert (experiment.model_name, experiment.data.common.source) == ("flow", "stripes")
    assert {"sharpness", "fid"} <= experiment.metrics.keys()
    assert problems(lab) == []
    assert recipes.datasets()["mnist5k"]["source"] == "stripes"
    code = fingerprints.of_stage(lab, "evaluate", "mine")
    parts = ("models.flow", "nn.helping", "metrics.sharpness", "analyses.rows", "extractors.levels")
    assert {f"lab.{part}" for part in parts} <= code.keys()
    assert "lab.data.stripes" in fingerprints.of_stage(lab, "prepare", "ours")
    assert "lab.models.flow" in fingerprints.of_stage(lab, "check")


def test_the_picture_of_an_own_analysis_is_no_foreign_file(lab: Path) -> None:
    picture = lab / paths.figures("first") / "rows.png"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"a picture")
    words = [sys.executable, "-c", "from genpipe.stages.code import main; raise SystemExit(main())"]
    done = subprocess.run(words, cwd=lab, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    (lab / "lab/analyses/rows.py").unlink()
    assert "rows.png would be deleted" in subprocess.run(words, cwd=lab, capture_output=True, text=True).stderr


def test_an_edit_of_own_code_makes_stale_what_uses_it(lab: Path) -> None:
    carry_out(lab, lambda project: plan(project, ExperimentRequest("mine", "flow", data="tiny", profile="smoke")))
    fingerprints.write(lab)
    before = {file: file.read_text() for file in (lab / paths.CODE).rglob("*.json")}
    edit(lab, "lab/nn/helping.py", "2", "3")
    fingerprints.write(lab)
    changed = {str(f.relative_to(lab / paths.CODE)) for f, text in before.items() if f.read_text() != text}
    assert changed == {"check.json", "train/mine.json", "sample/mine.json", "evaluate/mine.json"}


def test_the_list_says_where_each_comes_from(lab: Path, genpipe) -> None:
    _, out, _ = genpipe("list", "models")
    assert {tuple(line.split()[:2]) for line in out.splitlines()} >= {("flow", "lab"), ("vae", "genpipe")}
    _, out, _ = genpipe("list", "recipes")
    assert ("flow", "lab") in {tuple(line.split()[:2]) for line in out.splitlines()}


BROKEN = {
    "no Python": (
        "import os\nclass Flow(:\n",
        r"lab/models/flow\.py:2: lab\.models\.flow cannot be imported:\n(.*\n)*.*Synt",
    ),
    "a missing module": ("import numpy\nimport nowhere_to_be_found\n", r"flow\.py:2: .*\n(.*\n)*.*No module named"),
    "an error": ("def f():\n    return 1 / 0\n\nf()\n", r"flow\.py:2: .*\n(.*\n)*.*ZeroDivisionError"),
    "a method by its old name": (
        "from genpipe.interfaces.sources import Source\n\nclass Mine(Source):\n    watched_path = 'x'\n",
        r"flow\.py:3: .*\n(.*\n)*.*`watched_path` of a source is `watched_paths` now",
    ),
    "two classes": (
        f"{MODEL}\n\nclass Other(Flow):\n    pass\n",
        r"flow\.py defines 2 classes with a Config \(Flow, Other\)",
    ),
    "no class": ("x = 1\n", r"flow\.py defines no class with a Config; it must define exactly one"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_is_one_message(lab: Path, genpipe, what: str) -> None:
    text, said = BROKEN[what]
    write(lab, {"lab/models/flow.py": text})
    edit(lab, "params.yaml", "{model: vae", "{model: flow")
    Project(lab)
    with pytest.raises(PartError, match=said):
        registry.load("models", "flow")
    status, _, err = genpipe("check")
    assert status == 1
    assert "params.yaml:12: experiments.first.model: lab/models/flow.py" in err
    assert "Traceback" not in err
    assert genpipe("list", "models")[0] == 0, "listing imports nothing"


def test_an_error_in_a_helper_names_the_helper(lab: Path) -> None:
    write(lab, {"lab/nn/helping.py": "FACTOR = {}['two']\n"})
    Project(lab)
    with pytest.raises(
        PartError, match=r"lab/nn/helping\.py:1: lab\.models\.flow cannot be imported:\n(.*\n)*.*KeyError"
    ):
        registry.load("models", "flow")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere", "there is no folder nowhere/"),
        ("class", "is no name of a Python package"),
        ("runs", "is a folder of genpipe's own"),
        ("genpipe", "is a folder of genpipe's own"),
        ("numpy", "is the name of an installed module"),
        ("3", "string"),
    ],
)
def test_a_package_that_cannot_be_is_refused_with_its_line(lab: Path, name: str, said: str) -> None:
    edit(lab, "params.yaml", "package: lab", f"package: {name}")
    with pytest.raises(ConfigError, match=rf"params\.yaml:1: package: .*{said}"):
        Project(lab)


def test_one_project_forgets_the_package_of_another(lab: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    Project(lab)
    first = registry.load("models", "flow")
    other = tmp_path_factory.mktemp("other")
    write(
        other,
        {
            **FILES,
            "lab/nn/helping.py": "FACTOR = 7\n",
            "params.yaml": (lab / "params.yaml").read_text(),
        },
    )
    Project(other)
    assert (first.factor, registry.load("models", "flow").factor) == (2, 7)
    assert str(lab.resolve()) not in sys.path
    registry.use(packages.Packages())
    with pytest.raises(UnknownName):
        registry.load("models", "flow")


def test_a_new_model_begins_as_a_copy_and_makes_an_experiment(project: Path, genpipe) -> None:
    assert genpipe("new-model", "mine", "--from", "vae")[2].startswith("error: this project has no package")
    before = (project / "params.yaml").read_text()
    assert genpipe("new-model", "mine", "--from", "vae", "--package", "own", "--dry-run")[0] == 0
    assert not (project / "own").exists()
    assert genpipe("new-model", "my_own", "--from", "vae", "--package", "own")[0] == 0
    text = (project / "own/models/my_own.py").read_text()
    assert text == (ROOT / "genpipe/models/vae.py").read_text().replace("class VAE(", "class MyOwn(")
    assert (project / "params.yaml").read_text() == f"{before}package: own\n"
    carry_out(project, lambda opened: plan(opened, ExperimentRequest("mine", "my_own", data="tiny", profile="smoke")))
    assert load_project().experiment("mine").model_name == "my_own"
    status, out, err = genpipe("test-model", "my_own")
    assert (status, err) == (0, "")
    assert "ok      samples have the shape the range and the seed, 3×16×24\n" in out
    assert genpipe("new-model", "third", "--from", "my_own")[0] == 0
    assert "class Third(" in (project / "own/models/third.py").read_text()


def test_a_new_model_overwrites_nothing(lab: Path) -> None:
    opened = Project(lab)
    for name, said in (
        ("flow", "lab has a model"),
        ("gan", "genpipe has a model"),
        ("beta_vae", "genpipe has a recipe"),
    ):
        with pytest.raises(ExistsError, match=said):
            new_model(opened, name, "vae", None)
    for name in ("a-b", "class", "_x", "../x", ""):
        with pytest.raises(UsageError, match="a model cannot be called"):
            new_model(opened, name, "vae", None)
    with pytest.raises(UnknownName, match="Did you mean 'vae'"):
        new_model(opened, "mine", "vea", None)
    with pytest.raises(UsageError, match="the package of this project is lab"):
        new_model(opened, "mine", "vae", "other")


BREAKING = """
    def decode(self, z):
        return super().decode(z)[:, :, :-1]

    def loss(self, batch):
        return super().loss(batch)[0] * float("nan"), {}
"""
CHOOSY = """
    def __init__(self, config, spec):
        from genpipe.errors import Unsuitable

        if spec.height != 32:
            raise Unsuitable("too small")
        super().__init__(config, spec)
"""


def test_the_contract_of_a_model_that_breaks_it(lab: Path, genpipe) -> None:
    edit(lab, "lab/models/flow.py", "    factor = FACTOR\n", BREAKING)
    status, out, err = genpipe("test-model", "flow")
    assert (status, err) == (1, "error: flow fails 16 checks.\n")
    assert "FAILED  losses are finite scalars with gradients where they belong, 1×8×8\n" in out
    assert "        the loss of phase autoencoder is nan" in out


def test_a_model_that_suits_no_image_is_told_how_to_give_another(lab: Path, genpipe) -> None:
    edit(lab, "lab/models/flow.py", "    factor = FACTOR\n", CHOOSY)
    assert genpipe("test-model", "flow")[2].startswith("error: flow suits none of the images")
    assert genpipe("test-model", "flow", "--size", "32")[0] == 0


def test_a_knob_of_a_part_is_turned_by_its_whole_name(lab: Path) -> None:
    write(lab, {"lab/analyses/sample_grid.py": FILES["lab/analyses/rows.py"]})
    sets = ("analyses.lab.sample_grid.rows=4", "analyses.rows.rows=5")
    wish = ExperimentRequest("mine", "flow", data="tiny", profile="smoke", sets=sets)
    edit(lab, "lab/recipes/flow.yaml", "  sample_grid:", "  genpipe.sample_grid:")
    carry_out(lab, lambda project: plan(project, wish))
    analyses = load_project().experiment("mine").resolved()["analyses"]
    assert (analyses["lab.sample_grid"]["rows"], analyses["rows"]["rows"]) == (4, 5)
    assert "genpipe.sample_grid" in analyses
    edit(lab, "pipelines/mine.yaml", "  interpolation:", "  genpipe.interpolation: {}\n  interpolation:")
    with pytest.raises(
        ConfigError, match=r"analyses\.interpolation: 'interpolation' and 'genpipe\.interpolation' are the same"
    ):
        load_project().experiment("mine")


def test_an_ambiguous_recipe_is_told(lab: Path) -> None:
    write(
        lab,
        {
            "lab/recipes/vae.yaml": FILES["lab/recipes/flow.yaml"],
            "lab/recipes/claims/own.yaml": FILES["lab/recipes/flow.yaml"],
        },
    )
    Project(lab)
    with pytest.raises(AmbiguousName, match=r"say which, lab\.vae or genpipe\.vae"):
        recipes.recipe("vae")
    assert recipes.recipe("lab.vae").model == "flow"
    assert recipes.recipe("genpipe.vae").model == "vae"
    assert recipes.recipe("lab.claims/own").model == recipes.recipe("claims/own").model == "flow"
