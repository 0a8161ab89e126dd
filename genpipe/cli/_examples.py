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
    "data": ("genpipe data add toys --source shapes --image-size 32", "genpipe data inspect toys"),
    "data add": (
        "genpipe data add faces --source folder --path pictures --image-size 32",
        "genpipe data add toys --source shapes --image-size 32 --set images=5000",
    ),
    "data remove": ("genpipe data remove faces --dry-run", "genpipe data remove faces --outputs"),
    "data list": ("genpipe data list", "genpipe data list --json"),
    "data inspect": ("genpipe data inspect mnist5k", "genpipe data inspect mnist5k --images 100 --out sheet.png"),
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
    "interpolate": ("genpipe interpolate vae 0-5", "genpipe interpolate vae 0-5 --animate --out round.png"),
    "arithmetic": ("genpipe arithmetic vae 0-2 3-5 7", "genpipe arithmetic vae a.npy b.npy c.npy --out sum.png"),
    "traverse": ("genpipe traverse vae", "genpipe traverse vae 3 --codes 4 --out numbers.png"),
    "translate": (
        "genpipe translate pix drawings/ --out translated",
        "genpipe translate pix photo.png --derive --out translated",
    ),
    "inpaint": (
        "genpipe inpaint filler pictures/ --masks masks/ --out filled",
        "genpipe inpaint filler pictures/ --derive --seed 1 --out filled",
    ),
    "edit": (
        "genpipe edit editor letters/ --set bold=true --out bold",
        "genpipe edit editor letters/ --set bold=false --set italic=true --out italic",
    ),
    "upscale": (
        "genpipe upscale sr small/ --out large",
        "genpipe upscale sr photos/ --derive --out again",
    ),
    "ui": ("genpipe ui", "genpipe ui --port 8080"),
}
"""Examples by command."""


def examples(command: str) -> str:
    """Returns the end of a command's help. An empty line makes Typer start a new line."""
    return "\n\n".join(["Examples:", *EXAMPLES[command]])
