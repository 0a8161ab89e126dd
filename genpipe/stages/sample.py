"""Draw the samples that are scored: genpipe-stage sample NAME."""

from genpipe import paths
from genpipe.artifacts.models import load_trained
from genpipe.config.project import load_project
from genpipe.dataset.storage import Prepared
from genpipe.nn.multi_device import wanted_devices
from genpipe.running.inputs import Inputs
from genpipe.running.stages import Facts, stage
from genpipe.sampling.conditions import held_out_conditions
from genpipe.sampling.drawing import Samples, generate_samples, reconstruct_images, requested_labels, save_samples


def run(name: str, inputs: Inputs) -> Facts:
    """Draws from the finished model, and lets it reconstruct the held-out images if it can."""
    project = load_project()
    experiment = project.experiment(name)
    inputs.verify()
    knobs, prepared = experiment.knobs, Prepared.open(paths.data(experiment.data.name))
    model = load_trained(project.root, experiment)
    n, batch_size, devices = knobs.sample.images, knobs.sample.batch_size, wanted_devices()
    conditions = held_out_conditions(model, prepared, n)
    images = generate_samples(model, n, seed=knobs.seed, batch_size=batch_size, devices=devices, conditions=conditions)
    reconstructions = reconstruct_images(model, prepared.images("test"), devices)
    rows = None if conditions is None else conditions.rows
    labels = requested_labels(model, n) if conditions is None else conditions.labels
    save_samples(Samples(images, labels, rows, reconstructions), paths.samples(name))
    yield {"images": len(images), "device": str(model.device), "devices": devices}


def main() -> int:
    """Runs the stage; returns an exit status."""
    return stage("sample", run)
