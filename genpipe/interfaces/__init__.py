"""The interfaces between the parts of genpipe: models, sources of images, metrics and analyses."""
