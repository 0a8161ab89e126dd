"""The repository of somebody who has followed the pages: what they tell to save, an environment, own pictures."""

import shutil
import site
import sys
import venv
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from PIL import Image

from tests._pages import ROOT, blocks, files

MNIST = "{source: mnist5k, image_size: 32, resize_mode: pad, test_images: 60, max_images: 300}"


def make(root: Path) -> None:
    """Makes it, without git and DVC."""
    _project(root)
    _own_pictures(root)
    _environment(root)


def _project(root: Path) -> None:
    """The code, the files that the pages tell to save, and an index."""
    for folder in ("genpipe", "stages", "tests"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".gitignore", ".dvcignore", "Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, root)
    for path, body in files().items():
        assert not (root / path).exists(), f"{path} is in the tree already"
        (root / path).write_text(body)
    (stripes,), (extractors,) = (
        [block.body for block in blocks("yaml") if block.body.startswith(key)] for key in ("stripes:", "extractors:")
    )
    stripes = stripes.replace("test_images: 200}", "test_images: 200, derive: {silhouette: {}}}")
    assert "silhouette" in stripes
    (root / "params.yaml").write_text(
        f"seed: 0\ndatasets:\n  mnist5k: {MNIST}\n  {stripes}reference:\n  {extractors}"
        "  optim:\n    classifier: {lr: 0.002}\n  train: {steps: 20}\nexperiments: {}\n"
    )
    (root / "pipelines").mkdir()


def _environment(root: Path) -> None:
    """A virtual environment with what is installed here, as `make` would leave it."""
    venv.create(root / ".venv", symlinks=True)
    for program in ("genpipe", "genpipe-stage", "dvc"):
        (root / ".venv/bin" / program).symlink_to(Path(sys.executable).parent / program)
    (packages,) = (root / ".venv/lib").glob("python*/site-packages")
    (packages / "here.pth").write_text(
        "".join(f"import site; site.addsitedir({p!r})\n" for p in site.getsitepackages())
    )
    (root / ".venv/.installed").touch()


def _own_pictures(root: Path) -> None:
    """The files of a person's own that the commands name."""
    pixels = np.random.default_rng(0).integers(0, 256, (120, 28, 28), dtype=np.uint8)
    for folder in ("pictures", "my-samples"):
        (root / folder).mkdir()
        for number in range(3 if folder == "pictures" else 60):
            Image.fromarray(pixels[number]).save(root / folder / f"{number}.png")
    shutil.make_archive(str(root / "cifar10"), "xztar", root / "my-samples")
    with ZipFile(root / "faces.zip", "w") as archive:
        for number in range(40):
            archive.write(root / "pictures" / f"{number % 3}.png", f"{'ab'[number % 2]}/{number}.png")
    np.savez(root / "mnist.npz", images=pixels, labels=np.arange(120) % 10)
