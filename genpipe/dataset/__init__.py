"""Processing of the images of any source: decoding, preparing, storing, batches."""
