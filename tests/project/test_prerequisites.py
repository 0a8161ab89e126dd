"""Experiments that need others, or the extractors of their data, before they train: wiring, check, the handing over."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from genpipe import fingerprints, paths, provenance, registry
from genpipe.api.training import build
from genpipe.artifacts import prerequisites
from genpipe.artifacts.extractors import ABOUT, WEIGHTS
from genpipe.artifacts.models import save_model, save_weights
from genpipe.cli import main
from genpipe.config.prerequisites import circles
from genpipe.config.project import Project
from genpipe.errors import CheckpointError, ConfigError, ExistsError, InputsChanged, PartError, UsageError
from genpipe.files import write_json
from genpipe.interfaces.spec import DataSpec
from genpipe.project.checking import problems
from genpipe.project.existing import removal, renaming
from genpipe.project.new_experiment import ExperimentRequest, plan
from genpipe.project.prerequisites import HEAD
from genpipe.project.refresh import renewal
from genpipe.project.stages import followers
from genpipe.testing import CHECKS, Broken, NotApplicable, check_model
from tests._pages import blocks

(SHOWN,) = (block.body for block in blocks("python") if "HasPrerequisites" in block.body)
STUDENT = SHOWN.replace('"vae"', '"first"').replace("(experiments=", '(extractors=("classifier",), experiments=')
PIPELINE = """\
seed: 0
model:
  architecture: mlp
  widths: [16]
  latent_dim: 4
  teacher: first
optim:
  autoencoder: {lr: 0.01}
train: {steps: 6, batch_size: 16, log_every_steps: 2, checkpoint_every_steps: 2}
sample: {images: 60, batch_size: 30}
evaluate:
  metrics:
    fid: {}
analyses:
  sample_grid: {rows: 3}
"""
STAGE = """\
  student:
    cmd: genpipe-stage prerequisites student
    wdir: ../..
    deps:
      - runs/reference/tiny/classifier
      - runs/first/model
    outs:
      - runs/prerequisites/student.json: {cache: false}
