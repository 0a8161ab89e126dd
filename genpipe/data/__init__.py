"""Data sources, one a file, and how images are prepared, stored and fed to a model."""
