"""Scores of generated images, one a file: pure functions on arrays, and a class that the pipeline calls."""
