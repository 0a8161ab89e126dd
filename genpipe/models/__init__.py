"""The systems, one a file."""
