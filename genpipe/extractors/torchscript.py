"""A network of one's own, saved as TorchScript."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError
from torch import Tensor

from genpipe.errors import Unsuitable, WeightsMissing
from genpipe.extractors import _weights
from genpipe.extractors._networks import Knobs, Network, Pixels, Preparation, Seen, require_colors
from genpipe.interfaces.spec import DataSpec


class TorchScript(Network):
    """The network gives features [n d], or features and logits [n k], of images [n c h w].

    A TorchScript file is a program, and it is run: name only a file whose maker you trust.
    """

    class Config(Knobs):
        path: Annotated[str, Field(min_length=1)]
        """The file, seen from the project's folder."""
        sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
        """Another file is refused, if this is given."""
        input_size: Annotated[int, Field(ge=1)] | None = None
        """Pixels a side to which images are resized; not at all, if not given."""
        channels: Literal[1, 3] = 3
        mean: list[float] = [0.0]
        """Taken from values in [0, 1]: one for all channels, or one for each."""
        std: list[Annotated[float, Field(gt=0)]] = [1.0]
        """By which values are divided then."""

        @field_validator("mean", "std")
        @classmethod
        def _fit(cls, values: list[float], info: Any) -> list[float]:
            if len(values) not in (1, channels := info.data.get("channels", 1)):
                raise PydanticCustomError("length", "should hold one number, or {n}, one a channel", {"n": channels})
            return values

    def __init__(self, config: Config, spec: DataSpec) -> None:
        super().__init__()
        require_colors(spec, config.channels)
        self.init_args = config, spec
        self.batch_size, self.path = config.batch_size, Path(config.path).expanduser()
        mean, std = (values * (config.channels // len(values)) for values in (config.mean, config.std))
        self.prepare = Preparation(config.input_size, "bilinear", mean, std)
        self.weights_sha256 = _checked(self.path, config.sha256)
        self.net = _loaded(self.path)
        self._try(torch.zeros(2, *spec.shape, dtype=torch.uint8))

    @classmethod
    def watched_path(cls, config: Config) -> str:
        return config.path

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.init_args  # a ScriptModule cannot be sent to another process

    def seen(self, pixels: Pixels) -> Seen:
        found = self.net(self.prepare(pixels))
        return (found, None) if isinstance(found, Tensor) else found

    def described(self) -> Mapping[str, object]:
        return {
            "weights": self.path.name,
            "weights_sha256": self.weights_sha256,
            **self.prepare.described(),
            "precision": "float32",
        }

    def _try(self, pixels: Pixels) -> None:
        """Raises Unsuitable unless the network makes of black images what it is to make."""
        try:
            with torch.inference_mode():
                found = self.net(self.prepare(pixels))
        except RuntimeError as error:
            last = str(error).strip().splitlines()[-1]
            raise Unsuitable(f"the network in {self.path} cannot look at such images: {last}") from None
        parts = (found,) if isinstance(found, Tensor) else found
        shapes = [tuple(part.shape) for part in parts]
        if len(shapes) > 2 or any(len(shape) != 2 or shape[0] != len(pixels) for shape in shapes):
            raise Unsuitable(
                f"the network in {self.path} gives {' and '.join(map(str, shapes))} of {len(pixels)} images; it has to "
                "give features, one row per image, or a pair: such features and logits."
            )


def _checked(path: Path, wanted: str | None) -> str:
    """The SHA-256 of a file. Raises WeightsMissing if it is not there or another one was wanted."""
    if not path.is_file():
        raise WeightsMissing(f"there is no file {path.absolute()}, which the extractor torchscript is to load.")
    found = _weights.sha256(path)
    if wanted not in (None, found):
        raise WeightsMissing(f"{path} is not the file that sha256 names: it has {found}, and wanted is {wanted}.")
    return found


def _loaded(path: Path) -> torch.jit.ScriptModule:
    try:
        return _weights.program(path).eval()
    except RuntimeError:
        raise WeightsMissing(f"{path} is no TorchScript file: write it with torch.jit.save.") from None
