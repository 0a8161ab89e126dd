"""Which code each stage depends on: what it runs, and nothing else."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from genpipe import fingerprints, packages, paths

ROOT = Path(__file__).parents[1]
PARAMS = """\
datasets:
  digits: {source: digits, image_size: 16}
  colors: {source: shapes, image_size: 16, extractors: [pixels]}
reference: {extractors: {classifier: {}}}
experiments:
  plain: {model: vae, data: digits}
  normalized: {model: sngan, data: digits}
  other: {model: gan, data: colors}
"""
PIPELINES = {"plain": ("fid", "reconstruction"), "normalized": ("kid", "sample_grid"), "other": ("kid", "sample_grid")}


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a library of its own beside it, whose code may be changed."""
    shutil.copytree(ROOT / "genpipe", tmp_path / "genpipe", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "stages", tmp_path / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "pipelines").mkdir()
    for name, (metric, analysis) in PIPELINES.items():
        text = f"evaluate: {{metrics: {{{metric}: {{}}}}}}\nanalyses: {{{analysis}: {{}}}}\n"
        (tmp_path / paths.pipeline(name)).write_text(text)
    monkeypatch.setattr(packages, "LIBRARY", tmp_path)
    fingerprints.write(tmp_path)
    return tmp_path


def written(root: Path) -> dict[str, tuple[int, str]]:
    """The inode, which a new text would change, and the text of each fingerprint."""
    files = (root / paths.CODE).rglob("*.json")
    return {
        f.relative_to(root / paths.CODE).with_suffix("").as_posix(): (f.stat().st_ino, f.read_text()) for f in files
    }


def changed(root: Path) -> set[str]:
    """The stages whose fingerprint is another one once it is made again."""
    before = written(root)
    fingerprints.write(root)
    after = written(root)
    return {stage for stage in {*before, *after} if before.get(stage) != after.get(stage)}


def edit(root: Path, file: str) -> None:
    with (root / file).open("a") as opened:
        opened.write("\n# another line\n")


def of(name: str) -> set[str]:
    return {f"{stage}/{name}" for stage in ("train", "sample", "evaluate")}


def test_every_stage_has_one(own: Path) -> None:
    singles, data = {"check", "report"}, {"digits", "colors"}
    of_data = {f"{stage}/{name}" for stage in ("prepare", "reference") for name in data}
    assert written(own).keys() == singles | of_data | of("plain") | of("normalized") | of("other")


@pytest.mark.parametrize(
    ("file", "stale"),
    [
        ("genpipe/nn/spectral.py", {"check"} | of("normalized")),
        ("genpipe/models/vae.py", {"check"} | of("plain")),
        ("genpipe/metrics/fid.py", {"check", "evaluate/plain"}),
        ("genpipe/metrics/kid.py", {"check", "evaluate/normalized", "evaluate/other"}),
        ("genpipe/metrics/psnr.py", set()),
        ("genpipe/analyses/reconstruction.py", {"check", "evaluate/plain"}),
        ("genpipe/data/shapes.py", {"check", "prepare/colors"}),
        ("genpipe/extractors/pixels.py", {"check", "reference/colors", "evaluate/other"}),
        ("genpipe/extractors/clip.py", set()),
        ("genpipe/reporting/page.css.j2", {"report"}),
        ("genpipe/recipes/vae.yaml", set()),
        ("genpipe/errors.py", set()),
        ("stages/train.py", {f"train/{name}" for name in PIPELINES}),
    ],
)
def test_an_edit_makes_stale_what_uses_it(own: Path, file: str, stale: set[str]) -> None:
    edit(own, file)
    assert changed(own) == stale
    assert changed(own) == set(), "the same text leaves the file untouched"


@pytest.mark.parametrize(
    "room", ["nn", "models", "data", "derivations", "extractors", "metrics", "analyses", "training"]
)
def test_a_new_file_makes_nothing_stale(own: Path, room: str) -> None:
    (own / f"genpipe/{room}/quite_new.py").write_text('"""New."""\n')
    assert changed(own) == set()


