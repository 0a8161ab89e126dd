"""Draw the samples that are scored: python -m stages.sample NAME."""

from genpipe import config, paths
from genpipe.data._storage import Prepared
from genpipe.modelfiles import load_model
from genpipe.running import Facts, stage
from genpipe.sampling import Samples, asked, draw, rebuild, save_samples


def run(name: str) -> Facts:
    """Draws from the finished model, and lets it reconstruct the held-out images if it can."""
    experiment = config.load().experiment(name)
    knobs, held_out = experiment.knobs, Prepared.open(paths.data(experiment.data.name)).images("test")
    model, _ = load_model(paths.model(name))
    images = draw(model, knobs.sample.images, seed=knobs.seed, batch_size=knobs.sample.batch_size)
    save_samples(Samples(images, asked(model, len(images)), rebuild(model, held_out)), paths.samples(name))
    return {"images": len(images), "device": str(model.device)}


if __name__ == "__main__":
    stage("sample", run)
