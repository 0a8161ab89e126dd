"""MLflow: a run for every experiment. Files are the truth and MLflow the copy; this room alone imports mlflow.

A server that cannot be reached costs a warning and the copy. A run is found again by the experiment's name and the key
of all that decides its result, so that restored caches, restarted trainings and later stages write to the same one.
"""
