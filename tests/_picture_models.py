"""A project with models of its own whose images are known: what they make of pictures can be told in advance."""

from pathlib import Path

from genpipe import paths, registry
from genpipe.artifacts.models import save_model
from genpipe.config.project import Project
from tests._projects import wire

SIDE = 16
HEAD = """
import torch
from torch.nn.functional import interpolate

from genpipe.interfaces.generative import Generative
from genpipe.interfaces.sampling import SamplingConfig
from genpipe.interfaces.translation import Edits, Inpaints, Translates, TranslatesDomains
from genpipe.schema import Strict


class Base(Generative):
    def __init__(self, config, spec):
        super().__init__(config, spec)
        self.config, self.spec = config, spec
        self.register_buffer("there", torch.zeros(1))

    def phases(self):
        return []
"""
FILES = {
    "lab/__init__.py": "",
    "lab/models/_base.py": f'"""What all have."""\n{HEAD}',
    "lab/models/echo.py": '''"""Gives back its source, as large and as colored as images; labels as levels."""

from lab.models._base import *


class Echo(Base, Translates):
    class Config(Strict):
        source: str = "edges"

    def __init__(self, config, spec):
        super().__init__(config, spec)
        self.source = config.source

    @classmethod
    def needed_fields(cls, config):
        return {config.source: ("image", "label_map")}

    def translate(self, source, rng):
        found = self.spec.fields[self.source]
        if found.kind == "label_map":
            source = source[:, None] / (found.size - 1) * 2 - 1
        return interpolate(source, self.spec.shape[1:], mode="nearest").expand(-1, self.spec.channels, -1, -1)
''',
    "lab/models/noisy.py": '''"""The same with noise."""

from lab.models._base import *
from lab.models.echo import Echo


class Noisy(Echo):
    stochastic = True

    class Config(Echo.Config): ...

    class Sampling(SamplingConfig):
        amount: float = 0.5

    def translate(self, source, rng):
        x = super().translate(source, rng)
        return (x + self.sampling.amount * torch.randn(x.shape, generator=rng)).clamp(-1, 1)
''',
    "lab/models/inverter.py": '''"""Domain 1 is the inverse of domain 0, and domain 0 is black."""

from lab.models._base import *


class Inverter(Base, TranslatesDomains):
    domain = "domain"
    fields = {"domain": "class"}

    class Config(Strict): ...

    class Sampling(SamplingConfig):
        to: int = 1

    @property
    def target(self):
        return self.sampling.to

    def translate_to(self, x, target):
        return -x if target else torch.full_like(x, -1)
''',
    "lab/models/filler.py": '''"""Holes become white."""

from lab.models._base import *


class Filler(Base, Inpaints):
    mask = "holes"
    fields = {"holes": "mask"}

    class Config(Strict): ...

    def inpaint(self, x, mask, rng):
        return torch.where(mask > 0, 1.0, x)
''',
    "lab/models/editor.py": '''"""The first pixels are the attributes, white or black."""

from lab.models._base import *


class Editor(Base, Edits):
    attributes = "attributes"
    fields = {"attributes": "attributes"}

    class Config(Strict): ...

    def attributes_of(self, x):
        return (x[:, 0, 0, : self.spec.fields["attributes"].values] > 0).float()

    def edit(self, x, attributes):
        y = x.clone()
        y[:, :, 0, : attributes.shape[1]] = attributes[:, None] * 2 - 1
        return y
''',
    "params.yaml": f"""package: lab
seed: 0
datasets:
  letters:
    source: glyphs
    image_size: {SIDE}
    domains: [serif, sans]
    derive: {{edges: {{}}, low_resolution: {{factor: 2}}, holes: {{}}}}
  drawn: {{source: shapes, image_size: {SIDE}, derive: {{grayscale: {{}}}}}}
reference:
  extractors: {{pixels: {{}}}}
  optim: {{}}
  train: {{steps: 0}}
experiments:
  pix: {{model: echo, data: letters}}
  noisy: {{model: noisy, data: letters}}
  sr: {{model: echo, data: letters}}
  maps: {{model: echo, data: drawn}}
  tinted: {{model: echo, data: drawn}}
  other: {{model: inverter, data: letters}}
  filler: {{model: filler, data: letters}}
  editor: {{model: editor, data: letters}}
""",
}
SOURCES = {"sr": "low_resolution", "maps": "label_map", "tinted": "grayscale"}
"""The field that an experiment translates, if it is not edges."""
PIPELINE = """
seed: 0
model: {knobs}
optim: {{}}
train: {{steps: 0}}
sample: {{}}
evaluate: {{metrics: {{}}}}
analyses: {{}}
"""


def make(root: Path) -> Project:
    """Writes the project, with all its models finished; nothing is trained."""
    files = dict(FILES)
    for name in ("pix", "noisy", "sr", "maps", "tinted", "other", "filler", "editor"):
        knobs = f"{{source: {SOURCES[name]}}}" if name in SOURCES else "{}"
        files[f"pipelines/{name}.yaml"] = PIPELINE.format(knobs=knobs)
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    wire(root)
    project = Project(root)
    for name in project.index.experiments:
        finish(project, name)
    return project


def finish(project: Project, name: str) -> None:
    """Writes the model of an experiment as it is when it is not trained."""
    experiment = project.experiment(name)
    kind, spec = registry.load("models", experiment.model_name), experiment.data.spec()
    folder = project.root / paths.model(name)
    save_model(kind(experiment.model, spec), experiment.model_name, experiment.model, spec, folder)
