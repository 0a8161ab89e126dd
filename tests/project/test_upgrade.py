"""A project of an older genpipe is brought to this one, and is told what runs again."""

from pathlib import Path

import pytest

from genpipe import fingerprints, paths
from genpipe.cli import main
from genpipe.config.project import Project
from genpipe.files import write_json
from genpipe.project.upgrade import again, modernized

INDEX = """\
datasets: # those of old
    tiny: {source: digits,  size: 8, fit: crop, limit: 50} # small
reference:
  optim: {classifier: {clip_norm: 1.0}}
  train: {average_halflife_images: 4000}
"""
PIPELINE = """\
model:
  body: mlp            # fully connected
  likelihood: discretised_logistic
optim:
  autoencoder: {lr: 0.01, clip_norm: null}
train: {accumulate_steps: 2}
analyses:
  walk: {pairs: 2}
  embedding: {neighbours: 5.0}
"""


def test_a_text_of_old_is_put_into_the_words_of_today_and_stays_as_it_was_laid_out() -> None:
    assert modernized(INDEX) == (
        INDEX.replace("size: 8, fit: crop, limit: 50", "image_size: 8, resize_mode: crop, max_images: 50")
        .replace("clip_norm", "grad_clip_norm")
        .replace("average_halflife_images", "ema_halflife_images")
    )
    found = modernized(PIPELINE)
    assert "  architecture: mlp            # fully connected\n  likelihood: discretized_logistic\n" in found
    assert "grad_accumulation_steps: 2" in found
    assert "  interpolation: {pairs: 2}\n  latent_embedding: {neighbors: 5.0}\n" in found
    assert modernized(found) == found


@pytest.fixture
def old(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project in old words, whose wiring lacks nothing."""
    index, pipeline = project / "params.yaml", project / "pipelines" / "first.yaml"
    index.write_text(index.read_text().replace("image_size:", "size:"))
    pipeline.write_text(pipeline.read_text().replace("sample_grid: {rows: 3}", "walk: {pairs: 2}"))
    monkeypatch.chdir(project)
    return project


def run(*words: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("sys.argv", ["genpipe", *words])
    return main.run()


def test_upgrade_rewrites_the_words_of_a_project_in_place(
    old: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [old / "params.yaml", old / "pipelines" / "first.yaml"]
    before = [file.read_text() for file in files]
    assert run("upgrade", "--dry-run", monkeypatch=monkeypatch) == 0
    assert [file.read_text() for file in files] == before
    assert "+  interpolation: {pairs: 2}" in capsys.readouterr().out
    assert run("upgrade", monkeypatch=monkeypatch) == 0
    assert [file.read_text() for file in files] == [modernized(text) for text in before]
    assert "Wrote params.yaml and pipelines/first.yaml" in capsys.readouterr().out
    assert list(Project(old).experiment("first").analyses) == ["interpolation"]
    assert run("upgrade", monkeypatch=monkeypatch) == 0
    assert "The project is up to date." in capsys.readouterr().out


def test_what_another_edition_trains_again_is_told_with_the_modules(project: Path) -> None:
    def note(stage: str, key: str, code: dict[str, str] | None) -> None:
        write_json(project / paths.timing(stage, key), {"code": code} if code else {})

    for stage, key in (("prepare", "tiny"), ("train", "first"), ("evaluate", "first")):
        note(stage, key, fingerprints.of_stage(project, stage, key))
    assert again(project) == {}
    code = fingerprints.of_stage(project, "train", "first")
    note("train", "first", {**code, "genpipe.nn.variational": "of another edition"})
    note("evaluate", "first", None)
    assert again(project) == {
        "train@first": ["genpipe.nn.variational has changed"],
        "evaluate@first": ["a genpipe that noted no code has run it"],
    }
