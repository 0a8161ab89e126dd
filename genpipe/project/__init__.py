"""Changes of what a project has: a beginning, new experiments, data sets and models, fewer, other names.

Each function computes a `Plan`, and `Plan.write` does it all or nothing; what the configuration or DVC would refuse is
not done.
"""
