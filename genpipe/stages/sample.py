"""Draw the samples that are scored: genpipe-stage sample NAME."""

from genpipe import config, paths
from genpipe.data._storage import Prepared
from genpipe.modelfiles import load_model
from genpipe.nn.spreading import wanted_devices
from genpipe.running.inputs import Inputs
from genpipe.running.stages import Facts, stage
from genpipe.sampling import Samples, asked, draw, rebuild, save_samples


def run(name: str, inputs: Inputs) -> Facts:
    """Draws from the finished model, and lets it reconstruct the held-out images if it can."""
    experiment = config.load().experiment(name)
    inputs.verify()
    knobs, held_out = experiment.knobs, Prepared.open(paths.data(experiment.data.name)).images("test")
    model = load_model(paths.model(name))[0]
    n, batch_size, devices = knobs.sample.images, knobs.sample.batch_size, wanted_devices()
    images = draw(model, n, seed=knobs.seed, batch_size=batch_size, devices=devices)
    save_samples(Samples(images, asked(model, n), rebuild(model, held_out, devices)), paths.samples(name))
    yield {"images": n, "device": str(model.device), "devices": devices}


def main() -> int:
    """Runs the stage; returns an exit status."""
    return stage("sample", run)
