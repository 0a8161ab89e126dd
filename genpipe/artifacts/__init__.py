"""Finished models and extractors: their files, and what other trainings need of them."""