"""
GENERATED = paths.PREREQUISITES_WIRING


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text, f"{file} has no {old}"
    file.write_text(text.replace(old, new))


def add(root: Path, name: str, **knobs: str) -> None:
    """Adds an experiment as a person does, by hand."""
    edit(root / "params.yaml", "experiments:\n", f"experiments:\n  {name}: {{model: student, data: tiny}}\n")
    text = PIPELINE
    for key, value in knobs.items():
        text = text.replace(f"{key}: first", f"{key}: {value}")
    (root / "pipelines" / f"{name}.yaml").write_text(text)


@pytest.fixture
def lab(project: Path) -> Path:
    """The small project with an experiment that needs the other and the classifier; its wiring is not made yet."""
    edit(project / "params.yaml", "seed: 0\n", "package: lab\nseed: 0\n")
    for file, text in {"lab/__init__.py": "", "lab/models/student.py": STUDENT}.items():
        (project / file).parent.mkdir(parents=True, exist_ok=True)
        (project / file).write_text(text)
    add(project, "student")
    registry._loaded.cache_clear()
    return project


@pytest.fixture
def wired(lab: Path) -> Path:
    (lab / GENERATED).parent.mkdir()
    (lab / GENERATED).write_text(HEAD + STAGE)
    return lab


def told(root: Path) -> list[str]:
    return list(map(str, problems(root)))


def test_check_wants_the_wiring_and_refresh_writes_it(lab: Path) -> None:
    said = f"{GENERATED}: what student needs before training is not as the YAML has it: `genpipe init --refresh` writes"
    assert told(lab) == [f"{said} it anew."]
    renewal(lab).write()
    assert (lab / GENERATED).read_text() == HEAD + STAGE
    assert told(lab) == []
    assert renewal(lab).changes == []
    edit(lab / GENERATED, "first/model", "other/model")
    assert told(lab) == [f"{said} it anew."]
    edit(lab / "dvc.yaml", "genpipe-stage report", "nice genpipe-stage report")
    renewal(lab).write()
    assert (lab / GENERATED).read_text() == HEAD + STAGE, "an edited dvc.yaml does not stand in the way"
    with pytest.raises(ExistsError, match="no genpipe has written it so"):
        renewal(lab)


def test_check_wants_that_trainings_wait(wired: Path) -> None:
    assert told(wired) == []
    text = (wired / "dvc.yaml").read_text()
    (line,) = (line for line in text.splitlines() if "runs/prerequisites/" in line)
    edit(wired / "dvc.yaml", f"{line}\n", "")
    (found,) = told(wired)
    assert "stages.train.do.deps: 'runs/prerequisites/student.json' is missing" in found


def test_the_composer_keeps_the_wiring(wired: Path) -> None:
    plan(Project(wired), ExperimentRequest("an.other", source="student", sets=["model.teacher=student"])).write()
    assert told(wired) == []
    text = (wired / GENERATED).read_text()
    assert text.startswith(HEAD + STAGE)
    assert "\n  an-other:\n    cmd: genpipe-stage prerequisites an.other\n" in text
    assert "      - runs/student/model\n" in text
    renaming(Project(wired), "an.other", "third").write()
    assert "an.other" not in (wired / GENERATED).read_text()
    assert told(wired) == []
    (wired / GENERATED).with_name("dvc.lock").write_text("stages: {}\n")
    removal(Project(wired), "third", force=True).write()
    assert (wired / GENERATED).read_text() == HEAD + STAGE
    removal(Project(wired), "student", force=True).write()
    assert list((wired / GENERATED).parent.iterdir()) == []
    assert told(wired) == []


def test_an_experiment_that_cannot_be_read_keeps_its_stage(wired: Path) -> None:
    edit(wired / "pipelines/student.yaml", "latent_dim", "latent_dmi")
    plan(Project(wired), ExperimentRequest("second", source="first")).write()
    assert (wired / GENERATED).read_text() == HEAD + STAGE


def test_what_others_need_is_neither_removed_nor_renamed(wired: Path) -> None:
    for change, done in ((lambda p: removal(p, "first", force=True), "removed"), (None, "renamed")):
        with pytest.raises(ExistsError, match=f"student needs first before training, so it is not {done}"):
            (change or (lambda p: renaming(p, "first", "new")))(Project(wired))


def test_a_teacher_that_changes_has_its_followers_run(wired: Path) -> None:
    planned = plan(Project(wired), ExperimentRequest("first", source="first", sets=["model.latent_dim=5"]), force=True)
    assert [stage for stage in planned.stages() if stage.startswith("train")] == ["train@first", "train@student"]
    assert followers({"b": ["runs/a/model"], "c": ["runs/b/model", "runs/a/model"], "d": []}, ["a"]) == ["b", "c"]


def _another_shape(root: Path) -> None:
    edit(root / "params.yaml", "  tiny:", "  big: {source: digits, image_size: 16, resize_mode: crop}\n  tiny:")
    edit(root / "params.yaml", "first: {model: vae, data: tiny}", "first: {model: vae, data: big}")


MISTAKES: Mapping[str, tuple[Callable[[Path], object], str]] = {
    "missing": (
        lambda root: edit(root / "pipelines/student.yaml", "teacher: first", "teacher: frist"),
        "it needs the experiment 'frist', which is not under experiments. Did you mean 'first'?",
    ),
    "itself": (
        lambda root: edit(root / "pipelines/student.yaml", "teacher: first", "teacher: student"),
        "it needs itself before it trains",
    ),
    "another shape": (_another_shape, "on big, whose images are 1×16×16, and those of tiny are 1×8×8"),
    "no such extractor": (
        lambda root: edit(root / "params.yaml", "test_images: 360", "test_images: 360, extractors: [pixels]"),
        "it needs the extractor 'classifier', which does not look at tiny: add it to datasets.tiny.extractors",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_cannot_be_had_is_one_error_at_the_model(wired: Path, mistake: str) -> None:
    change, expected = MISTAKES[mistake]
    change(wired)
    (found,) = told(wired)
    assert found.startswith("pipelines/student.yaml:2: model: "), found
    assert expected in found


def test_a_circle_is_one_error(wired: Path) -> None:
    add(wired, "other", teacher="student")
    edit(wired / "pipelines/student.yaml", "teacher: first", "teacher: other")
    expected = "pipelines/other.yaml:2: model: other needs student needs other before it trains, so none of them can: "
    assert told(wired) == [f"{expected}name other experiments."]
    with pytest.raises(ConfigError, match=expected):
        renewal(wired)
    assert list(circles({"a": ["b"], "b": ["c"], "c": ["b"], "d": []})) == [["b", "c"]]


def test_the_stage_code_says_of_all_others_that_they_need_nothing(wired: Path) -> None:
    (wired / "runs/prerequisites").mkdir(parents=True)
    (wired / "runs/prerequisites/gone.json").write_text("{}")
    fingerprints.write(wired)
    made = {file.name: file.read_text() for file in (wired / "runs/prerequisites").iterdir()}
    assert made == {"first.json": "{}"}
    before = (wired / paths.prerequisites("first")).stat().st_mtime_ns
    (wired / paths.prerequisites("student")).write_text('{"a": "b"}')
    fingerprints.write(wired)
    assert (wired / paths.prerequisites("first")).stat().st_mtime_ns == before
    assert (wired / paths.prerequisites("student")).read_text() == '{"a": "b"}', "it is of another stage"
    (wired / GENERATED).unlink()
    fingerprints.write(wired)
    assert (wired / paths.prerequisites("student")).read_text() == "{}"


def test_the_code_of_what_is_needed_counts_for_its_training_alone(wired: Path) -> None:
    def code(stage: str, name: str) -> set[str]:
        return set(fingerprints.of_stage(wired, stage, name))

    others = {"genpipe.models.vae", "genpipe.extractors.classifier"}
    assert others <= code("train", "student")
    assert not others & code("sample", "student")
    assert "genpipe.extractors.classifier" not in code("train", "first")
    assert GENERATED.as_posix() in fingerprints.of_stage(wired, "check")
    before = code("train", "first")
    (wired / GENERATED).unlink()
    assert code("train", "first") == before
    assert not others & code("train", "student")


@pytest.fixture
def finished(wired: Path) -> Project:
    """A project whose classifier and first experiment are there, untrained."""
    project, spec = Project(wired), DataSpec(1, 8, 8, tuple("0123456789"))
    first = project.experiment("first")
    vae, classifier = registry.load("models", "vae"), registry.load("extractors", "classifier")
    save_model(vae(first.model, spec), "vae", first.model, spec, wired / paths.model("first"))
    config, folder = project.extractors("tiny")["classifier"], wired / paths.reference("tiny") / "classifier"
    save_weights(extractor := classifier(config, spec), folder / WEIGHTS)
    said = {"extractor": "classifier", **extractor.described(), "extractor_accuracy": 0.5}
    about = {"key": "key", "described": said, "config": config.model_dump(), "data_spec": asdict(spec)}
    write_json(folder / ABOUT, about)
    return project


def student(project: Project) -> tuple:
    experiment = project.experiment("student")
    return experiment, registry.load("models", "student")(experiment.model, experiment.data.spec())


def test_a_model_is_given_what_it_needs_frozen(finished: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment, model = student(finished)
    given = {}
    monkeypatch.setattr(type(model), "use", lambda self, extractors, models: given.update(extractors | models))
    prerequisites.provide(finished, experiment, model, torch.device("cpu"))
    assert given.keys() == {"classifier", "first"}
    assert not any(p.requires_grad or m.training for m in given.values() for p in m.parameters())


def test_a_model_may_not_take_over_weights(finished: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment, model = student(finished)
    monkeypatch.setattr(type(model), "use", lambda self, _, models: setattr(self, "kept", models["first"]))
    with pytest.raises(PartError, match=r"student has other weights once `use` was called \(kept\."):
        prerequisites.provide(finished, experiment, model, torch.device("cpu"))


def test_a_change_of_what_is_needed_is_noticed_and_of_nothing_else(
    finished: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance.Prepared, "open", lambda _: SimpleNamespace(sha256="data"))
    experiment, root = finished.experiment("student"), finished.root
    assert prerequisites.digests(finished, finished.experiment("first")) == {}
    about, weights = (root / paths.reference("tiny") / "classifier" / name for name in (ABOUT, "weights.safetensors"))
    found, key = prerequisites.digests(finished, experiment), provenance.result_key(finished, experiment)
    assert list(found) == ["runs/reference/tiny/classifier", "runs/first/model"]
    said = json.loads(about.read_text())
    about.write_text(json.dumps({**said, "key": "of other images"}))
    (about.parents[1] / "pixels").mkdir()
    assert prerequisites.digests(finished, experiment) == found
    for file in (weights, root / paths.model("first") / "model.safetensors"):
        content = file.read_bytes()
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        now = prerequisites.digests(finished, experiment)
        assert [place for place in found if now[place] != found[place]] == [str(file.parent.relative_to(root))]
        assert provenance.result_key(finished, experiment) != key
        file.write_bytes(content)
    assert provenance.result_key(finished, experiment) == key
    (root / paths.prerequisites("student")).parent.mkdir(parents=True)
    (root / paths.prerequisites("student")).write_text(json.dumps({**found, "runs/first/model": "another"}))
    with pytest.raises(InputsChanged, match="runs/first/model has changed"):
        prerequisites.provide(finished, *student(finished), torch.device("cpu"))
    weights.unlink()
    about.unlink()
    with pytest.raises(CheckpointError, match=r"Run `dvc repro train@student`, which makes it first"):
        provenance.result_key(finished, experiment)


def test_the_stage_notes_the_hashes(finished: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from genpipe.stages.prerequisites import main

    monkeypatch.setattr("sys.argv", ["stages/prerequisites.py", "student"])
    assert main() == 0
    noted = json.loads((finished.root / paths.prerequisites("student")).read_text())
    assert noted == prerequisites.digests(finished, finished.experiment("student"))
    monkeypatch.setattr("sys.argv", ["stages/prerequisites.py"])
    assert main() == 2


def test_the_contract_is_kept_with_stand_ins(lab: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    check_model("student")
    kind, first = registry.load("models", "student"), CHECKS[0]
    monkeypatch.setattr(kind, "use", lambda self, _, models: setattr(self, "kept", models["first"]))
    with pytest.raises(Broken, match="are weights only after `use`"):
        first("student", DataSpec(1, 8, 8, ("a", "b")))
    monkeypatch.setattr(kind, "use", lambda self, _, models: models["first"].nothing)
    with pytest.raises(NotApplicable, match="student needs classifier, first, and a small stand-in does not do"):
        first("student", DataSpec(1, 8, 8, ("a", "b")))
    monkeypatch.setattr("sys.argv", ["genpipe", "test-model", "student"])
    assert main.run() == 0
    assert "skipped the same seed trains the same weights, 1×8×8\n" in capsys.readouterr().out


def test_without_a_project_it_is_not_built(lab: Path) -> None:
    Project(lab)
    with pytest.raises(UsageError, match="Student needs what other stages of a project have made"):
        build(registry.load("models", "student"), torch.zeros(4, 8, 8, 1, dtype=torch.uint8).numpy())