def test_yaml_that_names_another_part_depends_on_its_code(own: Path) -> None:
    pipeline = own / paths.pipeline("plain")
    pipeline.write_text(pipeline.read_text().replace("fid: {}", "fid: {}, psnr: {}"))
    assert changed(own) == {"check", "evaluate/plain"}
    assert "genpipe.metrics.psnr" in fingerprints.of_stage(own, "evaluate", "plain")


def test_of_an_experiment_that_is_gone_no_fingerprint_stays(own: Path) -> None:
    (own / "params.yaml").write_text(PARAMS.replace("  plain: {model: vae, data: digits}\n", ""))
    assert changed(own) == {"check"} | of("plain")
    assert not any(name.endswith("plain") for name in written(own))


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("params.yaml", "experiments: ["),
        ("params.yaml", "[1, 2]"),
        ("params.yaml", "datasets: {a: 1, b: {source: [x]}}\nexperiments: {c: null, d: {model: ../x, data: 3}}\n"),
        ("pipelines/plain.yaml", "a: &b [*b"),
        ("pipelines/plain.yaml", "evaluate: {metrics: [1, {}]}\nanalyses: nothing\n"),
        ("pipelines/plain.yaml", None),
        ("genpipe/models/vae.py", "def ("),
        ("genpipe/models/vae.py", "\0"),
        ("genpipe/models/vae.py", None),
    ],
)
def test_what_is_wrong_is_left_to_check_and_to_whoever_imports_it(own: Path, file: str, text: str | None) -> None:
    (own / file).unlink() if text is None else (own / file).write_text(text)
    changed(own)
    assert changed(own) == set()


def test_what_is_remembered_may_be_damaged(own: Path) -> None:
    for text in ("{", "[]", "null"):
        (paths.private(own) / "code.json").write_text(text)
        assert changed(own) == set()


def closure(tmp_path: Path, files: dict[str, str], *modules: str) -> set[str]:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return set(fingerprints.of_modules(tmp_path, modules))


def test_all_ways_to_import_are_followed(tmp_path: Path) -> None:
    files = {
        "lab/__init__.py": "",
        "lab/models/mine.py": "import lab.a\nfrom . import b\nfrom ..deep import c as d\nfrom .e import f\n"
        "def late():\n    from lab import g\nimport os, numpy\n",
        **{f"lab/{name}.py": "" for name in ("a", "g", "unused")},
        **{f"lab/models/{name}.py": "" for name in ("b", "e", "f")},
        "lab/deep/__init__.py": "from lab.deep.of_package import x",
        "lab/deep/c.py": "",
        "lab/deep/of_package.py": "x = 1",
    }
    found = closure(tmp_path, files, "lab.models.mine")
    assert found == {
        *("lab", "lab.a", "lab.g", "lab.models.mine", "lab.models.b", "lab.models.e"),
        *("lab.deep", "lab.deep.c", "lab.deep.of_package"),
    }


def test_types_alone_are_not_followed_but_files_beside_are(tmp_path: Path) -> None:
    files = {
        "lab/mine.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import lab.types\nelse:\n"
        "    import lab.other\nTABLE = 'table.json'\nPAGE = 'page.html.j2'\nNONE = 'no.json'\n",
        "lab/types.py": "",
        "lab/other.py": "",
        "lab/table.json": "{}",
        "lab/page.html.j2": '{% include "page.css.j2" %}',
        "lab/page.css.j2": "",
    }
    found = closure(tmp_path, files, "lab.mine")
    assert found == {"lab.mine", "lab.other", "lab/table.json", "lab/page.html.j2", "lab/page.css.j2"}


