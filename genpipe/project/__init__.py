"""Changes to a project: creating it, and adding, removing and renaming experiments, data sets and models.

Each function computes a `Plan`, and `Plan.write` does it all or nothing; what the configuration or DVC would refuse is
not done.
"""
