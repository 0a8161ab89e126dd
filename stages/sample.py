"""Draw the samples that are scored: python -m stages.sample NAME."""

from genpipe import config, paths
from genpipe.modelfiles import load_model
from genpipe.running import Facts, stage
from genpipe.sampling import draw, save_samples


def run(name: str) -> Facts:
    """Draws from the finished model into one archive."""
    knobs = config.load().experiment(name).knobs
    model, _ = load_model(paths.model(name))
    images = draw(model, knobs.sample.images, seed=knobs.seed, batch_size=knobs.sample.batch_size)
    save_samples(images, paths.samples(name))
    return {"images": len(images), "device": str(model.device)}


if __name__ == "__main__":
    stage("sample", run)
