"""What happens to the images of any source: decoding, preparing, storing, batches."""
