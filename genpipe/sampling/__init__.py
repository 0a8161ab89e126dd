"""Outputs of a trained model: samples, reconstructions, and interpolations."""