def files(root: Path, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def code_of(root: Path, *modules: str) -> set[str]:
    return set(fingerprints.of_modules(root, modules))


def test_a_module_that_becomes_a_package_imports_what_is_now_beside_it(tmp_path: Path) -> None:
    files(tmp_path, {"lab/__init__.py": "", "lab/nets.py": "from .layers import X\n", "lab/layers.py": "X = 1\n"})
    assert code_of(tmp_path, "lab.nets") == {"lab", "lab.nets", "lab.layers"}
    (tmp_path / "lab/nets").mkdir()
    (tmp_path / "lab/nets.py").rename(tmp_path / "lab/nets/__init__.py")
    (tmp_path / "lab/layers.py").rename(tmp_path / "lab/nets/layers.py")
    assert code_of(tmp_path, "lab.nets") == {"lab", "lab.nets", "lab.nets.layers"}


def test_a_python_file_that_is_named_as_a_file_is_followed(tmp_path: Path) -> None:
    worker = 'from . import helper\nTABLE = "table.csv"\n'
    files(tmp_path, {"lab/__init__.py": "", "lab/flow.py": 'WORKER = "worker.py"\n', "lab/worker.py": worker})
    files(tmp_path, {"lab/helper.py": "", "lab/table.csv": ""})
    assert code_of(tmp_path, "lab.flow") == {"lab", "lab.flow", "lab/worker.py", "lab.helper", "lab/table.csv"}


def test_of_a_package_and_a_module_of_one_name_python_takes_the_package(tmp_path: Path) -> None:
    files(tmp_path, {"lab/__init__.py": "", "lab/nets.py": "", "lab/nets/__init__.py": "from . import layers\n"})
    files(tmp_path, {"lab/nets/layers.py": ""})
    assert code_of(tmp_path, "lab.nets") == {"lab", "lab.nets", "lab.nets.layers"}
    (tmp_path / "lab/nets/__init__.py").unlink()
    assert fingerprints.source_file(tmp_path, "lab.nets") == tmp_path / "lab/nets.py"


def test_links_that_lead_nowhere_are_no_modules(tmp_path: Path) -> None:
    files(tmp_path, {"lab/__init__.py": "", "lab/flow.py": "import loop\nfrom . import gone\n"})
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "lab/gone.py").symlink_to(tmp_path / "nowhere.py")
    assert code_of(tmp_path, "lab.flow") == {"lab", "lab.flow"}


def test_what_has_changed_is_said_by_module() -> None:
    before, now = {"a": "1", "b": "1", "c": "1"}, {"a": "1", "b": "2", "d": "1"}
    assert list(fingerprints.differences(before, now)) == ["b has changed", "c is used no more", "d is new"]


def test_the_stage_needs_the_standard_library_alone_while_yaml_stays_the_same(own: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nimport genpipe.stages.entry\nfrom genpipe import fingerprints\n"
        "fingerprints.write(Path())\nprint(sorted({m.split('.')[0] for m in sys.modules}))"
    )
    done = [
        subprocess.run([sys.executable, "-c", code], cwd=own, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ][-1]
    assert not {"yaml", "numpy", "torch", "dvc", "pydantic"} & set(json.loads(done.replace("'", '"')))


def test_nothing_that_decides_a_figure_is_left_out() -> None:
    code = fingerprints.of_stage(ROOT, "evaluate", "vae")
    for module in (
        "interfaces.phases",
        "interfaces.likelihood",
        "sampling.drawing",
        "evaluation.scoring",
        "config.training",
        "artifacts.models",
        "dataset.storage",
    ):
        assert f"genpipe.{module}" in code
    assert "genpipe.config.datasets" in fingerprints.of_stage(ROOT, "prepare", "mnist5k")
    assert "genpipe.interfaces.sampling" in fingerprints.of_stage(ROOT, "sample", "vae")
    assert not [module for module in code if fingerprints.framed(module)]
    assert all(fingerprints.source_file(ROOT, module) for module in fingerprints.FRAME)
