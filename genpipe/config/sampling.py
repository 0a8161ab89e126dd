"""The knobs of `sample`."""

from genpipe.schema import Images, Strict


class Sample(Strict):
    """How many images are drawn for the scores."""

    images: Images = 10000
    batch_size: Images = 500
