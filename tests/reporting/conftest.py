"""A small project as the stages leave it, without any of them having run."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

SHA = "3f2a91c4" + "0" * 56
EXPERIMENTS = {"first": "vae", "second": "dcgan", "third": "pca"}
FIGURES = {"sample_grid.png": "The first samples.", "reconstruction.png": "Originals above."}
CURVES = "step,generator/loss,generator/kl_$x$\n1,3.5,0.5\n2,2.5,\n3,2.25,0.75\n"


class Project:
    """Three experiments, of which none has run until `scored` says so."""

    def __init__(self, root: Path) -> None:
        self.root = root
        lines = [f"  {name}: {{model: {model}, data: digits}}\n" for name, model in EXPERIMENTS.items()]
        self.write("params.yaml", "seed: 0\ndatasets: {digits: {}}\nexperiments:\n" + "".join(lines))

    def write(self, path: str, text: str) -> Path:
        """Writes a file below the root."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def timed(self, stage: str, key: str, wall_sec: float, **facts: Any) -> None:
        """Writes how long a stage took."""
        timing = {"stage": stage, "key": key, "wall_sec": wall_sec, "facts": facts}
        self.write(f"runs/timings/{stage}/{key}.json", json.dumps(timing))

    def scored(self, name: str, scores: dict[str, Any], **how: Any) -> None:
        """Writes scores, pictures, curves and times of an experiment."""
        common = {"model": EXPERIMENTS.get(name, "vae"), "data": "digits", "seed": 7, "device": "cpu"}
        common |= {"commit": "a302639c0ffee", "versions": {"torch": "2.11.0"}, "figures": FIGURES}
        self.write(f"reports/scores/{name}.json", json.dumps({**scores, "how": common | how}))
        for number, file in enumerate(FIGURES):
            self.picture(name, file, Image.new("L", (320, 64), 60 * number + len(name)))
        self.write(f"reports/curves/{name}.csv", CURVES)
        self.timed("train", name, 31.25, images_per_sec=9000.0, steps=3)
        self.timed("sample", name, 2.0)

    def picture(self, name: str, file: str, image: Image.Image) -> None:
        """Writes a picture of an experiment."""
        image.save(self.write(f"reports/figures/{name}/{file}", ""))

    def fid(self, **changed: Any) -> dict[str, Any]:
        """How a Fréchet distance was made."""
        made = {"title": "Fréchet distance", "meaning": "How far. What not.", "lower_is_better": True, "real": 4.25}
        return made | {"extractor": "classifier", "extractor_sha256": SHA, "fake_images": 10000} | changed

    def inception(self) -> dict[str, Any]:
        """How an inception score was made."""
        made = {"title": "Inception score", "meaning": "How sure. What not.", "lower_is_better": False, "real": 9.5}
        return made | {"extractor": "classifier", "extractor_sha256": SHA, "splits": 10}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Nothing has run."""
    return Project(tmp_path)


@pytest.fixture
def two_scored(project: Project) -> Project:
    """Two of three experiments have run; the second is the better one."""
    made = {"fid_classifier": project.fid(), "is_classifier": project.inception()}
    first = {"fid_classifier": 25.5, "is_classifier": 6.5, "is_classifier_std": 0.25, "parameters": 463073}
    project.scored("first", first, **made)
    second = {"fid_classifier": 12.75, "is_classifier": 8.5, "is_classifier_std": 0.5, "parameters": 926146}
    project.scored("second", second | {"pixel_mse": 0.015}, **made)
    project.timed("prepare", "digits", 1.5)
    return project
