"""What the parts of the house are to each other: models, sources of images, and what judges them."""
