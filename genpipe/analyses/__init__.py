"""Latent tools and checks of claims, one a file."""
