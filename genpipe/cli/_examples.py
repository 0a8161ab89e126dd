"""Two examples for the end of each command's help."""

EXAMPLES = {
    "": ("genpipe new-experiment mine --recipe vae", "genpipe check"),
    "init": ("genpipe init lab", "genpipe init --package lab --dry-run"),
    "new-model": ("genpipe new-model mine --from vae --package lab", "genpipe new-model mine --from gan --dry-run"),
    "test-model": ("genpipe test-model vae", "genpipe test-model mine --size 32"),
    "upgrade": ("genpipe upgrade --dry-run", "genpipe upgrade"),
    "new-experiment": (
        "genpipe new-experiment mine --recipe vae --set model.latent_dim=16",
        "genpipe new-experiment mine --from vae --grid train.steps=500,2000 --seeds 3",
    ),
    "remove": ("genpipe remove vae --dry-run", "genpipe remove vae --outputs"),
    "rename": ("genpipe rename vae small-vae --dry-run", "genpipe rename vae small-vae"),
    "list": ("genpipe list", "genpipe list recipes --json"),
    "show": ("genpipe show vae", "genpipe show vae --no-status --json"),
    "compare": ("genpipe compare", "genpipe compare vae dcgan --json"),
    "check": ("genpipe check", "genpipe check vae"),
    "data": ("genpipe data add toys --source shapes --size 32", "genpipe data look toys"),
    "data add": (
        "genpipe data add faces --source folder --path pictures --size 32",
        "genpipe data add toys --source shapes --size 32 --set images=5000",
    ),
    "data remove": ("genpipe data remove faces --dry-run", "genpipe data remove faces --outputs"),
    "data list": ("genpipe data list", "genpipe data list --json"),
    "data look": ("genpipe data look mnist5k", "genpipe data look mnist5k --images 100 --out sheet.png"),
    "score": (
        "genpipe score dcgan mnist5k --features pixels --metrics fid",
        "genpipe score samples/ photos.zip --metrics fid,kid --size 64",
    ),
    "train": ("genpipe train vae", "genpipe train vae --find-batch"),
    "clean": ("genpipe clean", "genpipe clean --yes"),
    "sample": ("genpipe sample vae", "genpipe sample vae --images 100 --seed 1 --out more.png"),
    "encode": ("genpipe encode vae 0-9", "genpipe encode vae pictures/ --out codes.npy"),
    "decode": ("genpipe decode vae codes.npy", "genpipe decode vae codes.npy --out images.npy"),
    "reconstruct": ("genpipe reconstruct vae 0-9", "genpipe reconstruct vae face.png --out twice.png"),
    "walk": ("genpipe walk vae 0-5", "genpipe walk vae 0-5 --moving --out round.png"),
    "arithmetic": ("genpipe arithmetic vae 0-2 3-5 7", "genpipe arithmetic vae a.npy b.npy c.npy --out sum.png"),
    "traverse": ("genpipe traverse vae", "genpipe traverse vae 3 --codes 4 --out numbers.png"),
    "ui": ("genpipe ui", "genpipe ui --port 8080"),
}
"""By the words of a command."""


def examples(command: str) -> str:
    """The end of a command's help; Typer puts on a line of its own what an empty line parts."""
    return "\n\n".join(["Examples:", *EXAMPLES[command]])
